"""What dead workers leave behind (contract §9)."""

from itertools import islice
from uuid import uuid4

import pytest
from sqlalchemy import insert

from halo_engine.mail.sending.intent import Wanted, intending
from halo_engine.mail.sending.leases import MOST_ATTEMPTS
from halo_engine.mail.sending.reap import reap
from halo_engine.mail.transports.transports import (
    Mail,
    MemoryTransport,
    PermanentFailure,
    ServerDown,
)
from halo_engine.pipeline.due import PostOffice as Post
from halo_engine.pipeline.settle import tick
from halo_engine.tables import automation_recipients, automations, end_users, messages
from tests.mail.post_office import BYE, HELLO, SENDER, Interrupted, Mortal, PostOffice

AT_MOST_ONCE, AT_LEAST_ONCE = "at_most_once", "at_least_once"

#: Where a worker with two emails can die: before a transaction, before its commit and after it,
#: before an email is out and after. Beside each point what the ledger says of the two emails then,
#: and how many copies of each are out.
POINTS = {
    "before gathering": ((), (), 0, 0),
    "gathering": ((), (), 0, 0),
    "gathered": ((), (), 0, 0),
    "announcing the first": ((), (), 0, 0),
    "before the first intent": ((), (), 0, 0),
    "noting the first intent": ((), (), 0, 0),
    "intended the first": (("intended",), (), 0, 0),
    "before sending the first": (("intended",), (), 0, 0),
    "sent the first": (("intended",), (), 1, 0),
    "done with the first": (("intended",), (), 1, 0),
    "announcing the second": (("intended",), (), 1, 0),
    "before its outcome and the second intent": (("intended",), (), 1, 0),
    "noting both": (("intended",), (), 1, 0),
    "intended the second": (("sent",), ("intended",), 1, 0),
    "before sending the second": (("sent",), ("intended",), 1, 0),
    "sent the second": (("sent",), ("intended",), 1, 1),
    "done with the second": (("sent",), ("intended",), 1, 1),
    "before closing": (("sent",), ("intended",), 1, 1),
    "closing": (("sent",), ("intended",), 1, 1),
    "closed": (("sent",), ("sent",), 1, 1),
}


@pytest.mark.parametrize("guarantee", [AT_MOST_ONCE, AT_LEAST_ONCE])
@pytest.mark.parametrize("point", POINTS)
def test_wherever_a_worker_dies_the_guarantee_holds_and_nobody_is_stuck(
    office: PostOffice, point: str, guarantee: str
) -> None:
    """Only the email under way has an unknown outcome, and the guarantee decides about it."""
    series = office.series(settings={"delivery_guarantee": guarantee})
    rows = office.enroll(series, office.contact("Ann"), office.contact("Bob"))
    token = uuid4()
    worker = Mortal(office, dies_at=list(POINTS).index(point) + 1)
    assert not worker.work_off(token, office.lease(token))
    *states, first_out, second_out = POINTS[point]
    assert [office.message(row, "state") for row in rows] == states
    assert _copies_out(worker.letterbox) == [first_out, second_out]

    _go_on(office, worker.letterbox)
    for row, state, out, copies in zip(
        rows, states, (first_out, second_out), _copies_out(worker.letterbox), strict=True
    ):
        unknown = state == ("intended",)
        if unknown and guarantee == AT_MOST_ONCE:
            assert copies == out
            assert office.row(row, "status", "reason") == ("failed", "outcome_unknown")
            assert office.message(row, "state") == ("unknown",)
        else:
            assert copies == (out + 1 if unknown else 1)
            assert office.row(row, "status", "reason") == ("completed", None)
            assert office.message(row, "state") == ("sent",)
    assert len({message["Message-ID"] for message in worker.letterbox.sent}) == sum(
        copies > 0 for copies in _copies_out(worker.letterbox)
    )
    assert len(office.rows(automation_recipients, "id")) == 4


def test_a_worker_that_does_not_die_passes_every_point(office: PostOffice) -> None:
    """The list of points is complete."""
    office.enroll(office.series(), office.contact("Ann"), office.contact("Bob"))
    token = uuid4()
    worker = Mortal(office, dies_at=len(POINTS) + 1)
    assert worker.work_off(token, office.lease(token))
    assert worker.points == len(POINTS)


def _copies_out(letters: MemoryTransport) -> list[int]:
    addresses = [message["To"] for message in letters.sent]
    return [addresses.count(address) for address in ("ann@a.example", "bob@a.example")]


def _go_on(office: PostOffice, letters: MemoryTransport) -> None:
    """Reap, and send what is due again now and a minute later, as the next ticks do."""
    office.reap_expired()
    office.lease_and_send(letters)
    office.wait(minutes=1)
    office.lease_and_send(letters)


def test_before_the_intent_nothing_is_lost_and_no_attempt_is_used_up(office: PostOffice) -> None:
    """A lease that ran out without an intent gives its row back as it was."""
    [ann] = office.enroll(office.series(), office.contact("Ann"))
    before = office.row(ann, "status", "scheduled_for", "attempts", "lease_token")
    office.lease(uuid4())
    assert office.reap_expired() == 1
    assert office.row(ann, "status", "scheduled_for", "attempts", "lease_token") == before


def test_a_lease_that_still_runs_is_left_alone(office: PostOffice) -> None:
    """The reaper takes nothing from a worker that is alive."""
    [ann] = office.enroll(office.series(), office.contact("Ann"))
    token = uuid4()
    office.lease(token)
    assert office.transact(lambda work: reap(work, 100)) == 0
    assert office.row(ann, "status", "lease_token") == ("processing", token)


def test_what_was_sent_is_finished_with_the_instant_of_sending(office: PostOffice) -> None:
    """A row whose email went out long before it is reaped stamps its contact with that instant."""
    [ann] = office.enroll(office.series(), office.contact("Ann"))
    office.lease(uuid4())
    sent_at = office.now
    _write_entry(office, ann, state="sent", sent_at=sent_at)
    office.wait(minutes=10)
    office.reap_expired()
    assert office.row(ann, "status", "finished_at") == ("completed", office.now)
    assert office.rows(end_users, "last_contacted_at") == [(sent_at,)]


def test_what_a_late_worker_sent_is_not_waited_for(office: PostOffice) -> None:
    """A row that was given back finishes once if its email turns out to be sent."""
    series = office.series(HELLO, settings={"delivery_guarantee": AT_LEAST_ONCE})
    [ann] = office.enroll(series, office.contact("Ann"))
    token, letters = uuid4(), MemoryTransport()
    late = Interrupted(office.reap_expired)
    office.send(token, office.lease(token), late)
    assert office.row(ann, "status") == ("pending",)
    assert office.message(ann, "state") == ("sent",)
    office.wait(minutes=1)
    ticking = tick(office.transact, Post(letters, SENDER, office.throttle))
    assert len(list(islice(ticking, 3))) == 1
    assert office.row(ann, "status") == ("completed",)
    assert letters.sent == []


def test_what_failed_is_finished_with_the_words_that_were_noted(office: PostOffice) -> None:
    """An email with a recorded refusal is not sent again."""
    [ann] = office.enroll(office.series(), office.contact("Ann"))
    office.lease(uuid4())
    _write_entry(office, ann, state="failed", error=PermanentFailure("550 no").reason)
    office.reap_expired()
    assert office.row(ann, "status", "reason") == ("failed", "550 no")


def test_an_email_that_kills_every_worker_is_given_up_in_the_end(office: PostOffice) -> None:
    """``at_least_once`` sends again ten times, each pause twice the last; then the row fails."""
    series = office.series(settings={"delivery_guarantee": AT_LEAST_ONCE})
    [ann] = office.enroll(series, office.contact("Ann"))
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert office.row(ann, "status", "attempts") == ("pending", attempt - 1)
        token = uuid4()
        dies_after_the_intent = Mortal(office, list(POINTS).index("intended the first") + 1)
        assert not dies_after_the_intent.work_off(token, office.lease(token))
        office.reap_expired()
        office.wait(minutes=2 ** (attempt - 1))
    assert office.row(ann, "status", "reason") == ("failed", "outcome_unknown")
    assert office.message(ann, "state") == ("unknown",)


def test_a_manual_series_completes_when_its_last_row_is_reaped(office: PostOffice) -> None:
    """The reaper's finish is a finish like any other."""
    office.enroll(office.series(BYE, entry_trigger="manual"), office.contact("Ann"))
    token = uuid4()
    died = Mortal(office, list(POINTS).index("intended the first") + 1)
    died.work_off(token, office.lease(token))
    office.reap_expired()
    assert office.rows(automations, "status") == [("completed",)]


def test_reaping_takes_as_many_as_it_is_told(office: PostOffice) -> None:
    """A large backlog of dead leases is settled batch by batch."""
    office.enroll(office.series(HELLO), *[office.contact(f"C{number}") for number in range(5)])
    office.lease(uuid4())
    assert [office.reap_expired(limit=2) for _ in range(4)] == [2, 2, 1, 0]


def _write_entry(office: PostOffice, recipient_id: int, **values: object) -> None:
    """Write what a worker noted before it died."""
    of_row = ("org_id", "end_user_id", "automation_id", "enrollment_number", "step_id")
    entry = dict(zip(of_row, office.row(recipient_id, *of_row), strict=True)) | {
        "recipient_id": recipient_id,
        "message_id": f"<{recipient_id}@acme.example>",
        "to_address": "ann@a.example",
        "intended_at": office.now,
        **values,
    }
    with office.database.begin() as connection:
        connection.execute(insert(messages).values(entry))


@pytest.mark.parametrize("answer", [ServerDown("gone"), PermanentFailure("550 no")])
def test_a_late_worker_says_nothing_of_anothers_intent(
    office: PostOffice, answer: Exception
) -> None:
    """A late worker's failure does not change a row that another worker leased since."""
    series = office.series(HELLO, settings={"delivery_guarantee": AT_LEAST_ONCE})
    [ann] = office.enroll(series, office.contact("Ann"))

    class Late:
        def send(self, mail: Mail, key: str) -> None:
            office.reap_expired()
            office.wait(minutes=1)
            second = uuid4()
            office.lease(second)
            wanted = Wanted(office.org_id, ann, second, mail.recipient, key)
            with office.transact.kept_connection() as at_once:
                [intended] = at_once([intending(wanted, office.now)])
            assert intended == [{"message_id": key}]
            raise answer

    token = uuid4()
    office.send(token, office.lease(token), Late())
    assert office.message(ann, "state") == ("intended",)
    assert office.row(ann, "status") == ("processing",)
