"""Which errors are an outage of the database, and that calls outlive one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from halo_engine import database as halo_database
from halo_engine import migrate
from halo_engine.outages import database_trouble
from halo_engine.settings import Settings
from tests.workers.callers import create_organization, identify, left, users
from workers import outage
from workers.configuration import create_app
from workers.stack.children import wait_until
from workers.stack.folders import throwaway_folder
from workers.stack.postgres import start_postgres
from workers.stack.processes import stack_environment, start_worker
from workers.stack.servers import Servers
from workers.stack.valkey import start_valkey


def _met(action: Callable[[], Any]) -> str | None:
    with pytest.raises(SQLAlchemyError) as raised:
        action()
    return database_trouble(raised.value)


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://127.0.0.1:1/none", "postgresql+psycopg://nowhere.invalid/none"],
    ids=["nobody listens", "no such host"],
)
def test_an_unreachable_server_is_an_outage(url: str) -> None:
    """A refused connection and an unknown host name are outages."""
    assert _met(create_engine(url).connect) == "no server answers, or the connection broke"


def test_a_session_that_the_server_ended_is_an_outage(database: Engine) -> None:
    """A session that an operator or a shutdown ended is an outage."""

    def end_it() -> None:
        with database.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    said = "the server ended the session: it shuts down, or an operator did it"
    assert _met(end_it) == said


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("57P03", "the server starts or shuts down"),
        ("53300", "the server is out of connections, memory or disk"),
        ("25006", "the server takes no writes: a standby, or one that was demoted"),
        ("08006", "the connection broke"),
        ("28P01", "the server refuses our account"),
        ("57014", None),
        ("40P01", None),
        ("55P03", None),
        ("22012", None),
        ("23505", None),
    ],
)
def test_the_sqlstate_tells_an_outage_from_the_calls_own_error(
    database: Engine, state: str, said: str | None
) -> None:
    """An outage meets every statement; a time limit, a lock or bad data is the call's own."""
    raise_it = text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")
    with database.connect() as connection:
        assert _met(lambda: connection.execute(raise_it)) == said


def test_a_pool_without_a_free_connection_is_an_outage(database: Engine) -> None:
    """A pool that has no free connection in time is an outage."""
    small = create_engine(database.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with small.connect():
        assert _met(small.connect) == "no connection of the pool is free"
    small.dispose()


def test_a_missing_file_is_no_outage() -> None:
    """A missing file is the call's own trouble; a refused connection is the server's."""
    assert outage.trouble(FileNotFoundError("no such file")) is None
    assert outage.trouble(ConnectionRefusedError()) == "network: ConnectionRefusedError"


def test_pauses_grow_to_a_limit_and_begin_anew() -> None:
    """The bound doubles, and chance picks from its upper half; a call that succeeds resets it."""
    met = outage.Outage()
    pauses = [met.pause_seconds(longest=2.0) for _ in range(40)]
    grown = [min(0.25 * 2**number, 2.0) for number in range(40)]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, grown, strict=True))
    met.over()
    assert met.pause_seconds(longest=2.0) <= 0.25


@pytest.fixture
def folder() -> Iterator[Path]:
    """A claimed folder for the servers and processes of one test."""
    with throwaway_folder("test") as folder:
        yield folder


def test_calls_outlive_their_database(folder: Path, broker_url: str) -> None:
    """Calls sent while the database is stopped are done, in order, when it is back (§2)."""
    with ExitStack() as stack:
        postgres, url = start_postgres(folder, durable=False)
        migrate.upgrade(url)
        database = halo_database.create_engine(url)
        stack.callback(database.dispose)
        create_organization(database)
        app = create_app(Settings(database_url=url, broker_url=broker_url))
        log = folder / "worker.log"
        environment = stack_environment(Servers(url, broker_url), worker_concurrency=1)
        worker = start_worker(folder, environment, log=log)
        stack.callback(worker.stop)
        identify(app, 0).get(timeout=120)
        postgres.stop()
        sent = [identify(app, number) for number in range(1, 21)]
        wait_until(worker, lambda: log.read_text().count("waits") >= 3, "it met the outage thrice")
        postgres, _ = start_postgres(folder, durable=False)
        stack.callback(postgres.stop)
        answers = [each.get(timeout=120) for each in sent]
        assert [answer["created"] for answer in answers] == [True] * 20
        assert users(database) == [f"user {number}" for number in range(21)]
        assert left(broker_url) == (0, 0)


def test_calls_wait_for_a_schema_that_is_not_migrated_yet(
    folder: Path, database: Engine, broker_url: str
) -> None:
    """New workers start before `halo migrate`: calls wait for it, and the log names it (§2)."""
    create_organization(database)
    url = database.url.render_as_string(hide_password=False)
    app = create_app(Settings(broker_url=broker_url))
    log = folder / "worker.log"
    worker = start_worker(folder, stack_environment(Servers(url, broker_url)), log=log)
    with ExitStack() as stack:
        stack.callback(worker.stop)
        _run(
            database,
            "ALTER TABLE end_users RENAME TO not_yet",
            "UPDATE alembic_version SET version_num = '0'",
        )
        sent = identify(app, 1)
        waits = f"database: {migrate.OF_ANOTHER_SCHEMA}"
        wait_until(worker, lambda: log.read_text().count(waits) >= 3, "it met the schema thrice")
        head = f"UPDATE alembic_version SET version_num = '{migrate.head_revision()}'"
        _run(database, "ALTER TABLE not_yet RENAME TO end_users", head)
        assert sent.get(timeout=120)["created"] is True
        wait_until(worker, lambda: left(broker_url) == (0, 0), "nothing was left")


def _run(database: Engine, *statements: str) -> None:
    with database.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


# Celery's own call.
@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
def test_an_answer_outlives_its_broker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is done: its answer is stored when the broker is back, and is no failure."""
    valkey, url = start_valkey(folder)
    app = create_app(Settings(broker_url=url))
    with ExitStack() as stack:
        app.backend.store_result("before", {"created": True}, "SUCCESS")
        valkey.stop()

        def come_back(_seconds: float) -> None:
            again, _ = start_valkey(folder)
            stack.callback(again.stop)

        monkeypatch.setattr(app.backend, "_sleep", come_back)
        app.backend.store_result("after", {"created": True}, "SUCCESS")
        assert app.AsyncResult("after").get(timeout=120) == {"created": True}


def _has_met_silence(log: Path) -> bool:
    """Return whether a call ran into its time limit, and calls wait for the database."""
    written = log.read_text()
    return "Soft time limit" in written and "waits" in written


def test_calls_outlive_a_database_that_is_frozen(folder: Path, broker_url: str) -> None:
    """If the database ends no statement, the time limit is no fault of the call, which waits."""
    with ExitStack() as stack:
        postgres, url = start_postgres(folder, durable=False)
        stack.callback(postgres.stop)
        migrate.upgrade(url)
        database = halo_database.create_engine(url)
        stack.callback(database.dispose)
        create_organization(database)
        app = create_app(Settings(database_url=url, broker_url=broker_url))
        log = folder / "worker.log"
        limits = {"statement_timeout": 5, "soft_limit": 11, "hard_limit": 30}
        named = {f"{name}_seconds": seconds for name, seconds in limits.items()}
        environment = stack_environment(Servers(url, broker_url), **named)
        worker = start_worker(folder, environment, log=log)
        stack.callback(worker.stop)
        identify(app, 0).get(timeout=120)
        server = psutil.Process(postgres.process.pid)
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            # Of those that look after it some end by themselves.
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            sent = [identify(app, number) for number in range(1, 5)]
            wait_until(worker, lambda: _has_met_silence(log), "it met the outage")
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()
        assert all("id" in each.get(timeout=120) for each in sent)
        assert sorted(users(database)) == [f"user {number}" for number in range(5)]
