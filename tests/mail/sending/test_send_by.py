"""An email that has not left in time is skipped, whatever kept it back (contract §20)."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy
from sqlalchemy import select, update

from halo_engine.answers.explain.explain import explain
from halo_engine.answers.reports.funnel import funnel
from halo_engine.contacts.finding import find_contacts
from halo_engine.mail.sending.stops import start_sending, stop_sending
from halo_engine.mail.transports.transports import (
    Mail,
    MemoryTransport,
    ServerDown,
    TemporaryFailure,
)
from halo_engine.pipeline.due import PostOffice as Post
from halo_engine.pipeline.settle import tick
from halo_engine.series.lifecycle import find_series
from halo_engine.tables import automation_recipients, automation_steps, messages
from halo_engine.work import Work
from tests.mail.post_office import SENDER, PostOffice
from tests.pipeline.sandbox import Sandbox, new_sandbox

_numbers = count(1)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
IN_TIME: dict[str, Any] = {"key": "a", "send_by": "6h", "email": {"subject": "A", "body": "A"}}
NEXT: dict[str, Any] = {"key": "b", "email": {"subject": "B", "body": "B"}}
#: Step, status and reason of a row.
Seen = tuple[str, str, str | None]
#: What becomes of a run whose first email was too late.
TOO_LATE: list[Seen] = [("a", "skipped", "too_late"), ("b", "completed", None)]
SENT: list[Seen] = [("a", "completed", None), ("b", "completed", None)]


@pytest.fixture
def sandbox(shared_database: sqlalchemy.Engine) -> Sandbox:
    """An organisation of the test's own, with a series of two emails."""
    made = new_sandbox(shared_database, f"send-by-{next(_numbers)}-{uuid4()}")
    made.series("s", steps=[IN_TIME, NEXT])
    return made


def rows(sandbox: Sandbox) -> list[Seen]:
    """Return step, status and reason of every row, in order."""
    of, step = automation_recipients, automation_steps
    found = (
        select(step.c.key, of.c.status, of.c.reason)
        .join(step, (step.c.org_id == of.c.org_id) & (step.c.id == of.c.step_id))
        .order_by(of.c.id)
    )
    return sandbox.perform(
        lambda work: [
            (row.key, row.status, row.reason)
            for row in work.connection.execute(found.where(of.c.org_id == work.org_id))
        ]
    )


def enter(sandbox: Sandbox, *names: str) -> None:
    """Let contacts enter; what is due is handled."""
    sandbox.signal(sandbox.contacts(names))
    sandbox.settle()


def counted(sandbox: Sandbox) -> dict[str, int]:
    """Return how many rows the funnel counts as skipped at the first step, by reason."""
    found = sandbox.perform(lambda work: funnel(work, find_series(work, "s")))
    return dict(found.steps[0].skipped)


def explained(sandbox: Sandbox, name: str) -> list[tuple[str, str]]:
    """Return the mails that a contact did not get, each with its reason, as explain says them."""

    def asked(work: Work) -> list[tuple[str, str]]:
        [found] = explain(work, find_series(work, "s"), find_contacts(work, [name]))
        return [(each.step, each.reason) for each in found.failed_mails]

    return sandbox.perform(asked)


class Acting(MemoryTransport):
    """A transport that does something before it takes a mail."""

    def __init__(self, acts: Callable[[], None]) -> None:
        super().__init__()
        self._acts = acts

    def send(self, mail: Mail, key: str) -> None:
        """Act, then send."""
        self._acts()
        super().send(mail, key)


def test_a_stop_of_all_mail_makes_it_too_late(sandbox: Sandbox) -> None:
    """The row waits while mail is stopped. Exactly in time it is sent; later its run goes on
    without it.
    """
    key = sandbox.org.key
    sandbox.perform(lambda work: stop_sending(work.connection, key, "eve"))
    enter(sandbox, "ann")
    sandbox.now += SECOND
    enter(sandbox, "bob")
    sandbox.tick(6 * HOUR)
    assert rows(sandbox) == [("a", "pending", None)] * 2
    sandbox.perform(lambda work: start_sending(work.connection, key))
    sandbox.tick()
    assert sorted(rows(sandbox), key=str) == sorted(TOO_LATE + SENT, key=str)
    assert counted(sandbox) == {"too_late": 1}
    assert explained(sandbox, "ann") == [("a", "too_late")]
    assert explained(sandbox, "bob") == []
    sent = [(mail["To"], mail["Subject"]) for mail in sandbox.transport.sent]
    assert sorted(sent) == [
        ("ann@a.example", "B"),
        ("bob@a.example", "A"),
        ("bob@a.example", "B"),
    ]


@pytest.mark.parametrize("answer", [TemporaryFailure("450 later"), ServerDown("no answer")])
def test_tries_that_fail_are_counted_from_when_it_was_due_first(
    sandbox: Sandbox, answer: Exception
) -> None:
    """A server that puts it off, or is away, moves the row; it does not begin the time anew."""
    is_away = True

    def refuse() -> None:
        if is_away:
            raise answer

    sandbox.transport = Acting(refuse)
    enter(sandbox, "ann")
    for _ in range(12):
        sandbox.tick(HOUR / 2)
    assert rows(sandbox) == [("a", "pending", None)]
    is_away = False
    # The pause between two tries may be as long; the row is looked at when it is over.
    sandbox.tick(6 * HOUR)
    assert rows(sandbox) == TOO_LATE
    assert [mail["Subject"] for mail in sandbox.transport.sent] == ["B"]


def test_it_is_asked_again_where_the_intent_is_committed(sandbox: Sandbox) -> None:
    """What becomes too late while others of its batch are sent is not sent any more."""

    def dawdle() -> None:
        sandbox.now += 6 * HOUR + SECOND

    sandbox.transport = Acting(dawdle)
    enter(sandbox, "ann", "bob")
    sandbox.transport = MemoryTransport()
    sandbox.tick()
    ends = [(step, status, reason) for step, status, reason in rows(sandbox) if step == "a"]
    assert sorted(ends, key=str) == [("a", "completed", None), ("a", "skipped", "too_late")]
    sent = sandbox.perform(
        lambda work: work.connection.scalars(
            select(messages.c.state).where(messages.c.org_id == work.org_id)
        ).all()
    )
    assert list(sent) == ["sent"] * 3


def test_a_worker_that_died_before_its_intent_makes_it_too_late(office: PostOffice) -> None:
    """The lease gives the row back, and the next look asks the time again."""
    [ann, bob] = office.enroll(office.series(), office.contact("Ann"), office.contact("Bob"))
    with office.database.begin() as connection:
        limited = update(automation_steps).values(send_by_seconds=6 * 3600)
        connection.execute(limited.where(automation_steps.c.org_id == office.org_id))
    office.lease(uuid4(), limit=1)
    office.lease_and_send(MemoryTransport())
    office.wait(hours=6, seconds=1)
    office.reap_expired()
    post = Post(MemoryTransport(), SENDER)
    for _ in tick(office.transact, post):
        pass
    ends = {office.row(row, "status", "reason") for row in (ann, bob)}
    assert ends == {("completed", None), ("skipped", "too_late")}
