"""Sending failed emails again when an operator asks for it (contract §5, §9)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, update

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.domain.errors import Refusal, validated
from halo_engine.mail.sending.outcomes import give_up_abandoned
from halo_engine.mail.sending.retrying.retries import (
    RetriedMail,
    RetryCall,
    Verdict,
    one_turn,
    tally,
)
from halo_engine.mail.sending.retrying.retry import retry_failed
from halo_engine.mail.sending.stops import start_sending, stop_sending
from halo_engine.mail.sending.throttle import Throttle
from halo_engine.mail.transports.transports import (
    MemoryTransport,
    OutcomeUnknown,
    PermanentFailure,
    ServerDown,
    TemporaryFailure,
    Transport,
)
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automation_steps,
    automations,
    end_users,
    organizations,
    suppressions,
)
from tests.contacts.sandbox import NOW
from tests.mail.post_office import BYE, SENDER, Interrupted, Killed, PostOffice, Refusing

NO_USER = "550 no such user"


def retry(office: PostOffice, transport: Transport, **call: Any) -> list[tuple[str, str | None]]:
    """Retry the office's only series; return each outcome."""
    found = retry_failed(office.transact, transport, SENDER, named(office, **call), Throttle())
    return [(each.verdict, each.reason) for each in found]


def named(office: PostOffice, **call: Any) -> RetryCall:
    """Return a call that names the office's only series."""
    [(key,)] = office.rows(automations, "key")
    return RetryCall(series=key, **call)


def failed(office: PostOffice, *names: str, **series: Any) -> list[int]:
    """Let the first emails to these contacts fail, with NO_USER; return their rows."""
    series_id = office.series(**series)
    rows = office.enroll(series_id, *[office.contact(name) for name in names])
    while office.lease_and_send(Refusing(PermanentFailure(NO_USER))):
        pass
    assert [office.row(row, "status", "reason") for row in rows] == [("failed", NO_USER)] * len(
        rows
    )
    return rows


def unknown(office: PostOffice) -> int:
    """Let a worker die while it sends; return the row of unknown outcome."""
    [row] = office.enroll(office.series(), office.contact("Ann"))

    class Dying:
        def send(self, message: Any, key: str) -> None:  # noqa: ARG002
            raise Killed

    token = uuid4()
    sends = office.lease(token)
    with pytest.raises(Killed):
        office.send(token, sends, Dying())
    office.reap_expired()
    assert office.row(row, "status", "reason") == ("failed", "outcome_unknown")
    assert office.message(row, "state") == ("unknown",)
    return row


def run_of(office: PostOffice) -> list[tuple[Any, ...]]:
    """Return each run's end, and the rows after the first step."""
    rows = office.rows(automation_recipients, "id", "status", "scheduled_for")
    ends = office.rows(automation_enrollments, "ended_at", "exit_reason")
    first = {row for (row,) in office.rows(automation_recipients, "id")[:1]}
    return [*ends, *[each for each in rows if each[0] not in first]]


def test_a_failed_email_is_sent_beside_its_run(office: PostOffice) -> None:
    """The row is completed, the ledger says sent, the contact was contacted; the run stays where
    it is.
    """
    [row] = failed(office, "Ann")
    before = run_of(office)
    office.wait(hours=2)
    letterbox = MemoryTransport()
    assert retry(office, letterbox) == [("sent", None)]
    [mail] = letterbox.sent
    assert (mail["To"], mail["Subject"]) == ("ann@a.example", "Hello Ann")
    assert mail["Message-ID"] == office.message(row, "message_id")[0]
    assert office.row(row, "status", "reason") == ("completed", None)
    assert office.message(row, "state", "sent_at", "error") == ("sent", office.now, None)
    assert office.rows(end_users, "last_contacted_at") == [(office.now,)]
    assert run_of(office) == before


def test_asked_again_nothing_is_sent_twice(office: PostOffice) -> None:
    """A row whose retry was sent is no longer failed."""
    failed(office, "Ann", "Bob")
    letterbox = MemoryTransport()
    assert len(retry(office, letterbox)) == 2
    assert retry(office, letterbox) == []
    assert len(letterbox.sent) == 2


def test_of_two_operators_one_sends(office: PostOffice) -> None:
    """Both find the rows; whoever records an intent first sends that email."""
    failed(office, *[f"U{number}" for number in range(12)])
    letterbox = MemoryTransport()
    with ThreadPoolExecutor(2) as pool:
        turns = list(pool.map(lambda _: retry(office, letterbox), range(2)))
    addresses = [mail["To"] for mail in letterbox.sent]
    assert sorted(addresses) == sorted(set(addresses))
    assert len(addresses) == 12
    assert {each for turn in turns for each in turn} <= {("sent", None), ("held", "not_wanted")}


def test_one_who_comes_while_it_is_under_way_waits(office: PostOffice) -> None:
    """An email that another operator's retry is sending is not sent again."""
    failed(office, "Ann")
    second: list[Any] = []
    letterbox = MemoryTransport()
    first = Interrupted(lambda: second.extend(retry(office, letterbox, reason=None)))
    assert retry(office, first) == [("sent", None)]
    assert (second, letterbox.sent) == ([], [])


def test_it_may_fail_again(office: PostOffice) -> None:
    """A retried email that fails again has the new reason, and can be retried again."""
    [row] = failed(office, "Ann")
    answer = Refusing(PermanentFailure("550 still nobody"))
    assert retry(office, answer) == [("failed", "550 still nobody")]
    assert office.row(row, "status", "reason") == ("failed", "550 still nobody")
    assert office.message(row, "state", "error") == ("failed", "550 still nobody")
    assert retry(office, MemoryTransport()) == [("sent", None)]


def test_an_address_that_is_put_off_holds_up_nobody(office: PostOffice) -> None:
    """An address that is deferred fails with the server's words, and the others are tried."""
    rows = failed(office, "Ann", "Bob")
    full = Refusing(TemporaryFailure("452 mailbox full"))
    assert retry(office, full) == [("failed", "452 mailbox full")] * 2
    assert [office.row(row, "reason")[0] for row in rows] == ["452 mailbox full"] * 2
    assert len(retry(office, MemoryTransport())) == 2


def test_a_server_that_is_down_ends_it(office: PostOffice) -> None:
    """If the server is down, the retry ends and the row stays failed."""
    [row] = failed(office, "Ann")
    assert retry(office, Refusing(ServerDown("refused"))) == [("stopped", "refused")]
    assert office.row(row, "status", "reason") == ("failed", "refused")
    assert retry(office, MemoryTransport()) == [("sent", None)]


def test_no_answer_leaves_it_unknown(office: PostOffice) -> None:
    """A retry without an answer makes the outcome unknown, and only a further request sends it
    again.
    """
    [row] = failed(office, "Ann")
    silent = Refusing(OutcomeUnknown("no answer"))
    assert retry(office, silent) == [("unknown", "no answer")]
    assert office.row(row, "status", "reason") == ("failed", "outcome_unknown")
    assert office.message(row, "state") == ("unknown",)
    assert retry(office, MemoryTransport()) == []


def test_nothing_is_sent_while_sending_is_stopped(office: PostOffice) -> None:
    """An operator's stop holds retries too, and leaves them as they were."""
    [row] = failed(office, "Ann")
    [org] = office.transact(lambda work: [work.org.key])
    letterbox = MemoryTransport()
    with office.database.begin() as connection:
        stop_sending(connection, org, "ops")
    assert retry(office, letterbox) == [("stopped", "sending is stopped")]
    assert (letterbox.sent, office.row(row, "reason")) == ([], (NO_USER,))
    # Not only for its own sake: other tests ask who is stopped.
    with office.database.begin() as connection:
        start_sending(connection, org)
    assert retry(office, letterbox) == [("sent", None)]


def test_the_unknown_is_sent_only_when_it_is_asked_for(office: PostOffice) -> None:
    """It is retried only if asked for, and keeps its Message-ID: it may arrive twice."""
    row = unknown(office)
    letterbox = MemoryTransport()
    assert retry(office, letterbox) == []
    assert retry(office, letterbox, reason="OUTCOME") == []
    message_id = office.message(row, "message_id")[0]
    assert retry(office, letterbox, reason="outcome_unknown") == [("sent", None)]
    assert [mail["Message-ID"] for mail in letterbox.sent] == [message_id]
    assert office.row(row, "status", "reason") == ("completed", None)
    assert office.message(row, "state") == ("sent",)


@pytest.mark.parametrize("answer", [PermanentFailure("550"), TemporaryFailure("421")])
def test_the_unknown_stays_so_until_it_is_sent(office: PostOffice, answer: Exception) -> None:
    """A refusal now does not tell whether the first try arrived."""
    row = unknown(office)
    retry(office, Refusing(answer), reason="outcome_unknown")
    assert office.row(row, "status", "reason") == ("failed", "outcome_unknown")
    assert office.message(row, "state") == ("unknown",)


def test_the_unknown_stays_so_when_it_cannot_be_written(office: PostOffice) -> None:
    """An email that can no longer be written is not tried, and can be retried later."""
    row = unknown(office)
    write(office, automation_steps, email={"subject": "Hello {{ nme }}", "body": "Hello"})
    [(verdict, _)] = retry(office, MemoryTransport(), reason="outcome_unknown")
    assert verdict == "failed"
    assert office.row(row, "status", "reason") == ("failed", "outcome_unknown")
    write(office, automation_steps, email=BYE)
    assert retry(office, MemoryTransport(), reason="outcome_unknown") == [("sent", None)]


def test_a_worker_that_dies_leaves_it_unknown(office: PostOffice) -> None:
    """Its outcome is unknown, so it is sent again only if that is asked for."""
    [row] = failed(office, "Ann")

    class Dying:
        def send(self, message: Any, key: str) -> None:  # noqa: ARG002
            raise Killed

    with pytest.raises(Killed):
        retry(office, Dying())
    assert office.row(row, "status", "reason") == ("failed", "outcome_unknown")
    assert retry(office, MemoryTransport(), reason="outcome_unknown") == [("held", "not_wanted")]
    office.transact(give_up_abandoned)
    assert office.message(row, "state") == ("unknown",)
    assert retry(office, MemoryTransport()) == []
    assert retry(office, MemoryTransport(), reason="outcome_unknown") == [("sent", None)]


def test_only_what_is_asked_for(office: PostOffice) -> None:
    """Rows are chosen by step, by part of the reason in any case, and by cursor."""
    first, second = failed(office, "Ann", "Bob")
    office.wait(hours=2)
    office.lease_and_send(Refusing(PermanentFailure("552 mailbox_full 100%")))
    letterbox = MemoryTransport()
    assert len(retry(office, letterbox, reason="Mailbox_Full 100%", step="step-1", after=0)) == 2
    assert retry(office, letterbox, reason="mailbox") == []
    assert retry(office, letterbox, step="step-1") == []
    assert retry(office, letterbox, after=second) == []
    assert retry(office, letterbox, after=first) == [("sent", None)]
    assert [mail["To"] for mail in letterbox.sent] == [
        *("ann@a.example", "bob@a.example", "bob@a.example")
    ]
    with pytest.raises(Refusal, match=r"^There is no step ‘none’\.$"):
        retry(office, letterbox, step="none")


# Who is not written to.


def ended(reason: str) -> Callable[[PostOffice], object]:
    """End everybody's run for a reason."""
    return lambda office: write(office, automation_enrollments, ended_at=NOW, exit_reason=reason)


def write(office: PostOffice, table: Any, **values: Any) -> None:
    """Write into all the organisation's rows of a table."""
    with office.database.begin() as connection:
        connection.execute(update(table).where(table.c.org_id == office.org_id).values(**values))


def suppress(office: PostOffice) -> None:
    """Let the contact's address bounce."""
    with office.database.begin() as connection:
        connection.execute(
            insert(suppressions).values(
                org_id=office.org_id, address="ann@a.example", bounced_at=NOW
            )
        )


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (suppress, ("held", "suppressed")),
        (ended("replied"), ("held", "replied")),
        (ended("manual"), ("held", "manual")),
        (ended("completed"), ("sent", None)),
        (lambda office: write(office, end_users, email=None), ("held", "no_email")),
        (lambda office: write(office, automation_steps, removed_at=NOW), ("held", "step_removed")),
        (lambda office: write(office, automations, status="completed"), ("sent", None)),
        (
            lambda office: write(
                office,
                automations,
                settings={"send_window": {"days": ["sun"], "from": "09:00", "to": "10:00"}},
            ),
            ("held", "outside_window"),
        ),
        (
            lambda office: write(office, automations, audience_type="subscription"),
            ("held", "unsubscribed"),
        ),
        (
            lambda office: write(
                office,
                automations,
                audience_type="segment",
                audience_filters=[[{"field": "name", "operator": "is", "value": "Bob"}]],
                settings={"exit_rules": ["segment_leave"]},
            ),
            ("held", "segment_leave"),
        ),
    ],
)
def test_who_would_not_be_sent_it_today_is_not(
    office: PostOffice, happens: Callable[[PostOffice], object], said: tuple[str, str | None]
) -> None:
    """The email is held back with the reason of the exit or the step; the row stays failed."""
    [row] = failed(office, "Ann")
    happens(office)
    assert retry(office, MemoryTransport()) == [said]
    assert office.row(row, "status")[0] == ("completed" if said[0] == "sent" else "failed")


@pytest.mark.parametrize("happens", [suppress, ended("replied")])
def test_what_happens_between_is_seen(
    office: PostOffice, happens: Callable[[PostOffice], object]
) -> None:
    """A change between the first look and the intent is respected: Bob's email is not sent any
    more.
    """
    failed(office, "Bob", "Ann")

    def happen() -> None:
        happens(office)

    transport = Interrupted(happen)
    assert retry(office, transport) == [("sent", None), ("held", "not_wanted")]


@pytest.mark.parametrize("status", ["draft", "paused"])
def test_nothing_is_sent_while_a_series_is_paused(office: PostOffice, status: str) -> None:
    """The 409 says when retries are allowed."""
    failed(office, "Ann")
    write(office, automations, status=status)
    with pytest.raises(Refusal, match=rf"^The series is {status}; emails are sent again while"):
        retry(office, MemoryTransport())


def test_a_text_that_cannot_be_written_fails_again(office: PostOffice) -> None:
    """The outcome says why, and the ledger has no entry; once mended, it is sent."""
    broken = {"subject": "Hello {{ nme }}", "body": "Hello"}
    series = office.series(broken, BYE)
    [row] = office.enroll(series, office.contact("Ann"))
    office.lease_and_send(MemoryTransport())
    [(verdict, reason)] = retry(office, MemoryTransport())
    assert verdict == "failed"
    assert str(reason).startswith("the message cannot be written: field: ‘nme’ is unknown")
    assert office.message(row, "state") == ()
    write(office, automation_steps, email=BYE)
    assert retry(office, MemoryTransport()) == [("sent", None)]
    assert office.message(row, "state") == ("sent",)


def test_more_than_a_page_is_sent(office: PostOffice) -> None:
    """Each once, in order."""
    failed(office, *[f"U{number:03}" for number in range(101)])
    letterbox = MemoryTransport()
    assert retry(office, letterbox) == [("sent", None)] * 101
    addresses = [mail["To"] for mail in letterbox.sent]
    assert addresses == sorted(addresses)


def test_who_is_erased_meanwhile_holds_nobody_up(office: PostOffice) -> None:
    """A contact that is erased before its page gets nothing, and the others are sent."""
    failed(office, *[f"U{number:03}" for number in range(102)])
    [*_, gone, _] = sorted(office.rows(end_users, "name", "external_id"))
    erased = EraseContactCall(contact=gone[1])
    transport = Interrupted(lambda: office.transact(lambda work: erase_contact(work, erased)))
    assert retry(office, transport) == [("sent", None)] * 101


def test_what_a_turn_leaves_is_another_turns(office: PostOffice) -> None:
    """The next turn goes on after the last row that was tried; a server that is down ends the retry
    for good.
    """
    ann, bob = failed(office, "Ann", "Bob")

    def turn(transport: Transport, **call: Any) -> tuple[list[Verdict], int | None]:
        found = retry_failed(office.transact, transport, SENDER, named(office, **call), Throttle())
        taken, after = one_turn(found, lambda: True)
        return [each.verdict for each in taken], after

    assert turn(Refusing(ServerDown("no answer"))) == ([Verdict.STOPPED], None)
    assert turn(MemoryTransport()) == ([Verdict.SENT], ann)
    assert turn(MemoryTransport(), after=ann) == ([Verdict.SENT], bob)
    assert turn(MemoryTransport(), after=bob) == ([], None)


def test_retries_are_counted() -> None:
    """Retries are counted by verdict, and those held back also by reason."""
    retried = [
        RetriedMail(1, Verdict.SENT),
        RetriedMail(2, Verdict.HELD, "replied"),
        RetriedMail(3, Verdict.FAILED, "550"),
        RetriedMail(4, Verdict.STOPPED, "421"),
    ]
    assert tally(RetryCall(series="s"), retried).model_dump() == {
        "series": "s",
        "sent": 1,
        "unknown": 0,
        "failed": 1,
        "held": {"replied": 1},
        "stopped": "421",
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reason": "a\0b"}, "call: reason: ‘a\\x00b’ cannot be stored; allowed is text without "),
        ({"reason": ""}, "call.reason: ‘’ is refused; "),
        ({"after": 2**63}, "call.after: 9223372036854775808 is refused; "),
    ],
)
def test_what_no_row_can_hold_is_refused_before_it_is_looked_for(
    wrong: dict[str, Any], message: str
) -> None:
    """Text with NUL and ids beyond int64 are refused: PostgreSQL would fail on them."""
    with pytest.raises(Refusal) as caught:
        validated(RetryCall, {"series": "news", **wrong}, "call")
    assert caught.value.status == 400
    assert caught.value.message.startswith(message)


def test_caps_hold_a_retry_back_and_are_said(office: PostOffice) -> None:
    """A failed email is not sent again to somebody who has since got as much marketing as caps
    allow (contract §20).
    """
    [row] = failed(office, "Ann")
    call = named(office)
    write(office, automations, kind="marketing")
    caps = [{"at_most": 1, "within": "24h"}]
    is_its = organizations.c.id == office.org_id
    with office.database.begin() as connection:
        connection.execute(update(organizations).where(is_its).values(frequency_caps=caps))
    [contact] = {each for (each,) in office.rows(automation_recipients, "end_user_id")}
    office.enroll(office.series(kind="marketing"), contact)
    office.lease_and_send(MemoryTransport())
    found = retry_failed(office.transact, MemoryTransport(), SENDER, call, Throttle())
    assert [(each.verdict, each.reason) for each in found] == [("held", "frequency_cap")]
    assert office.row(row, "status") == ("failed",)


def test_send_by_holds_a_retry_back_and_is_said(office: PostOffice) -> None:
    """A failed email that is too late today is not sent again, not even if it became so while
    others of its page were sent (contract §20).
    """
    failed(office, "Ann", "Bob", "Cyd")
    write(office, automation_steps, send_by_seconds=3600)
    office.wait(hours=1)
    slow = Interrupted(lambda: office.wait(seconds=1))
    assert retry(office, slow) == [("sent", None), ("held", "too_late"), ("held", "too_late")]
    assert retry(office, MemoryTransport()) == [("held", "too_late"), ("held", "too_late")]


def test_a_cap_that_leads_past_send_by_makes_a_retry_too_late(office: PostOffice) -> None:
    """Whoever got as much marketing as caps allow gets a failed email in time, or not at all; the
    operator hears which, also if the other mail is sent while the retry is under way.
    """
    failed(office, "Ann", "Bob")
    call = named(office)
    write(office, automations, kind="marketing")
    write(office, automation_steps, send_by_seconds=3600)
    is_its = organizations.c.id == office.org_id
    with office.database.begin() as connection:
        caps = [{"at_most": 1, "within": "24h"}]
        connection.execute(update(organizations).where(is_its).values(frequency_caps=caps))
    contacts = dict.fromkeys(each for (each,) in office.rows(automation_recipients, "end_user_id"))
    other = office.series(kind="marketing")

    def sends_another() -> None:
        office.enroll(other, *contacts)
        office.lease_and_send(MemoryTransport())

    found = retry_failed(office.transact, Interrupted(sends_another), SENDER, call, Throttle())
    assert [(each.verdict, each.reason) for each in found] == [("sent", None), ("held", "too_late")]
