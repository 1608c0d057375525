"""Two workers deliver webhooks at the same time, and one is killed within a delivery (§14)."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Final

import psutil
import pytest
from sqlalchemy import select, update

from halo_engine.domain.errors import validated
from halo_engine.tables import end_users, webhook_deliveries
from halo_engine.webhooks.endpoint_calls import CreateEndpointCall
from halo_engine.webhooks.endpoints import create_endpoint
from halo_engine.webhooks.posting import CallRules
from tests.acceptance.conftest import Stack
from tests.acceptance.one_stack.test_main_job import WELCOME, draft
from tests.webhooks.receiver import Receiver, Taken, receiving
from workers.doorbell import WEBHOOKS, end_looking
from workers.stack.processes import stack_environment, start_worker
from workers.stack.servers import Servers

#: What each contact's way through the series tells of, in order.
WAY: Final = [
    ("contact.entered", None),
    ("mail.sent", "hello"),
    ("step.done", "hello"),
    ("mail.sent", "later"),
    ("step.done", "later"),
    ("contact.exited", None),
]


@pytest.fixture
def stack(
    servers: Servers,
    start_stack: Callable[..., AbstractContextManager[Stack]],
    tmp_path: Path,
) -> Iterator[Stack]:
    """A stack with a second worker; both wait for an answer as long as the test holds it."""
    settings = {"webhook_allow_private": True}
    patient = ("--workdir", Path(__file__).parents[2], "-A", "tests.webhooks.patient")
    with start_stack(app=patient, **settings) as stack:
        url = stack.database.url.render_as_string(hide_password=False)
        own = Servers(url, servers.broker_url)
        environment = stack_environment(own, tick_seconds=1, mail_folder=stack.mail, **settings)
        log = tmp_path / "second.log"
        second = start_worker(tmp_path, environment, name="second", log=log, app=patient)
        yield stack
        second.stop()


@dataclass
class Watched:
    """What a receiver answers: 204, the very first message after ``released``.

    ``workers`` are those that sent the others, and ``victim`` is the process that sent the first.
    """

    released: Event = field(default_factory=Event)
    victim: int = 0
    workers: set[int] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, taken: Taken) -> int:
        """Note which process it came from."""
        pid = _sender(taken)
        with self._lock:
            is_first = not self.victim
            self.victim = self.victim or pid
            if not is_first:
                self.workers.add(_worker_of(pid))
        if is_first:
            self.released.wait(600)
        return 204


def _sender(taken: Taken) -> int:
    """Return the process that holds the other end of the connection."""
    connections = psutil.net_connections("tcp4")
    return next(
        each.pid
        for each in connections
        if each.laddr and each.laddr.port == taken.port and each.pid is not None
    )


def _worker_of(pid: int) -> int:
    """Return the worker whose process it is: its parent."""
    return psutil.Process(pid).ppid()


def test_two_workers_tell_each_thing_once_though_one_is_killed(stack: Stack) -> None:
    """A killed worker's messages come again under their ids, and each contact's in order; no other
    comes twice.
    """
    org = stack.organization()
    draft(stack, org, "welcome", WELCOME)
    stack.ask("halo.series.activate", org=org, series="welcome")
    watched = Watched()
    with receiving() as receiver:
        receiver.answers = watched
        secret = _endpoint(stack, org, receiver)
        _identify(stack, org, "ann")
        stack.wait_until(lambda: watched.victim > 0, "one worker is within a delivery")
        others = [f"u{number}" for number in range(10)]
        _identify(stack, org, *others)

        def another_delivers() -> bool:
            # As if the broker had lost the mark that somebody delivers already.
            end_looking(WEBHOOKS, stack.app)
            stack.app.send_task("halo.webhooks.deliver")
            return bool(watched.workers - {_worker_of(watched.victim)})

        stack.wait_until(another_delivers, "the other worker delivers beside it")
        os.kill(watched.victim, signal.SIGKILL)
        watched.released.set()
        _expire_lease(stack, org, "ann")
        told = len(WAY) * (len(others) + 1) + 1
        stack.wait_until(lambda: len(receiver.taken) >= told, f"{told} messages")
        stack.wait_until(lambda: _states(stack, org) == {"delivered": told - 1}, "each noted")
    receiver.verified(secret)
    assert len(receiver.taken) == told
    [(_, again)] = [each for each in Counter(t.id for t in receiver.taken).items() if each[1] > 1]
    assert again == 2
    for name in others:
        assert _told_of(receiver, name) == WAY
    assert _told_of(receiver, "ann") == [WAY[0], *WAY]
    assert receiver.taken[0].id == next(
        each.id for each in receiver.taken[1:] if each.contact == "ann"
    )


def _endpoint(stack: Stack, org: str, receiver: Receiver) -> str:
    """Make an endpoint at the receiver; return its secret."""
    call = validated(CreateEndpointCall, {"url": receiver.url}, "webhooks.create")
    rules = CallRules(allow_private=True)
    return stack.sandbox(org).perform(lambda work: create_endpoint(work, call, rules)).secret


def _identify(stack: Stack, org: str, *names: str) -> None:
    calls = [
        {"door": "identify", "user_id": name, "traits": {"email": f"{name}@a.example"}}
        for name in names
    ]
    stack.ask("halo.batch", widget_key=org, calls=calls)


def _expire_lease(stack: Stack, org: str, name: str) -> None:
    """Let be free what the killed worker had on lease of a contact, as after a minute."""
    sandbox, rows = stack.sandbox(org), webhook_deliveries
    contact = select(end_users.c.id).where(end_users.c.external_id == name).scalar_subquery()
    is_its = (rows.c.org_id == sandbox.org_id, rows.c.end_user_id == contact)
    leased = update(rows).where(*is_its, rows.c.lease_token.is_not(None))
    past = leased.values(lease_expires_at=rows.c.due_at)
    sandbox.perform(lambda work: work.connection.execute(past))


def _states(stack: Stack, org: str) -> Counter[str]:
    """Count the deliveries by state."""
    sandbox, rows = stack.sandbox(org), webhook_deliveries
    asked = rows.select().where(rows.c.org_id == sandbox.org_id)
    found = sandbox.perform(lambda work: work.connection.execute(asked).all())
    return Counter(row.state for row in found)


def _told_of(receiver: Receiver, name: str) -> list[tuple[str, str | None]]:
    """Return what the receiver was told of a contact: kind and step, in order."""
    return [
        (each.type, each.data["data"].get("step"))
        for each in receiver.taken
        if each.contact == name
    ]
