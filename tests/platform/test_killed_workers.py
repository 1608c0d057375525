"""What becomes of a call when its worker, or one process of it, is killed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine, text

from halo_engine.settings import Settings
from tests.platform.callers import create_organization, identify, left, users
from workers import deliveries
from workers.broker_scripts import REDELIVERED
from workers.configuration import EngineApp, create_app
from workers.connections import broker
from workers.stack.children import Child, wait_until
from workers.stack.folders import throwaway_folder
from workers.stack.processes import stack_environment, start_worker
from workers.stack.servers import Servers
from workers.stack.valkey import start_valkey


@pytest.fixture
def app(database: Engine, broker_url: str) -> EngineApp:
    """The app that an application calls with, and an organisation to call."""
    create_organization(database)
    return create_app(Settings(broker_url=broker_url))


@pytest.fixture
def start(database: Engine, broker_url: str) -> Iterator[Callable[[str], Child]]:
    """Start a worker of that name."""
    url = database.url.render_as_string(hide_password=False)
    environment = stack_environment(Servers(url, broker_url))
    with throwaway_folder("test") as folder, ExitStack() as stack:

        def started(name: str) -> Child:
            worker = start_worker(folder, environment, name=name, log=Path(folder) / f"{name}.log")
            stack.callback(worker.stop)
            return worker

        yield started


@contextmanager
def _nobody_may_write(database: Engine) -> Iterator[None]:
    """Make identifies wait as long as the body runs."""
    with database.begin() as connection:
        connection.execute(text("LOCK TABLE end_users IN ACCESS EXCLUSIVE MODE"))
        yield


def _waiting_for_it(database: Engine) -> int:
    """Return how many running calls wait for that lock."""
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with database.connect() as connection:
        number: int = connection.scalars(asked).one()
    return number


def test_a_killed_workers_calls_arrive(
    database: Engine, broker_url: str, app: EngineApp, start: Callable[[str], Child]
) -> None:
    """What it had in hand goes back to the head of the queue, and the next worker does it."""
    with _nobody_may_write(database):
        worker = start("first")
        sent = [identify(app, number) for number in range(5)]
        wait_until(worker, lambda: left(broker_url) == (3, 2), "it had two calls in hand")
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
    assert deliveries.reclaim(broker(broker_url), patience_seconds=0.001) == 2
    assert left(broker_url) == (5, 0)
    start("second")
    assert [each.get(timeout=60)["created"] for each in sent] == [True] * 5
    assert sorted(users(database)) == [f"user {number}" for number in range(5)]


def test_a_killed_process_costs_no_call(
    database: Engine, broker_url: str, app: EngineApp, start: Callable[[str], Child]
) -> None:
    """Its call is done by another process of the worker, and its death is counted."""
    client: Any = broker(broker_url)
    with _nobody_may_write(database):
        worker = start("only")
        sent = identify(app, 1)
        wait_until(worker, lambda: _waiting_for_it(database) == 1, "the call was under way")
        for process in psutil.Process(worker.process.pid).children():
            process.kill()
        wait_until(worker, lambda: client.hlen(REDELIVERED) == 1, "the death was counted")
    assert sent.get(timeout=60)["created"] is True
    wait_until(worker, lambda: client.exists(REDELIVERED) == 0, "the call was done")
    assert users(database) == ["user 1"]


def test_calls_that_run_while_the_broker_restarts_are_done_once(database: Engine) -> None:
    """They stay in hand, and are acknowledged when the broker is back: none is done again."""
    create_organization(database)
    url = database.url.render_as_string(hide_password=False)
    with throwaway_folder("test") as folder, ExitStack() as stack:
        valkey, broker_url = start_valkey(folder)
        environment = stack_environment(Servers(url, broker_url))
        with _nobody_may_write(database):
            worker = start_worker(folder, environment, log=folder / "worker.log")
            stack.callback(worker.stop)
            app = create_app(Settings(broker_url=broker_url))
            for number in range(2):
                identify(app, number)
            wait_until(worker, lambda: _waiting_for_it(database) == 2, "two calls were under way")
            _on_disk(broker_url)
            valkey.process.kill()
            valkey.stop()
            log = folder / "worker.log"
            wait_until(worker, lambda: "Cannot connect" in log.read_text(), "it missed the broker")
        wait_until(worker, lambda: len(users(database)) == 2, "the calls were done")
        valkey, _ = start_valkey(folder)
        stack.callback(valkey.stop)
        wait_until(worker, lambda: left(broker_url) == (0, 0), "they were acknowledged")
        assert broker(broker_url).hlen(REDELIVERED) == 0


def _on_disk(broker_url: str) -> None:
    """Wait until the broker has written what it knows to its file."""
    client: Any = broker(broker_url)
    client.execute_command("WAITAOF", 1, 0, 0)
