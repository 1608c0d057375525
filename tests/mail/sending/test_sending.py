"""Series over a real SMTP server: what arrived, by the server's log, and what the rows say (§9)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import func, select

from halo_engine.answers.operations.status import status
from halo_engine.contacts.consent.lists import UnsubscribeCall, unsubscribe
from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal
from halo_engine.mail.sending.leases import MOST_ATTEMPTS
from halo_engine.mail.sending.stops import show_sending, start_sending, stop_sending
from halo_engine.mail.sending.throttle import LONGEST_PAUSE_SECONDS, Throttle
from halo_engine.mail.transports.transports import (
    OutcomeUnknown,
    PermanentFailure,
    ServerDown,
    TemporaryFailure,
)
from halo_engine.pipeline.due import PostOffice as Post
from halo_engine.pipeline.settle import tick
from halo_engine.tables import (
    automation_recipients,
    bounce_reports,
    end_users,
    installation,
    suppressions,
)
from tests.mail.clock import Clock
from tests.mail.mail_server import Action, MailServer, Manner, mail_server
from tests.mail.post_office import CONDITION, HELLO, SENDER, PostOffice
from tests.mail.transports.test_smtp import ANSWERS

AT_MOST_ONCE, AT_LEAST_ONCE = "at_most_once", "at_least_once"
NAMES = ("Ann", "Bob", "Cyd")
DROP = Manner.DROP


@dataclass
class Worker:
    """One worker process's way of working off what is due, on clocks that the test moves."""

    office: PostOffice
    server: MailServer
    per_second: float | None = None
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        throttle = Throttle(self.per_second, clock=self.clock.read, sleep=self.clock.sleep)
        self.transport = self.server.transport()
        self.post = Post(self.transport, SENDER, throttle)

    def tick(self) -> int:
        """Work off what is due; return how many batches there were."""
        return len(list(tick(self.office.transact, self.post)))

    def go_on(self, ticks: int) -> None:
        """Tick, two minutes between: longer than the breaker's pause and a first retry's."""
        for _ in range(ticks):
            self.tick()
            self.clock.now += LONGEST_PAUSE_SECONDS
            self.office.wait(minutes=2)


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that is well, so far."""
    with mail_server() as server:
        yield server


@pytest.fixture
def worker(office: PostOffice, server: MailServer) -> Iterator[Worker]:
    """A worker at the test's organisation; whatever stops all mail is taken back in the end."""
    worker = Worker(office, server)
    yield worker
    worker.transport.close()
    with office.database.begin() as connection:
        connection.execute(installation.delete())


def enrolled(office: PostOffice, *names: str, guarantee: str = AT_MOST_ONCE) -> list[int]:
    """Put contacts at the only email of a series; return their rows."""
    series = office.series(HELLO, settings={"delivery_guarantee": guarantee})
    return office.enroll(series, *[office.contact(name) for name in names])


def copies(server: MailServer, *names: str) -> list[int]:
    """Return how many messages each of these got."""
    return [server.copies[f"{name.lower()}@a.example"] for name in names]


#: Every answer at every step.
BREAKING = [each[:3] for each in ANSWERS]
BREAKING.append(("text", DROP, OutcomeUnknown))


@pytest.mark.parametrize("guarantee", [AT_MOST_ONCE, AT_LEAST_ONCE])
@pytest.mark.parametrize(("step", "action", "meaning"), BREAKING)
def test_whatever_breaks_once_the_guarantee_holds(
    worker: Worker, step: str, action: Action, meaning: type[Exception], guarantee: str
) -> None:
    """By the server's log no mail arrives twice, or none is missing; other rows are unaffected."""
    rows = enrolled(worker.office, *NAMES, guarantee=guarantee)
    worker.server.once[step].append(action)
    _the_guarantee_holds(worker, rows, step, action, meaning, guarantee)


@pytest.mark.parametrize("guarantee", [AT_MOST_ONCE, AT_LEAST_ONCE])
@pytest.mark.parametrize(
    ("step", "action", "meaning"),
    [each for each in BREAKING if each[0] not in ("greeting", "EHLO")],
)
def test_whatever_breaks_after_the_envelope_went_ahead_the_guarantee_holds(
    office: PostOffice, step: str, action: Action, meaning: type[Exception], guarantee: str
) -> None:
    """The same holds for a later message, whose envelope is sent before its intent."""
    with mail_server(pipelining=True) as server:
        worker = Worker(office, server)
        first, *rows = enrolled(office, "Zoe", *NAMES, guarantee=guarantee)
        server.once[step].extend([lambda: None, action])
        _the_guarantee_holds(worker, rows, step, action, meaning, guarantee)
        assert copies(server, "Zoe") == [1]
        assert office.row(first, "status", "attempts") == ("completed", 1)
        worker.transport.close()


def _the_guarantee_holds(
    worker: Worker,
    rows: list[int],
    step: str,
    action: Action,
    meaning: type[Exception],
    guarantee: str,
) -> None:
    office, server = worker.office, worker.server
    worker.go_on(3)
    ann, *others = copies(server, *NAMES)
    assert others == [1, 1]
    assert [office.row(row, "status", "attempts") for row in rows[1:]] == [("completed", 1)] * 2
    state = office.row(rows[0], "status", "reason", "attempts")
    arrived = 1 if step == "accepted" else 0
    if meaning is ServerDown:
        assert (ann, state) == (1, ("completed", None, 1))
    elif meaning is TemporaryFailure:
        assert (ann, state) == (1, ("completed", None, 2))
    elif issubclass(meaning, PermanentFailure):
        assert (ann, state) == (0, ("failed", str(action), 1))
    elif step == "text" and state == ("completed", None, 1):
        # The drop was seen before the text was ended, so this is known: it was not sent.
        assert ann == 1
    elif guarantee == AT_MOST_ONCE:
        assert (ann, state) == (arrived, ("failed", "outcome_unknown", 1))
        assert office.message(rows[0], "state") == ("unknown",)
    else:
        assert (ann, state) == (arrived + 1, ("completed", None, 2))
    assert len({key for key, _ in server.accepted}) == len(set(server.copies))


def test_an_unknown_outcome_does_not_wait_for_its_lease(worker: Worker) -> None:
    """A live worker settles an unknown outcome at once, and goes on with the batch."""
    office, server = worker.office, worker.server
    rows = enrolled(office, *NAMES)
    server.once["accepted"].append(DROP)
    assert worker.tick() == 1
    assert [office.row(row, "status", "reason") for row in rows] == [
        ("failed", "outcome_unknown"),
        ("completed", None),
        ("completed", None),
    ]


def test_while_the_server_is_down_mail_waits_and_all_else_goes_on(worker: Worker) -> None:
    """No attempts, leases or busy loops; gates and exits go on; then everything arrives once."""
    office, server = worker.office, worker.server
    rows = enrolled(office, *NAMES)
    gate = office.series(CONDITION, HELLO)
    [gated] = office.enroll(gate, office.contact("Dan"))
    before = [office.row(row, "status", "scheduled_for", "attempts", "lease_token") for row in rows]
    server.stop()
    # The emails that find it out, and the gate, which need not wait for that.
    assert worker.tick() == 1
    assert office.row(gated, "status") == ("completed",)
    assert [worker.tick() for _ in range(3)] == [0, 0, 0]
    assert before == [
        office.row(row, "status", "scheduled_for", "attempts", "lease_token") for row in rows
    ]
    [late] = office.enroll(gate, office.contact("Eve"))
    assert worker.tick() == 1
    assert office.row(late, "status") == ("completed",)
    office.change(end_users, _contact_of(office, rows[2]), email=None)
    found = office.transact(status)
    assert (found.due, found.held) == (0, 3)
    assert found.mail_server is not None
    assert found.mail_server.reason == "Connection refused"
    assert found.needs == ("the mail server is down: Connection refused",)

    server.start()
    worker.go_on(1)
    assert copies(server, *NAMES) == [0, 0, 0]  # the pause is not over yet
    worker.go_on(1)
    assert copies(server, *NAMES) == [1, 1, 0]
    assert [office.row(row, "status", "attempts") for row in rows[:2]] == [("completed", 1)] * 2
    assert office.transact(status).mail_server is None


def test_a_server_that_refuses_is_back(worker: Worker) -> None:
    """An outage ends with the server's first answer, even if it refuses the mail."""
    office, server = worker.office, worker.server
    [row] = enrolled(office, "Ann")
    server.stop()
    worker.go_on(1)
    assert office.transact(status).mail_server is not None
    server.start()
    server.by_recipient["ann@a.example"] = "550 no such user"
    worker.go_on(1)
    assert office.row(row, "status", "attempts") == ("failed", 1)
    assert office.transact(status).mail_server is None


@pytest.mark.parametrize(
    ("said", "reason", "is_suppressed"),
    [
        ("550 5.1.1 no such user", "user_unknown", True),
        ("550 no such user", "user_unknown", True),
        ("550 5.7.1 your host is on a blocklist", "blocklist", False),
        ("552 5.2.2 mailbox full", "mailbox_full", False),
    ],
)
def test_a_refused_recipient_is_judged_as_a_bounce(
    worker: Worker, said: str, reason: str, is_suppressed: bool
) -> None:
    """The tables for reports judge it; series of all contacts with the address react."""
    office, server = worker.office, worker.server
    ann, _ = enrolled(office, "Ann", "Bob")
    server.by_recipient["ann@a.example"] = said
    worker.go_on(1)
    assert office.rows(bounce_reports, "recipient_id", "reason") == [(ann, reason)]
    found = [address for (address,) in office.rows(suppressions, "address")]
    assert found == (["ann@a.example"] if is_suppressed else [])


def test_a_refused_text_is_no_bounce(worker: Worker) -> None:
    """A refused text is no bounce, whatever the server's words are."""
    enrolled(worker.office, "Ann")
    worker.server.once["dot"].append("550 5.1.1 no such user")
    worker.go_on(1)
    assert worker.office.rows(bounce_reports, "reason") == []


def _contact_of(office: PostOffice, row: int) -> UUID:
    [contact] = office.row(row, "end_user_id")
    return UUID(str(contact))


def test_a_wrong_password_fails_nobody(office: PostOffice) -> None:
    """Every contact's mail waits for the operator, however long the server refuses the login."""
    with mail_server() as server:
        worker = Worker(office, server)
        rows = enrolled(office, *NAMES)
        server.always["MAIL"] = "535 who are you?"
        worker.go_on(20)
        assert [office.row(row, "status", "attempts") for row in rows] == [("pending", 0)] * 3
        assert server.steps.count("MAIL") == 20
        del server.always["MAIL"]
        worker.go_on(1)
        assert copies(server, *NAMES) == [1, 1, 1]
        worker.transport.close()


def test_one_message_that_breaks_every_session_holds_nobody_up(worker: Worker) -> None:
    """A message that breaks every session is tried after the others, then blamed, and fails after
    ten attempts.
    """
    office, server = worker.office, worker.server
    rows = enrolled(office, *NAMES)
    server.by_recipient["ann@a.example"] = DROP
    worker.go_on(2)
    assert copies(server, *NAMES) == [0, 1, 1]
    assert [office.row(row, "status", "attempts") for row in rows[1:]] == [("completed", 1)] * 2
    for _ in range(MOST_ATTEMPTS):
        office.wait(hours=9)
        worker.tick()
    reason = "the connection broke at RCPT: Connection unexpectedly closed"
    assert office.row(rows[0], "status", "attempts") == ("failed", MOST_ATTEMPTS)
    assert str(*office.row(rows[0], "reason")).startswith(reason)


def test_a_server_that_breaks_off_after_every_text_costs_three(worker: Worker) -> None:
    """Under ``at_most_once`` three outcomes become unknown; then the server counts as down."""
    office, server = worker.office, worker.server
    rows = enrolled(office, *[f"C{number}" for number in range(12)])
    server.always["dot"] = DROP
    worker.tick()
    found = [office.row(row, "status", "attempts") for row in rows]
    assert found == [("failed", 1)] * 3 + [("pending", 0)] * 9


def test_after_an_outage_mail_resumes_at_the_rate(office: PostOffice) -> None:
    """Mail that waited is sent one interval apart, not as a burst."""
    with mail_server() as server:
        worker = Worker(office, server, per_second=4)
        rows = enrolled(office, *[f"C{number}" for number in range(50)])
        server.stop()
        worker.go_on(5)
        server.start()
        left: list[float] = []
        server.always["MAIL"] = lambda: left.append(worker.clock.now)
        worker.tick()
        assert set(server.copies.values()) == {1}
        assert len(left) == len(server.accepted) == 50
        gaps = [after - before for before, after in pairwise(left)]
        assert min(gaps) == max(gaps) == 0.25
        assert {office.row(row, "status", "attempts") for row in rows} == {("completed", 1)}
        assert server.connections == 1
        worker.transport.close()


def test_a_batch_ends_with_its_turn_and_keeps_no_lease(worker: Worker) -> None:
    """A slow server gets what one turn can send; the rest is given back untried."""
    office, server = worker.office, worker.server
    enrolled(office, *[f"C{number}" for number in range(12)])
    leased: list[int] = []

    def a_second_passes() -> None:
        worker.clock.now += 1
        with office.database.connect() as connection:
            leased.append(
                connection.execute(
                    select(func.count()).where(
                        automation_recipients.c.org_id == office.org_id,
                        automation_recipients.c.status == "processing",
                    )
                ).scalar_one()
            )

    server.always["MAIL"] = a_second_passes
    assert worker.tick() == 3
    assert leased == [12] * 5 + [5] * 5 + [2] * 2
    assert office.rows(automation_recipients, "status", "attempts") == [("completed", 1)] * 12


def test_batches_share_one_connection(worker: Worker) -> None:
    """All ticks and turns use the connection of the first message."""
    for batch in range(3):
        enrolled(worker.office, *[f"C{batch}x{number}" for number in range(10)])
        worker.tick()
    assert (worker.server.connections, len(worker.server.accepted)) == (1, 30)


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_stop_holds_a_batch_that_is_under_way(worker: Worker, everywhere: bool) -> None:
    """After it is acknowledged only the message under way arrives; nothing is lost or used up."""
    office, server = worker.office, worker.server
    [org] = office.transact(lambda work: [work.org.key])
    scope = None if everywhere else org
    rows = enrolled(office, *[f"C{number}" for number in range(10)])
    gate = office.series(CONDITION, HELLO)
    acknowledged: list[int] = []

    def stop() -> None:
        run_in_transaction(
            office.database, lambda connection: stop_sending(connection, scope, "Pat")
        )
        acknowledged.append(len(server.accepted))

    server.once["RCPT"].extend([lambda: None, lambda: None, stop])
    worker.tick()
    assert acknowledged == [2]
    assert len(server.accepted) == 3
    found = [office.row(row, "status", "attempts", "lease_token") for row in rows]
    assert found == [("completed", 1, None)] * 3 + [("pending", 0, None)] * 7
    [gated] = office.enroll(gate, office.contact("Dan"))
    assert worker.tick() == 1
    assert office.row(gated, "status") == ("completed",)
    assert worker.tick() == 0
    assert len(server.accepted) == 3
    asked = office.transact(status)
    assert (asked.due, asked.held, asked.needs) == (0, 7, ())
    assert [(each.everywhere, each.by) for each in asked.stopped] == [(everywhere, "Pat")]

    run_in_transaction(office.database, lambda connection: start_sending(connection, scope))
    worker.tick()
    assert set(server.copies.values()) == {1}
    assert {office.row(row, "status", "attempts") for row in rows} == {("completed", 1)}


def test_the_two_stops_are_apart(worker: Worker) -> None:
    """Who starts all mail leaves an organisation's own stop, and the other way round."""
    office, server = worker.office, worker.server
    [org] = office.transact(lambda work: [work.org.key])
    rows = enrolled(office, "Ann")
    with office.database.begin() as connection:
        stop_sending(connection, None, "Pat")
        stop_sending(connection, None, "Kim")
        both = stop_sending(connection, org, "Sam")
    assert [(each.org, each.by) for each in both.stops] == [(None, "Pat"), (org, "Sam")]
    with office.database.begin() as connection:
        left = start_sending(connection, None)
    # Other organisations of this database may be stopped too.
    assert [(each.org, each.by) for each in left.stops if each.org in (None, org)] == [(org, "Sam")]
    worker.tick()
    assert server.accepted == []
    with office.database.begin() as connection:
        assert start_sending(connection, org).stops == ()
        assert not [each for each in show_sending(connection).stops if each.org in (None, org)]
    worker.tick()
    assert office.row(rows[0], "status") == ("completed",)
    with office.database.begin() as connection:
        with pytest.raises(Refusal, match="nobody") as raised:
            stop_sending(connection, "nobody", "Pat")
        assert (raised.value.status, raised.value.code) == (404, "unknown_organisation")


def test_an_unsubscribe_that_is_acknowledged_first_comes_first(worker: Worker) -> None:
    """Who unsubscribed before the intent gets nothing, though the email was leased by then."""
    office, server = worker.office, worker.server
    rows = enrolled(office, *NAMES)

    def bob_leaves() -> None:
        names = {name: user_id for user_id, name in office.rows(end_users, "external_id", "name")}
        office.transact(lambda work: unsubscribe(work, UnsubscribeCall(contact=names["Bob"])))

    server.once["accepted"].append(bob_leaves)
    worker.go_on(2)
    assert copies(server, *NAMES) == [1, 0, 1]
    assert office.row(rows[1], "status", "exit_reason") == ("exited", "suppressed")
    assert office.message(rows[1], "state") == ()
    assert len(office.rows(suppressions, "address")) == 1


def test_an_unknown_outcome_of_an_earlier_attempt_keeps_its_message_id(worker: Worker) -> None:
    """``at_least_once`` sends the same message again, so that a receiver can tell."""
    office, server = worker.office, worker.server
    [row] = enrolled(office, "Ann", guarantee=AT_LEAST_ONCE)
    server.once["accepted"].extend([DROP, DROP])
    worker.go_on(4)
    assert copies(server, "Ann") == [3]
    [key] = {key for key, _ in server.accepted}
    assert office.message(row, "state", "message_id") == ("sent", key)
    assert office.row(row, "attempts") == (3,)
