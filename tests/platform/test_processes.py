"""A real worker and beat: ready when they say so, and still there after an outage."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from halo_engine.settings import Settings
from workers.configuration import create_app
from workers.stack.children import Child, StackError, Stopping
from workers.stack.folders import throwaway_folder
from workers.stack.processes import stack_environment, start_beat, start_worker
from workers.stack.servers import Servers
from workers.stack.valkey import start_valkey


@pytest.fixture
def folder() -> Iterator[Path]:
    """A claimed folder for the processes of one test."""
    with throwaway_folder("test") as folder:
        yield folder


def test_a_worker_outlives_its_broker(folder: Path, database: Engine) -> None:
    """Killed and started again, the broker finds the worker waiting for it."""
    with ExitStack() as stack:
        valkey, broker_url = start_valkey(folder)
        database_url = database.url.render_as_string(hide_password=False)
        environment = stack_environment(Servers(database_url, broker_url))
        worker = start_worker(folder, environment, log=folder / "worker.log")
        stack.callback(worker.stop)
        assert _organizations_waiting(broker_url) == 0
        valkey.process.send_signal(signal.SIGKILL)
        valkey.stop()
        valkey, _ = start_valkey(folder)
        stack.callback(valkey.stop)
        assert _organizations_waiting(broker_url) == 0
        assert not worker.exited


@pytest.mark.parametrize("start", [start_worker, start_beat])
def test_processes_without_servers_say_which_setting_is_missing(
    folder: Path, start: Callable[..., Child]
) -> None:
    """Without a broker's URL neither process starts, and the last word is the variable to set."""
    with pytest.raises(StackError, match=r"ended with status 1 .*HALO_[A-Z]+_URL is not set"):
        start(folder, {}, log=folder / "log")


def test_a_worker_on_an_empty_database_says_so(
    folder: Path, empty_database: str, broker_url: str
) -> None:
    """The worker starts, since the schema may come any moment, and logs in one line what is
    missing.
    """
    log = folder / "log"
    environment = stack_environment(Servers(empty_database, broker_url))
    start_worker(folder, environment, log=log).stop()
    assert log.read_text().count("run `halo migrate`") == 1


def _organizations_waiting(broker_url: str) -> object:
    """Have the worker tick, and return what it answers."""
    client = create_app(Settings(broker_url=broker_url))
    return client.send_task("halo.tick").get(timeout=120)


@pytest.mark.parametrize("start", [start_worker, start_beat])
def test_the_ready_file_goes_when_the_process_stops(
    folder: Path, database: Engine, broker_url: str, start: Callable[..., Child]
) -> None:
    """HALO_READY_FILE is removed, so that no work is sent to a process that has ended."""
    url = database.url.render_as_string(hide_password=False)
    child = start(folder, stack_environment(Servers(url, broker_url)))
    [ready] = folder.glob("*.ready")
    replace(child, stopping=Stopping(((signal.SIGTERM, 120.0),))).stop()
    assert not ready.exists()
