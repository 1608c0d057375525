"""An organisation works while it moves: nothing that it does is lost, and no mail goes twice."""

from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.domain.errors import Refusal
from halo_engine.moving.progress import Copied, Step
from halo_engine.moving.switching import Limits
from halo_engine.tables import (
    automation_recipients,
    end_users,
    event_counts,
    events,
    organizations,
)
from tests.moving.ground import Pair, contents, last_number, wait_for


def _identify(pair: Pair, user: str, **traits: Any) -> None:
    call = IdentifyCall(user_id=user, traits=traits)
    pair.acme.perform(lambda work: identify(work, call))


def test_what_is_written_while_it_is_copied_comes_too(pair: Pair) -> None:
    """After each table that arrives a contact comes, one changes, one is erased, and events fire;
    all of it is in the new cell, as if it had happened before the move.
    """
    for number in range(50):
        _identify(pair, f"old-{number}", email=f"old-{number}@a.example")
    turns = 0

    def work_on(step: Step) -> None:
        nonlocal turns
        if not isinstance(step, Copied):
            return
        turns += 1
        _identify(pair, f"new-{turns}", email=f"new-{turns}@a.example")
        _identify(pair, f"old-{turns}", plan=f"plan-{turns}")
        erased, event = (
            EraseContactCall(contact=f"old-{50 - turns}"),
            TrackCall(user_id="user-1", event="seen"),
        )
        pair.acme.perform(lambda work: erase_contact(work, erased))
        pair.acme.perform(lambda work: track(work, event))
        pair.acme.settle()

    pair.move(tell=work_on)
    there = pair.there()
    assert turns > 10
    assert there.count(end_users, end_users.c.external_id.like("new-%")) == turns
    assert there.count(end_users, end_users.c.external_id.like("old-%")) == 50 - turns
    assert there.count(end_users, end_users.c.custom_fields["plan"].astext.like("plan-%")) == turns
    assert there.count(events, events.c.name == "seen") == turns
    assert there.count(event_counts, event_counts.c.count == turns) == 1


def test_a_row_whose_key_changes_is_not_there_twice(pair: Pair) -> None:
    """A change of a row's key deletes the copy under the old one."""
    org_id = pair.id
    change = text("UPDATE suppressions SET address = :new WHERE org_id = :org AND address = :old")
    made = text("INSERT INTO suppressions (org_id, address, bounced_at) VALUES (:org, :old, now())")
    given = {"org": org_id, "old": "old@a.example", "new": "new@a.example"}
    with pair.a.transaction() as connection:
        connection.execute(made, given)

    def rename(step: Step) -> None:
        if isinstance(step, Copied) and step.table == "suppressions":
            with pair.a.transaction() as connection:
                connection.execute(change, given)

    pair.move(tell=rename)
    with pair.b.transaction() as connection:
        found = connection.scalars(text("SELECT address FROM suppressions")).all()
    assert found == ["new@a.example"]


def test_arrival_numbers_go_on_above_those_that_came(pair: Pair) -> None:
    """What happens after the move sorts behind what happened before it."""
    with pair.a.transaction() as connection:
        connection.execute(text("SELECT setval('arrivals', 5000000)"))
    _identify(pair, "user-1", plan="late")
    last = last_number(pair.a.database)
    pair.move()
    assert last > 5_000_000
    assert last_number(pair.b.database) > last


def _lease(pair: Pair, expires: str) -> None:
    """Lease an email to a worker that has said nothing yet."""
    rows = automation_recipients
    with pair.a.transaction() as connection:
        one = select(rows.c.id).where(rows.c.org_id == pair.id, rows.c.status == "pending").limit(1)
        connection.execute(
            update(rows)
            .where(rows.c.org_id == pair.id, rows.c.id == one.scalar_subquery())
            .values(
                status="processing",
                lease_token=func.gen_random_uuid(),
                lease_expires_at=func.now() + text(f"interval '{expires}'"),
            )
        )


def _stopped_by(pair: Pair) -> str | None:
    with pair.a.transaction() as connection:
        return connection.scalar(
            select(organizations.c.sending_stopped_by).where(organizations.c.key == "acme")
        )


def test_it_waits_for_a_mail_that_is_under_way(pair: Pair) -> None:
    """While a worker may still say what became of a mail, nothing is switched; mail is held back
    meanwhile, and goes on in the new cell.
    """
    _lease(pair, "1 hour")
    moving = Thread(target=pair.move)
    moving.start()
    wait_for(lambda: _stopped_by(pair) == "move to cell b")
    rows = automation_recipients
    done = {"status": "pending", "lease_token": None, "lease_expires_at": None}
    assert moving.is_alive()
    with pair.a.transaction() as connection:
        connection.execute(update(rows).where(rows.c.status == "processing").values(done))
    moving.join()
    there = pair.there()
    assert not there.perform(lambda work: work.org.sending_stopped)
    sent = len(there.transport.sent)
    there.tick(timedelta(days=2))
    assert len(there.transport.sent) == 2 * sent


def test_mail_that_does_not_end_ends_the_try(pair: Pair) -> None:
    """It says so, mail goes on in the old cell, and the move can be finished later."""
    _lease(pair, "1 hour")
    with pytest.raises(Refusal, match="1 emails are under way") as refused:
        pair.move(limits=Limits(mail=timedelta(seconds=0.2)))
    assert refused.value.code == "mail_under_way"
    assert _stopped_by(pair) is None
    _identify(pair, "user-9")
    pair.cancel()
    assert contents(pair.b.database, pair.id) == {}


def test_a_lease_that_has_expired_keeps_nobody_waiting(pair: Pair) -> None:
    """The new cell settles it, as the old one would have."""
    _lease(pair, "-1 second")
    pair.move()
    there = pair.there()
    there.tick(timedelta(days=2))
    assert there.count(automation_recipients, automation_recipients.c.status == "processing") == 0


def test_a_stop_by_an_operator_stays(pair: Pair) -> None:
    """The move neither ends it nor puts its own name there."""
    stop = {"sending_stopped_at": func.now(), "sending_stopped_by": "ann"}
    with pair.a.transaction() as connection:
        connection.execute(update(organizations).where(organizations.c.key == "acme").values(stop))
    pair.move()
    with pair.b.transaction() as connection:
        assert connection.scalar(select(organizations.c.sending_stopped_by)) == "ann"


def test_rows_of_a_copy_that_went_astray_are_copied_again(pair: Pair) -> None:
    """A row that is missing in the target is noticed before the switch."""
    before = contents(pair.a.database, pair.id)
    lost: list[int] = []

    def lose(step: Step) -> None:
        if isinstance(step, Copied) and step.table == "event_counts" and not lost:
            with pair.b.transaction() as connection:
                lost.append(connection.execute(delete(event_counts)).rowcount)

    pair.move(tell=lose)
    assert lost == [1]
    assert contents(pair.b.database, pair.id) == before
