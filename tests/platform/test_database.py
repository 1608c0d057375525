"""Connections and retried transactions, on a real server."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from halo_engine.database import run_in_transaction, sqlstate


@pytest.fixture
def pairs(database: Engine) -> Engine:
    """A database with a table `pair` of two rows, 1 and 2, both counting 0."""
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE pair (id int PRIMARY KEY, count int NOT NULL)"))
        connection.execute(text("INSERT INTO pair VALUES (1, 0), (2, 0)"))
    return database


def test_sessions_are_read_committed_in_utc_and_limited(database: Engine) -> None:
    """A new session has the isolation, the time zone and the statement timeout promised."""
    with database.connect() as connection:
        shown = connection.execute(
            text(
                "SELECT current_setting('transaction_isolation'), current_setting('timezone'), "
                "current_setting('statement_timeout'), current_setting('application_name')"
            )
        ).one()
    assert tuple(shown) == ("read committed", "UTC", "1min", "halo-test")


def test_work_is_committed_and_its_result_returned(pairs: Engine) -> None:
    """What the work wrote is stored afterwards, and its result is returned."""
    assert run_in_transaction(pairs, lambda connection: _add(connection, 1)) == 1
    assert _counts(pairs) == [1, 0]


def test_failing_work_leaves_nothing(pairs: Engine) -> None:
    """An error that is no lost race is raised at once, and its transaction rolled back."""
    calls = []

    def work(connection: Connection) -> None:
        calls.append(1)
        _add(connection, 1)
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_in_transaction(pairs, work)
    assert calls == [1]
    assert _counts(pairs) == [0, 0]


def test_two_transactions_in_a_deadlock_both_succeed(pairs: Engine) -> None:
    """If two transactions lock the same rows crosswise, the one that loses is run again and
    succeeds.
    """
    both_hold_one = threading.Barrier(2)
    runs: list[int] = []

    def cross(first: int, second: int) -> None:
        def work(connection: Connection) -> None:
            runs.append(first)
            _add(connection, first)
            if runs.count(first) == 1:
                both_hold_one.wait(timeout=120)
            _add(connection, second)

        run_in_transaction(pairs, work)

    threads = [threading.Thread(target=cross, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _counts(pairs) == [2, 2]
    assert len(runs) == 3


def test_a_unique_violation_sees_the_winner_on_its_second_try(pairs: Engine) -> None:
    """Work that met a row inserted meanwhile runs again, and finds it."""
    seen: list[bool] = []

    def work(connection: Connection) -> None:
        there = bool(connection.scalar(text("SELECT count(*) FROM pair WHERE id = 3")))
        seen.append(there)
        if not there:
            with pairs.begin() as rival:
                rival.execute(text("INSERT INTO pair VALUES (3, 0)"))
            connection.execute(text("INSERT INTO pair VALUES (3, 0)"))

    run_in_transaction(pairs, work)
    assert seen == [False, True]


def test_a_race_lost_every_time_is_raised(pairs: Engine) -> None:
    """After the attempts given the last error comes through, with its SQLSTATE."""
    calls = []

    def work(connection: Connection) -> None:
        calls.append(1)
        connection.execute(text("INSERT INTO pair VALUES (1, 0)"))

    with pytest.raises(IntegrityError) as raised:
        run_in_transaction(pairs, work, attempts=3)
    assert len(calls) == 3
    assert sqlstate(raised.value) == "23505"


def test_a_connection_that_the_server_closed_is_replaced(
    pairs: Engine, administrate: Callable[[str], None]
) -> None:
    """A pooled connection that died while it lay idle does not fail the next transaction."""
    with pairs.connect() as connection:
        idle = connection.scalar(text("SELECT pg_backend_pid()"))
    administrate(f"SELECT pg_terminate_backend({idle}, 5000)")
    run_in_transaction(pairs, lambda connection: _add(connection, 1))
    assert _counts(pairs) == [1, 0]


def test_a_statement_past_its_time_is_not_tried_again(database: Engine) -> None:
    """A statement timeout ends the work with 57014, once."""
    calls = []

    def work(connection: Connection) -> None:
        calls.append(1)
        connection.execute(text("SET LOCAL statement_timeout = '50ms'"))
        connection.execute(text("SELECT pg_sleep(10)"))

    with pytest.raises(DBAPIError) as raised:
        run_in_transaction(database, work)
    assert (calls, sqlstate(raised.value)) == ([1], "57014")


def _add(connection: Connection, row: int) -> int:
    statement = text("UPDATE pair SET count = count + 1 WHERE id = :row RETURNING count")
    return int(connection.execute(statement, {"row": row}).scalar_one())


def _counts(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT count FROM pair ORDER BY id")))
