"""Calls through long outages of the database, and the time until a killed worker's calls arrive."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from sqlalchemy import Engine, text

from halo_engine import database as halo_database
from halo_engine import migrate
from halo_engine.settings import Settings
from tests.workers.callers import create_organization, identify, left, users
from workers.configuration import create_app
from workers.stack.children import wait_until
from workers.stack.folders import throwaway_folder
from workers.stack.postgres import start_postgres
from workers.stack.processes import stack_environment, start_worker
from workers.stack.servers import Servers

pytestmark = pytest.mark.torture

_CALLS = 100
_DAY = 86_400


@pytest.fixture
def folder() -> Iterator[Path]:
    """A claimed folder for the servers and processes of one test."""
    with throwaway_folder("torture") as folder:
        yield folder


@pytest.mark.parametrize("seconds", [15, 120, 900])
def test_no_call_is_lost_in_an_outage(folder: Path, broker_url: str, seconds: int) -> None:
    """However long the database is away, every call that was sent before or meanwhile is done."""
    with ExitStack() as stack:
        postgres, url = start_postgres(folder, durable=False)
        migrate.upgrade(url)
        database = halo_database.create_engine(url)
        stack.callback(database.dispose)
        create_organization(database)
        app = create_app(Settings(database_url=url, broker_url=broker_url))
        environment = stack_environment(Servers(url, broker_url))
        worker = start_worker(folder, environment, log=folder / "worker.log")
        stack.callback(worker.stop)
        for number in range(_CALLS // 2):
            identify(app, number)
        postgres.stop()
        ends = time.monotonic() + seconds
        for number in range(_CALLS // 2, _CALLS):
            identify(app, number)
            time.sleep(max(0.0, min(ends - time.monotonic(), seconds / _CALLS)))
        wait_until(worker, lambda: time.monotonic() > ends, "the outage ended", seconds=_DAY)
        postgres, _ = start_postgres(folder, durable=False)
        stack.callback(postgres.stop)
        begun = time.monotonic()
        wait_until(worker, lambda: left(broker_url) == (0, 0), "nothing was left", seconds=120)
        click.echo(f"{seconds} s of outage: all done {time.monotonic() - begun:.1f} s after it")
        assert sorted(users(database)) == sorted(f"user {number}" for number in range(_CALLS))


def test_a_killed_workers_calls_arrive_within_two_minutes(
    folder: Path, database: Engine, broker_url: str
) -> None:
    """Another worker takes up a killed worker's calls within two minutes."""
    create_organization(database)
    app = create_app(Settings(broker_url=broker_url))
    url = database.url.render_as_string(hide_password=False)
    environment = stack_environment(Servers(url, broker_url))
    with ExitStack() as stack:
        with database.begin() as connection:
            connection.execute(text("LOCK TABLE end_users IN ACCESS EXCLUSIVE MODE"))
            victim = start_worker(folder, environment, name="victim", log=folder / "victim.log")
            for number in range(2):
                identify(app, number)
            wait_until(victim, lambda: left(broker_url) == (0, 2), "it had two calls in hand")
            heir = start_worker(folder, environment, name="heir", log=folder / "heir.log")
            stack.callback(heir.stop)
            os.killpg(victim.process.pid, signal.SIGKILL)
            victim.process.wait()
        killed = time.monotonic()
        wait_until(heir, lambda: len(users(database)) == 2, "its calls arrived", seconds=120)
        click.echo(f"from kill to arrival: {time.monotonic() - killed:.1f} s")
