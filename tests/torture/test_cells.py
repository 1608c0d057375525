"""One cell dies, freezes, or the directory or the broker go: nobody else notices.

Real servers: a directory, two cells and a broker. It prints how long calls took before and during
each fault.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import count
from json import dumps
from threading import Event, Thread
from time import perf_counter
from typing import Final

import click
import psutil
import pytest
from sqlalchemy import Engine, text

from halo_engine import migrate
from halo_engine.database import create_engine
from tests.cells.installation import Installation, Org, running_cells, wait_until
from workers.broker.scripts import IN_HAND
from workers.connections import broker
from workers.queue_names import CALLS_QUEUE, queues_of
from workers.stack.children import Child
from workers.stack.folders import throwaway_folder
from workers.stack.postgres import start_postgres
from workers.stack.valkey import start_valkey

pytestmark = pytest.mark.torture

_CALLS: Final = int(os.environ.get("HALO_TEST_CELL_CALLS", "2000"))
#: What calls may take at the 99th percentile while another cell is in trouble.
_SLOWER: Final = 1.2
#: In seconds: a single turn of the scheduler is no slowness.
_NOISE: Final = 0.003
_numbers = count()


@pytest.fixture(scope="module")
def servers_of() -> Iterator[Mapping[str, Child]]:
    """Three PostgreSQL servers and a broker, by name; their URLs are in ``_URLS``."""
    with ExitStack() as stack:
        children: dict[str, Child] = {}
        for name in ("directory", "a", "b"):
            folder = stack.enter_context(throwaway_folder(f"cell-{name}"))
            children[name], _URLS[name] = start_postgres(folder, durable=False)
            stack.callback(children[name].stop)
            migrate.upgrade(_URLS[name])
        folder = stack.enter_context(throwaway_folder("cells-broker"))
        children["broker"], _URLS["broker"] = start_valkey(folder, durable=False)
        stack.callback(children["broker"].stop)
        yield children


_URLS: Final[dict[str, str]] = {}


@pytest.fixture(scope="module")
def installation(servers_of: Mapping[str, Child]) -> Iterator[Installation]:
    """Two cells, each on a server of its own, and the directory on a third."""
    assert servers_of
    engines = {name: create_engine(_URLS[name]) for name in ("directory", "a", "b")}
    cells = {name: engines[name] for name in ("a", "b")}
    # Statements end soon enough that the test sees its cell come back.
    with running_cells(engines["directory"], cells, _URLS["broker"]) as running:
        yield running
    for each in engines.values():
        each.dispose()


@pytest.fixture(scope="module")
def orgs(installation: Installation) -> Mapping[str, Org]:
    """An organisation in each cell, whose series greets new users."""
    made = {cell: installation.organization(cell) for cell in ("a", "b")}
    for org in made.values():
        installation.greets(org)
    return made


def _signal(child: Child, number: signal.Signals) -> None:
    """Send a signal to a server and all its processes."""
    server = psutil.Process(child.process.pid)
    for each in (server, *server.children(recursive=True)):
        each.send_signal(number)


@contextmanager
def _frozen(child: Child) -> Iterator[None]:
    _signal(child, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(child, signal.SIGCONT)


def _p99(installation: Installation, org: Org) -> float:
    """Return what the 99th percentile of calls took, in the quietest of three rounds: the machine
    does other things.
    """
    return min(_p99_of_a_round(installation, org, _CALLS) for _ in range(3))


def _p99_of_a_round(installation: Installation, org: Org, calls: int) -> float:
    """Identify so many new users one after the other."""
    connection = HTTPConnection(*installation.web.place, timeout=120)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {org.widget_key}"}
    took = []
    for _ in range(calls):
        body = dumps({"user_id": f"user-{next(_numbers)}"})
        began = perf_counter()
        connection.request("POST", "/api/sdk/users/identify", body, headers)
        response = connection.getresponse()
        response.read()
        took.append(perf_counter() - began)
        assert response.status == 200
    connection.close()
    return sorted(took)[int(calls * 0.99)]


@contextmanager
def _knocking(installation: Installation, org: Org) -> Iterator[None]:
    """Go on calling for an organisation whose cell is in trouble, over a few connections."""
    ends = Event()

    def knock() -> None:
        while not ends.is_set():
            connection = HTTPConnection(*installation.web.place, timeout=2)
            key = {"Content-Type": "application/json", "Authorization": f"Bearer {org.widget_key}"}
            body = dumps({"user_id": f"knock-{next(_numbers)}"})
            try:
                connection.request("POST", "/api/sdk/users/identify", body, key)
                connection.getresponse().read()
            except (OSError, HTTPException):
                pass
            finally:
                connection.close()
            ends.wait(0.02)

    knocking = [Thread(target=knock, daemon=True) for _ in range(4)]
    for each in knocking:
        each.start()
    try:
        yield
    finally:
        ends.set()
        for each in knocking:
            each.join()


def _ticks(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(text("SELECT ticks FROM installation")) or 0)


def _goes_on(installation: Installation, org: Org) -> None:
    """Wait for a tick, a task and a mail of an organisation's cell."""
    database = installation.databases[org.cell]
    before, user = _ticks(database), f"mail-{next(_numbers)}"
    address = f"{user}@{org.cell}.example"
    call = {"widget_key": org.widget_key, "user_id": user, "traits": {"email": address}}
    assert installation.task("halo.identify", **call)["created"] is True
    wait_until(lambda: _ticks(database) > before, f"{org.cell} ticks")
    wait_until(
        lambda: any(address in each for each in installation.mails(org.cell)),
        f"{address} got a mail",
    )


def _compare(installation: Installation, orgs: Mapping[str, Org], what: str, before: float) -> None:
    """Compare calls of `a` during a fault of `b` with those before, and print both."""
    with _knocking(installation, orgs["b"]):
        during = _p99(installation, orgs["a"])
    click.echo(f"\n{what}: p99 {before * 1000:.2f} ms before, {during * 1000:.2f} ms during")
    assert during <= _SLOWER * before + _NOISE, what


def test_a_cell_in_trouble_touches_no_other(
    installation: Installation, orgs: Mapping[str, Org], servers_of: Mapping[str, Child]
) -> None:
    """While `b` is frozen, and again after it was killed, calls, tasks, ticks and mails of `a` go
    on as quickly; afterwards all of `b` is done that waited.
    """
    _p99(installation, orgs["a"])
    _goes_on(installation, orgs["b"])
    with _knocking(installation, orgs["b"]):
        before = _p99(installation, orgs["a"])
    waiting = []
    with _frozen(servers_of["b"]):
        for _ in range(5):
            call = {"widget_key": orgs["b"].widget_key, "user_id": f"waits-{next(_numbers)}"}
            waiting.append(installation.app.send_task("halo.identify", kwargs=call))
        _compare(installation, orgs, "frozen", before)
        _goes_on(installation, orgs["a"])
        ready = installation.web.ask("GET", "/readyz").json()
        assert ready["cells"] == {"a": "ok", "b": "away"}
    assert all(each.get(timeout=300)["created"] for each in waiting)
    _goes_on(installation, orgs["b"])
    _signal(servers_of["b"], signal.SIGKILL)
    servers_of["b"].process.wait()
    _compare(installation, orgs, "killed", before)
    _goes_on(installation, orgs["a"])
    refused = installation.identify(orgs["b"], "x")
    assert refused.status == 503
    assert 'halo_database_up{cell="b"} 0.0' in installation.web.ask("GET", "/metrics").body.decode()


def test_without_the_directory_what_is_known_goes_on(
    installation: Installation, orgs: Mapping[str, Org], servers_of: Mapping[str, Child]
) -> None:
    """Frozen or killed, it is needed for nobody who is known; a stranger is told to come again."""
    before = _p99(installation, orgs["a"])
    with _frozen(servers_of["directory"]):
        frozen = _p99(installation, orgs["a"])
        _goes_on(installation, orgs["a"])
    _signal(servers_of["directory"], signal.SIGKILL)
    servers_of["directory"].process.wait()
    killed = _p99(installation, orgs["a"])
    figures = ", ".join(f"{each * 1000:.2f}" for each in (before, frozen, killed))
    click.echo(f"\nthe directory: p99 before, frozen, killed: {figures} ms")
    assert max(frozen, killed) <= _SLOWER * before + _NOISE
    _goes_on(installation, orgs["a"])
    answer = installation.web.post("/api/sdk/users/identify", "ab_live_x", {"user_id": "x"})
    assert answer.status == 503


def test_an_emptied_broker_loses_nothing_that_was_answered(
    installation: Installation, orgs: Mapping[str, Org]
) -> None:
    """What was taken over HTTP is done by the next ticks; workers go on."""
    client = broker(_URLS["broker"])
    users = [f"emptied-{next(_numbers)}" for _ in range(50)]
    for user in users:
        sent = installation.identify(orgs["a"], user, traits={"email": f"{user}@a.example"})
        assert sent.status == 200
        client.flushall()
    wait_until(
        lambda: (
            sum(
                any(f"{user}@a.example" in each for each in installation.mails("a"))
                for user in users
            )
            == len(users)
        ),
        "every user got a mail",
    )
    queues = [CALLS_QUEUE, *queues_of("a")]
    wait_until(lambda: not any(map(client.llen, queues)), "nothing waits")
    wait_until(lambda: client.hlen(IN_HAND) == 0, "nothing is in hand")
