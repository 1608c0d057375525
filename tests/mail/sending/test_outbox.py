"""Sending leased emails (contract §9)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, delete, event, insert, text, update

from halo_engine.domain.series.decisions import Exit
from halo_engine.domain.series.exits import ExitReason
from halo_engine.journey.record_exits import record_exits
from halo_engine.mail.sending.leases import MOST_ATTEMPTS
from halo_engine.mail.sending.outcomes import RowResult
from halo_engine.mail.sending.stops import start_sending, stop_sending
from halo_engine.mail.transports.transports import (
    Mail,
    MemoryTransport,
    NotHandedOver,
    PermanentFailure,
    ServerDown,
    TemporaryFailure,
)
from halo_engine.opening import open_work
from halo_engine.series.catalogue import load_series
from halo_engine.series.locks import lock_series_for_change
from halo_engine.tables import (
    automation_recipients,
    automation_steps,
    automations,
    end_users,
    organizations,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import NOW
from tests.mail.post_office import BYE, HELLO, Interrupted, PostOffice, Refusing


def test_a_sent_email_is_in_the_ledger_and_its_run_goes_on(office: PostOffice) -> None:
    """A sent row completes, the ledger knows when and under which ID, the next row waits."""
    letters = MemoryTransport()
    contact = office.contact("Ann")
    [ann] = office.enroll(office.series(), contact)
    office.wait(minutes=5)
    [outcome] = office.lease_and_send(letters)
    [message] = letters.sent
    assert (outcome.recipient_id, outcome.result, outcome.reason) == (ann, RowResult.SENT, None)
    assert (message["To"], message["Subject"]) == ("ann@a.example", "Hello Ann")
    assert office.row(ann, "status", "exit_reason", "lease_token") == ("completed", None, None)
    assert office.message(ann, "state", "message_id", "to_address", "sent_at") == (
        "sent",
        message["Message-ID"],
        "ann@a.example",
        office.now,
    )
    assert office.rows(automation_recipients, "status", "scheduled_for") == [
        ("completed", NOW),
        ("pending", office.now + timedelta(hours=1)),
    ]
    assert office.rows(end_users, "last_contacted_at") == [(office.now,)]


def test_the_last_email_ends_the_run_and_completes_a_manual_series(office: PostOffice) -> None:
    """After the last step the row is stamped ``completed``, and nobody is left in the series."""
    series = office.series(HELLO, entry_trigger="manual")
    [ann] = office.enroll(series, office.contact("Ann"))
    office.lease_and_send(MemoryTransport())
    assert office.row(ann, "status", "exit_reason") == ("completed", "completed")
    assert office.rows(automations, "status") == [("completed",)]


def test_a_series_saved_while_mail_goes_out_is_followed_as_saved(office: PostOffice) -> None:
    """A run goes on to the step that follows when its email was sent, not when it was leased."""
    series = office.series()
    office.enroll(series, office.contact("Ann"))
    token = uuid4()
    sends = office.lease(token)
    with office.database.begin() as connection:
        connection.execute(
            update(automation_steps)
            .where(automation_steps.c.automation_id == series, automation_steps.c.position == 1)
            .values(removed_at=office.now)
        )
    office.send(token, sends, MemoryTransport())
    assert office.rows(automation_recipients, "status", "exit_reason") == [
        ("completed", "completed")
    ]


def test_a_permanent_failure_says_what_the_server_said_and_the_run_goes_on(
    office: PostOffice,
) -> None:
    """Row and ledger fail with the server's words on one line, and the run goes on."""
    [ann] = office.enroll(office.series(), office.contact("Ann"))
    refusal = PermanentFailure("550 5.1.1\r\nno such user\x00")
    [outcome] = office.lease_and_send(Refusing(refusal))
    words = "550 5.1.1  no such user"
    assert (outcome.result, outcome.reason) == (RowResult.FAILED, words)
    assert office.row(ann, "status", "reason", "exit_reason") == ("failed", words, None)
    assert office.message(ann, "state", "error", "sent_at") == ("failed", words, None)
    assert [status for (status,) in office.rows(automation_recipients, "status")] == [
        "failed",
        "pending",
    ]
    assert office.rows(end_users, "last_contacted_at") == [(None,)]


def test_a_temporary_failure_is_tried_again_later_until_it_is_final(office: PostOffice) -> None:
    """Each try waits twice as long as the last; after ten the row fails with the server's words."""
    server = Refusing(TemporaryFailure("451 greylisted"))
    [ann] = office.enroll(office.series(), office.contact("Ann"))
    for attempt in range(1, MOST_ATTEMPTS):
        [outcome] = office.lease_and_send(server)
        due = office.now + timedelta(minutes=2 ** (attempt - 1))
        assert (outcome.result, outcome.reason) == (RowResult.RETRIED, "451 greylisted")
        assert office.row(ann, "status", "attempts", "scheduled_for") == ("pending", attempt, due)
        assert office.message(ann, "state") == ()
        assert office.lease_and_send(server) == []
        office.now = due
    [outcome] = office.lease_and_send(server)
    assert (outcome.result, server.asked) == (RowResult.FAILED, MOST_ATTEMPTS)
    assert office.row(ann, "status", "reason") == ("failed", "451 greylisted")
    assert office.message(ann, "state", "error") == ("failed", "451 greylisted")


def test_a_retry_carries_the_same_message_id(office: PostOffice) -> None:
    """The retry has the same Message-ID, so a receiver can recognise a second copy."""
    keys = []

    class Hesitating:
        def send(self, mail: Mail, key: str) -> None:
            keys.append((mail.read()["Message-ID"], key))
            if len(keys) == 1:
                raise TemporaryFailure("try again")

    office.enroll(office.series(HELLO), office.contact("Ann"))
    office.lease_and_send(Hesitating())
    office.wait(minutes=1)
    office.lease_and_send(Hesitating())
    assert len(keys) == 2
    assert len({*keys, (keys[0][1], keys[0][1])}) == 1


def _pause(office: PostOffice, series: UUID, _contact: UUID) -> None:
    def paused(work: Work) -> None:
        lock_series_for_change(work)

    office.transact(paused)
    office.change(automations, series, status="paused")


def _suppress(office: PostOffice, _series: UUID, _contact: UUID) -> None:
    values = {"org_id": office.org_id, "address": "ann@a.example", "bounced_at": NOW}
    with office.database.begin() as connection:
        connection.execute(insert(suppressions).values(values))


def _unsubscribe(office: PostOffice, _series: UUID, contact: UUID) -> None:
    members = subscription_members
    with office.database.begin() as connection:
        connection.execute(delete(members).where(members.c.end_user_id == contact))


def _move(office: PostOffice, _series: UUID, contact: UUID) -> None:
    office.change(end_users, contact, email="ann@b.example")


def _lose_the_address(office: PostOffice, _series: UUID, contact: UUID) -> None:
    office.change(end_users, contact, email=None)


@pytest.mark.parametrize("change", [_pause, _suppress, _unsubscribe, _move, _lose_the_address])
def test_what_no_longer_holds_before_the_intent_stops_the_email(
    office: PostOffice, change: Any
) -> None:
    """Pause, suppression, list and address are checked again; the row waits untried."""
    list_id = office.transact(_new_list)
    series = office.series(audience_type="subscription", subscription_id=list_id)
    bob, ann = office.contact("Bob"), office.contact("Ann", email="Ann@a.example")
    for contact in (bob, ann):
        office.transact(partial(_subscribe, list_id=list_id, contact=contact))
    rows = office.enroll(series, bob, ann)
    letters = Interrupted(lambda: change(office, series, ann))
    outcomes = office.lease_and_send(letters)
    assert [each.result for each in outcomes] == [RowResult.SENT, RowResult.RELEASED]
    assert [message["To"] for message in letters.sent] == ["bob@a.example"]
    assert office.row(rows[1], "status", "attempts", "scheduled_for") == ("pending", 0, NOW)
    assert office.message(rows[1], "state") == ()


def _new_list(work: Work) -> UUID:
    values = {"org_id": work.org_id, "key": "newsletter", "created_at": NOW}
    made = insert(subscriptions).values(values).returning(subscriptions.c.id)
    list_id: UUID = work.connection.execute(made).scalar_one()
    return list_id


def _subscribe(work: Work, *, list_id: UUID, contact: UUID) -> None:
    work.connection.execute(
        insert(subscription_members).values(
            org_id=work.org_id, end_user_id=contact, subscription_id=list_id, subscribed_at=NOW
        )
    )


def test_a_run_that_was_ended_meanwhile_gets_nothing_and_stays_ended(office: PostOffice) -> None:
    """An exit between lease and intent is final: no mail, no ledger entry, no next step."""
    bob, ann = office.contact("Bob"), office.contact("Ann")
    rows = office.enroll(office.series(HELLO), bob, ann)
    letters = Interrupted(lambda: office.transact(lambda work: _exit(work, ann)))
    outcomes = office.lease_and_send(letters)
    assert [each.result for each in outcomes] == [RowResult.SENT, RowResult.RELEASED]
    assert office.row(rows[1], "status", "exit_reason") == ("exited", "manual")
    assert office.message(rows[1], "state") == ()
    assert len(office.rows(automation_recipients, "id")) == 2


def test_an_intent_waits_for_an_exit_that_is_being_committed(office: PostOffice) -> None:
    """An exit that began first wins: no intent is recorded beside it."""
    bob, ann = office.contact("Bob"), office.contact("Ann")
    office.enroll(office.series(HELLO), bob, ann)
    begun, over = Event(), Event()

    def exit_slowly(work: Work) -> None:
        _exit(work, ann)
        begun.set()
        while not _somebody_waits(office.database):
            assert not over.is_set()

    with ThreadPoolExecutor(1) as worker:

        def exit_meanwhile() -> None:
            worker.submit(office.transact, exit_slowly)
            begun.wait(timeout=120)

        letters = Interrupted(exit_meanwhile)
        outcomes = office.lease_and_send(letters)
        over.set()
    assert [each.result for each in outcomes] == [RowResult.SENT, RowResult.RELEASED]
    assert [message["To"] for message in letters.sent] == ["bob@a.example"]


@pytest.mark.parametrize(
    ("answer", "entry"), [(ServerDown("gone"), ()), (PermanentFailure("550 no"), ("failed",))]
)
def test_what_did_not_leave_is_known_though_the_run_ended_meanwhile(
    office: PostOffice, answer: Exception, entry: tuple[str, ...]
) -> None:
    """If a run ends while its mail is under way, the server's answer is still noted, and the
    outcome is not unknown.
    """
    ann = office.contact("Ann")
    [row] = office.enroll(office.series(HELLO), ann)

    class Overtaken(Refusing):
        def send(self, mail: Mail, key: str) -> None:
            office.transact(lambda work: _exit(work, ann))
            super().send(mail, key)

    office.lease_and_send(Overtaken(answer))
    office.reap_expired()
    assert office.row(row, "status") == ("exited",)
    assert office.message(row, "state") == entry


def test_an_intent_that_had_to_wait_looks_at_stops_again(office: PostOffice) -> None:
    """A stop that is committed while an intent waits holds that email too."""
    office.enroll(office.series(HELLO), office.contact("Ann"))
    token, letters = uuid4(), MemoryTransport()
    sends = office.lease(token)
    with ThreadPoolExecutor(1) as worker, office.database.connect() as other:
        pausing = open_work(other, OrgRef(id=office.org_id), office.now)
        lock_series_for_change(pausing)
        sent = worker.submit(office.send, token, sends, letters)
        while not _somebody_waits(office.database):
            assert not sent.done()
        with office.database.begin() as connection:
            stop_sending(connection, pausing.org.key, "Pat")
        other.commit()
        [outcome] = sent.result(timeout=120)
    assert (outcome.result, letters.sent) == (RowResult.RELEASED, [])


def test_a_stop_ends_the_batch_at_once(office: PostOffice) -> None:
    """After the first email that meets the stop, no other is tried."""
    counts = []
    for size in (5, 25):
        series = office.series(HELLO)
        office.enroll(series, *[office.contact(f"C{size}x{number}") for number in range(size)])
        token = uuid4()
        sends = office.lease(token)
        with office.database.begin() as connection:
            stop_sending(connection, _key(office), "Pat")
        counts.append(_statements(office, token, sends))
        with office.database.begin() as connection:
            start_sending(connection, _key(office))
            connection.execute(
                delete(automation_recipients).where(automation_recipients.c.org_id == office.org_id)
            )
    assert counts[0] == counts[1]


def _key(office: PostOffice) -> str:
    return office.transact(lambda work: work.org.key)


def _exit(work: Work, contact: UUID) -> None:
    [series] = load_series(work.connection, work.org_id, work.org.hours)
    record_exits(work, [Exit(series, contact, 1, ExitReason.MANUAL)])


def _somebody_waits(database: Engine) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN"
        " (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
    )
    with database.connect() as connection:
        return bool(connection.execute(waiting).scalar_one())


def test_an_exit_while_the_email_is_under_way_keeps_the_ledger_true(office: PostOffice) -> None:
    """A run that ends between intent and outcome stays ended, and its email was sent."""
    contact = office.contact("Ann")
    [ann] = office.enroll(office.series(), contact)

    def leave() -> None:
        office.transact(lambda work: _exit(work, contact))
        office.reap_expired()
        assert office.message(ann, "state") == ("unknown",)

    office.lease_and_send(Interrupted(leave))
    assert office.message(ann, "state") == ("sent",)
    assert office.rows(automation_recipients, "status", "exit_reason") == [("exited", "manual")]


def test_only_the_holder_of_the_lease_sends(office: PostOffice) -> None:
    """Another token sends nothing, and does not take the rows from the lease's holder."""
    series = office.series(HELLO)
    office.enroll(series, office.contact("Ann"), office.contact("Bob"))
    mine, letters, forged = uuid4(), MemoryTransport(), MemoryTransport()
    sends = office.lease(mine)
    assert {each.result for each in office.send(uuid4(), sends, forged)} == {RowResult.RELEASED}
    assert forged.sent == []
    assert {each.result for each in office.send(mine, sends, letters)} == {RowResult.SENT}
    assert len(letters.sent) == 2


def test_a_worker_that_wakes_up_too_late_leaves_the_rows_to_their_next_holder(
    office: PostOffice,
) -> None:
    """A worker whose lease ran out sends and finishes nothing more; what it sent is in the send
    log.
    """
    rows = office.enroll(office.series(), office.contact("Bob"), office.contact("Ann"))
    next_token = uuid4()

    def sleep_through_the_lease() -> None:
        office.reap_expired()
        assert len(office.lease(next_token)) == 1

    letters = Interrupted(sleep_through_the_lease)
    outcomes = office.lease_and_send(letters)
    assert [each.result for each in outcomes] == [RowResult.SENT, RowResult.RELEASED]
    assert [message["To"] for message in letters.sent] == ["bob@a.example"]
    assert office.row(rows[0], "status", "reason") == ("failed", "outcome_unknown")
    assert office.message(rows[0], "state") == ("sent",)
    assert office.row(rows[1], "status", "lease_token") == ("processing", next_token)


def test_no_intent_is_made_under_a_lease_that_ran_out(office: PostOffice) -> None:
    """A row that the reaper may take at any moment is given back instead of being sent."""
    rows = office.enroll(office.series(), office.contact("Bob"), office.contact("Ann"))
    letters = Interrupted(office.let_leases_expire)
    outcomes = office.lease_and_send(letters)
    assert [each.result for each in outcomes] == [RowResult.SENT, RowResult.RELEASED]
    assert [office.row(row, "status", "attempts") for row in rows] == [
        ("completed", 1),
        ("pending", 0),
    ]


def test_two_workers_at_once_send_every_row_once(office: PostOffice) -> None:
    """Two ticks that lease and send side by side share the rows, and no row is sent twice."""
    contacts = [office.contact(f"C{number}") for number in range(40)]
    office.enroll(office.series(HELLO), *contacts)
    letters = MemoryTransport()

    def work_off() -> None:
        token = uuid4()
        while sends := office.lease(token, limit=5):
            office.send(token, sends, letters)
            token = uuid4()

    with ThreadPoolExecutor(2) as workers:
        for done in [workers.submit(work_off) for _ in range(2)]:
            done.result()
    assert sorted(message["To"] for message in letters.sent) == sorted(
        f"c{number}@a.example" for number in range(40)
    )
    assert set(office.rows(automation_recipients, "status")) == {("completed",)}


def test_a_transport_that_breaks_leaves_one_email_unknown_and_the_rest_as_it_was(
    office: PostOffice,
) -> None:
    """Sent rows finish, rows not begun are given back, and the guarantee decides about the one
    under way.
    """
    series = office.series(HELLO)
    rows = office.enroll(series, *[office.contact(name) for name in ("Ann", "Bob", "Cyd")])

    class Breaking:
        def __init__(self) -> None:
            self.asked = 0

        def send(self, message: Any, key: str) -> None:  # noqa: ARG002
            self.asked += 1
            if self.asked == 2:
                raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        office.lease_and_send(Breaking())
    assert [office.row(row, "status", "attempts") for row in rows] == [
        ("completed", 1),
        ("failed", 1),
        ("pending", 0),
    ]
    assert [office.message(row, "state") for row in rows] == [("sent",), ("unknown",), ()]


@pytest.mark.parametrize(
    ("stop", "state"),
    [
        (SystemExit(), ("failed", "outcome_unknown", 1)),
        (NotHandedOver(), ("pending", None, 0)),
    ],
)
def test_a_worker_that_is_told_to_stop_leaves_no_lease(
    office: PostOffice, stop: SystemExit, state: tuple[Any, ...]
) -> None:
    """The email under way is settled by its known outcome; the rest is given back untried."""
    rows = office.enroll(office.series(HELLO), office.contact("Ann"), office.contact("Bob"))
    with pytest.raises(SystemExit):
        office.lease_and_send(Refusing(stop))
    assert office.row(rows[0], "status", "reason", "attempts") == state
    assert office.row(rows[1], "status", "reason", "attempts") == ("pending", None, 0)
    assert office.message(rows[0], "state") == (("unknown",) if state[0] == "failed" else ())


@pytest.mark.parametrize(
    ("subject", "email", "reason"),
    [
        ("Hi {{ nickname }}", "ann@a.example", "field: ‘nickname’ is unknown"),
        ("Hi {{ name", "ann@a.example", "merge field: ‘{{ name’ is not a merge field"),
        ("Hi", "ann@a.example\r\nBcc: eve@b.example", "The part after the @-sign"),
        ("Hi", "änn@a.example", "‘änn@a.example’: the part before the @-sign is not ASCII"),
    ],
)
def test_an_email_that_cannot_be_written_fails_alone(
    office: PostOffice, subject: str, email: str, reason: str
) -> None:
    """A broken template or address fails its own row, and the batch goes on."""
    broken = office.series({"subject": subject, "body": ""})
    [bad] = office.enroll(broken, office.contact("Ann", email=email))
    [good] = office.enroll(office.series(HELLO), office.contact("Bob"))
    letters = MemoryTransport()
    results = {each.recipient_id: each for each in office.lease_and_send(letters)}
    assert (results[bad].result, results[good].result) == (RowResult.FAILED, RowResult.SENT)
    assert str(results[bad].reason).startswith(f"the message cannot be written: {reason}")
    assert office.row(bad, "status", "reason") == ("failed", results[bad].reason)
    assert office.message(bad, "state") == ()


def test_marketing_without_a_footer_is_not_sent(office: PostOffice) -> None:
    """No marketing is sent without a footer, even if it was removed after activation."""
    with office.database.begin() as connection:
        connection.execute(
            organizations.update()
            .where(organizations.c.id == office.org_id)
            .values(company_footer=None)
        )
    [ann] = office.enroll(office.series(HELLO, kind="marketing"), office.contact("Ann"))
    office.lease_and_send(MemoryTransport())
    assert office.row(ann, "status", "reason") == (
        "failed",
        "Marketing emails require a company footer.",
    )


def test_marketing_carries_the_footer(office: PostOffice) -> None:
    """Both parts of a marketing email end in the company's footer; a transactional one has none."""
    letters = MemoryTransport()
    office.enroll(office.series(HELLO, kind="marketing"), office.contact("Ann"))
    office.enroll(office.series(HELLO), office.contact("Bob"))
    office.lease_and_send(letters)
    carried = {
        message["To"]: [part.get_content().count("Acme Inc") for part in message.iter_parts()]
        for message in letters.sent
    }
    assert carried == {"ann@a.example": [1, 1], "bob@a.example": [0, 0]}


def test_each_further_email_costs_the_same_few_statements(office: PostOffice) -> None:
    """A batch takes a fixed number of statements, and three more for every email in it."""
    series = office.series(HELLO, BYE)
    counts = []
    for size in (1, 2, 6):
        names = [f"C{size}x{number}" for number in range(size)]
        office.enroll(series, *[office.contact(name) for name in names])
        token = uuid4()
        sends = office.lease(token)
        assert len(sends) == size
        counts.append(_statements(office, token, sends))
    one = counts[0]
    assert counts == [one, one + 3, one + 15]


def _statements(office: PostOffice, token: UUID, sends: Any) -> int:
    seen = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(office.database, "before_cursor_execute", note)
    try:
        office.send(token, sends, MemoryTransport())
    finally:
        event.remove(office.database, "before_cursor_execute", note)
    return len(seen)
