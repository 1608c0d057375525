"""What becomes of a call when its worker, or one process of it, is killed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine, select, text

from halo_engine.settings import Settings
from halo_engine.tables import end_users, event_counts
from tests.workers.callers import create_organization, identify, left, users
from workers.broker import deliveries
from workers.broker.scripts import REDELIVERED
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
        # However slowly a worker starts meanwhile.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
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
    """Calls in hand go back to the head of the queue, and the next worker does them."""
    with _nobody_may_write(database):
        worker = start("first")
        sent = [identify(app, number) for number in range(5)]
        # It takes those together that wait when it looks, so two or more.
        wait_until(worker, lambda: left(broker_url)[1] > 1, "it had calls in hand")
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
    _, in_hand = left(broker_url)
    assert deliveries.reclaim(broker(broker_url), patience_seconds=0.001) == in_hand
    assert left(broker_url) == (5, 0)
    start("second")
    assert [each.get(timeout=120)["created"] for each in sent] == [True] * 5
    assert sorted(users(database)) == [f"user {number}" for number in range(5)]


def test_a_killed_process_costs_no_call(
    database: Engine, broker_url: str, app: EngineApp, start: Callable[[str], Child]
) -> None:
    """Another process of the worker does the call, and the death is counted."""
    client: Any = broker(broker_url)
    with _nobody_may_write(database):
        worker = start("only")
        sent = identify(app, 1)
        wait_until(worker, lambda: _waiting_for_it(database) == 1, "the call was under way")
        for process in psutil.Process(worker.process.pid).children():
            process.kill()
        wait_until(worker, lambda: client.hlen(REDELIVERED) == 1, "the death was counted")
    assert sent.get(timeout=120)["created"] is True
    wait_until(worker, lambda: client.exists(REDELIVERED) == 0, "the call was done")
    assert users(database) == ["user 1"]


def test_calls_that_run_while_the_broker_restarts_are_done_once(database: Engine) -> None:
    """Calls in hand are acknowledged when the broker is back: none is done again."""
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
                # One after the other: those that wait together go together.
                identify(app, number)
                wait_until(worker, lambda: _waiting_for_it(database) == number + 1, "it ran")  # noqa: B023
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


def test_a_set_that_was_committed_and_not_acknowledged_is_there_once(database: Engine) -> None:
    """Its worker is killed between the two: the calls come again, and change nothing."""
    create_organization(database)
    url = database.url.render_as_string(hide_password=False)
    with throwaway_folder("test") as folder, ExitStack() as stack:
        valkey, broker_url = start_valkey(folder)
        stack.callback(valkey.stop)
        environment = stack_environment(Servers(url, broker_url))
        app = create_app(Settings(broker_url=broker_url))
        for number in range(5):
            identify(app, number)
            event = {"user_id": f"user {number}", "event": "paid", "idempotency_key": f"{number}"}
            app.send_task("halo.track", kwargs={"widget_key": "acme", **event})
        with _nobody_may_write(database):
            worker = start_worker(folder, environment, log=folder / "first.log")
            stack.callback(worker.stop)
            wait_until(worker, lambda: _waiting_for_it(database) == 1, "the set was under way")
            _, in_hand = left(broker_url)
            valkey.process.send_signal(signal.SIGSTOP)
        wait_until(worker, lambda: len(users(database)) > 1, "the set was committed")
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
        valkey.process.send_signal(signal.SIGCONT)
        client = broker(broker_url)
        assert deliveries.reclaim(client, patience_seconds=0.001) == in_hand > 1
        again = start_worker(folder, environment, log=folder / "second.log")
        stack.callback(again.stop)
        wait_until(again, lambda: left(broker_url) == (0, 0), "all calls were done")
    with database.connect() as connection:
        counted = connection.execute(
            select(end_users.c.external_id, event_counts.c.count).join_from(
                end_users, event_counts, event_counts.c.end_user_id == end_users.c.id
            )
        ).all()
    assert sorted(map(tuple, counted)) == [(f"user {number}", 1) for number in range(5)]
