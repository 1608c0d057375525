"""Statements that the driver itself prepares, on a real server."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    cast,
    delete,
    event,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, OperationalError

from halo_engine.database import AtOnce, kept_connection, sqlstate
from halo_engine.sql import prepared
from halo_engine.sql.cache import StatementCache
from halo_engine.sql.prepared import BoundStatement, Later, Prepared, Rows

COUNTERS = Table("counters", MetaData(), Column("name", Text, primary_key=True))
GIVEN = bindparam("given", type_=JSONB())
TWICE = Prepared(
    select(
        (cast(GIVEN["n"].astext, Integer) * literal(2)).label("twice"),
        GIVEN.label("given"),
        bindparam("word", type_=Text()).label("word"),
    )
)
HALF = Prepared(select((literal(1) / bindparam("by", type_=Integer())).label("half")))
ME = Prepared(select(func.pg_backend_pid().label("pid")))
COUNTED = Prepared(select(func.count().label("count")).select_from(COUNTERS))
COUNT_UP = Prepared(
    insert(COUNTERS).values(name=bindparam("asked_name")).returning(COUNTERS.c.name)
)
WAIT = Prepared(
    select(cast(func.pg_advisory_xact_lock(bindparam("asked_lock", type_=Integer())), Text))
)


def test_rows_come_by_name_and_values_are_written_by_type(database: Engine) -> None:
    """Rows have named columns, and values are sent by their type, JSON as JSON."""
    with database.connect() as connection:
        for n in range(12):
            values = {"given": {"n": n}, "word": None}
            assert TWICE.rows(connection, values) == [
                {"twice": 2 * n, "given": {"n": n}, "word": None}
            ]


def test_a_value_that_is_missing_is_no_null(database: Engine) -> None:
    """A parameter without a default must be given."""
    with database.connect() as connection, pytest.raises(KeyError, match="word"):
        TWICE.rows(connection, {"given": {"n": 1}})


def test_it_begins_a_transaction(database: Engine) -> None:
    """The first statement on a connection begins a transaction that can be committed."""
    made = Prepared(select(func.set_config("halo.test", "x", True).label("made")))
    asked = select(func.current_setting("halo.test", True))
    with database.connect() as connection:
        made.rows(connection, {})
        assert connection.in_transaction()
        assert connection.scalar(asked) == "x"
        connection.commit()
        assert connection.scalar(asked) == ""


def test_errors_are_those_of_any_statement(database: Engine) -> None:
    """A refused statement raises SQLAlchemy's error, with PostgreSQL's code."""
    with database.connect() as connection, pytest.raises(DBAPIError) as raised:
        HALF.rows(connection, {"by": 0})
    assert sqlstate(raised.value) == "22012"


def test_a_lost_connection_is_given_up(database: Engine) -> None:
    """A connection that the server closes raises a lost connection, and the next one is new."""
    ended = Prepared(select(func.pg_terminate_backend(func.pg_backend_pid()).label("ended")))
    with database.connect() as connection, pytest.raises(OperationalError) as raised:
        ended.rows(connection, {})
    assert raised.value.connection_invalidated
    with database.connect() as connection:
        assert HALF.rows(connection, {"by": 1}) == [{"half": 1}]


@pytest.fixture
def counters(database: Engine) -> Engine:
    """A database with an empty table."""
    COUNTERS.create(database)
    return database


def test_calls_at_once_are_one_transaction(counters: Engine) -> None:
    """Pipelined calls are one transaction: each sees the earlier ones, and a failure rolls all
    back.
    """
    both = [BoundStatement(COUNT_UP, {"asked_name": "a"}), BoundStatement(COUNTED, {})]
    assert run_at_once(counters, both) == [[{"name": "a"}], [{"count": 1}]]
    with pytest.raises(DBAPIError) as raised:
        run_at_once(
            counters,
            [BoundStatement(COUNT_UP, {"asked_name": "b"}), BoundStatement(HALF, {"by": 0})],
        )
    assert sqlstate(raised.value) == "22012"
    assert run_at_once(counters, [BoundStatement(COUNTED, {})]) == [[{"count": 1}]]
    with counters.begin() as connection:
        assert COUNTED.rows(connection, {}) == [{"count": 1}]
        COUNT_UP.rows(connection, {"asked_name": "c"})
        connection.rollback()
    assert run_at_once(counters, [BoundStatement(COUNTED, {})]) == [[{"count": 1}]]


@pytest.mark.parametrize("names", ["a", "ab"])
def test_a_stop_between_calls_leaves_nothing(counters: Engine, names: str) -> None:
    """A stop before the last pipelined call rolls all of them back."""

    def stop(_connection: object) -> None:
        raise SystemExit(1)

    event.listen(counters, "commit", stop)
    with pytest.raises(SystemExit):
        run_at_once(counters, [BoundStatement(COUNT_UP, {"asked_name": name}) for name in names])
    event.remove(counters, "commit", stop)
    assert run_at_once(counters, [BoundStatement(COUNTED, {})]) == [[{"count": 0}]]


class Stopped(BaseException):
    """A worker was told to stop, as from a signal handler."""


@pytest.mark.parametrize("names", ["a", "ab"])
def test_a_stop_at_any_bytecode_leaves_all_or_nothing(counters: Engine, names: str) -> None:
    """A stop at any bytecode leaves no half transaction, and no connection in autocommit."""
    calls = [BoundStatement(COUNT_UP, {"asked_name": name}) for name in names]
    is_over, point = False, 0
    while not is_over:
        point += 1
        try:
            with _stopping_at(point), kept_connection(counters) as at_once:
                at_once(calls)
            is_over = True
        except Stopped:
            pass
        with counters.begin() as connection:
            driver: Any = connection.connection.driver_connection
            assert not driver.autocommit
            left = len(connection.execute(delete(COUNTERS).returning(COUNTERS.c.name)).all())
            assert left in ((len(names),) if is_over else (0, len(names))), point
    assert point > 100


@contextmanager
def _stopping_at(point: int) -> Iterator[None]:
    """Stop at this bytecode of the module, counted from one."""
    left = point

    def trace(frame: FrameType, what: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != prepared.__file__:
            return None
        frame.f_trace_opcodes = True
        left -= what == "opcode"
        if left == 0:
            sys.settrace(None)
            raise Stopped
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_a_call_that_the_driver_refuses_leaves_nothing(counters: Engine) -> None:
    """A call that the driver refuses rolls the calls before it back."""
    refused = [
        BoundStatement(COUNT_UP, {"asked_name": "a"}),
        BoundStatement(COUNT_UP, {"asked_name": "\0"}),
    ]
    with pytest.raises(DBAPIError, match="NUL"):
        run_at_once(counters, refused)
    assert run_at_once(counters, [BoundStatement(COUNTED, {})]) == [[{"count": 0}]]


def test_calls_behind_one_that_fails_can_be_made_again(counters: Engine) -> None:
    """Later calls work even if the driver believes that it prepared their statements."""
    with kept_connection(counters) as at_once:
        for divisor in (1, 1, 1, 1, 1, 0, 1):
            calls = [BoundStatement(HALF, {"by": divisor}), BoundStatement(COUNTED, {})]
            if divisor:
                assert at_once(calls)[1] == [{"count": 0}]
                continue
            with pytest.raises(DBAPIError):
                at_once(calls)


def test_calls_whose_commit_fails_leave_nothing(database: Engine) -> None:
    """A failed commit returns no rows, and the broken connection is discarded."""
    once = UniqueConstraint("name", deferrable=True, initially="DEFERRED")
    table = Table("checked_late", MetaData(), Column("name", Text), once)
    table.create(database)
    add = Prepared(insert(table).values(name="a").returning(table.c.name))
    counted = Prepared(select(func.count().label("count")).select_from(table))
    with kept_connection(database) as at_once:
        at_once([BoundStatement(add, {})])
        # The driver does not expect an end that fails, and stumbles sooner or later.
        with pytest.raises((DBAPIError, IndexError)):
            at_once([BoundStatement(add, {})])
        assert at_once([BoundStatement(counted, {})]) == [[{"count": 1}]]


def test_a_call_sees_what_was_committed_while_an_earlier_one_waited(counters: Engine) -> None:
    """A call behind a lock sees what the lock's last holder committed."""
    with ThreadPoolExecutor(1) as worker, counters.connect() as other:
        WAIT.rows(other, {"asked_lock": 7})
        behind = [BoundStatement(WAIT, {"asked_lock": 7}), BoundStatement(COUNTED, {})]
        counted = worker.submit(run_at_once, counters, behind)
        while not _somebody_waits(counters):
            assert not counted.done()
        COUNT_UP.rows(other, {"asked_name": "a"})
        other.commit()
        assert counted.result(timeout=120)[1] == [{"count": 1}]


def test_a_race_that_calls_at_once_lose_is_run_again(counters: Engine) -> None:
    """Pipelined calls that lose a race are run again as often as any transaction."""
    run_at_once(counters, [BoundStatement(COUNT_UP, {"asked_name": "a"})])
    with pytest.raises(DBAPIError) as raised:
        run_at_once(counters, [BoundStatement(COUNT_UP, {"asked_name": "a"})])
    assert sqlstate(raised.value) == "23505"


def test_a_connection_lost_amid_calls_is_given_up(counters: Engine) -> None:
    """The next calls use another connection."""
    ended = Prepared(select(func.pg_terminate_backend(func.pg_backend_pid()).label("ended")))
    with pytest.raises(OperationalError) as raised:
        run_at_once(
            counters, [BoundStatement(COUNT_UP, {"asked_name": "a"}), BoundStatement(ended, {})]
        )
    assert raised.value.connection_invalidated
    assert run_at_once(counters, [BoundStatement(COUNTED, {})]) == [[{"count": 0}]]


def run_at_once(database: Engine, calls: Sequence[BoundStatement]) -> Sequence[Rows]:
    """Run calls as a transaction of their own, on a connection of their own."""
    with kept_connection(database) as at_once:
        return at_once(calls)


def test_a_line_goes_on_when_its_connection_is_lost(counters: Engine) -> None:
    """A kept line of calls continues on a new connection, whether the old one broke amid calls or
    while idle.
    """
    ended = Prepared(select(func.pg_terminate_backend(bindparam("pid", type_=Integer()), 5000)))
    with kept_connection(counters) as at_once:
        first = _backend(at_once)
        with pytest.raises(OperationalError):
            at_once([BoundStatement(ended, {"pid": first})])
        second = _backend(at_once)
        with counters.connect() as other:
            ended.rows(other, {"pid": second})
        assert len({first, second, _backend(at_once)}) == 3


def _backend(at_once: AtOnce) -> int:
    [[row]] = at_once([BoundStatement(ME, {})])
    return int(row["pid"])


def _somebody_waits(database: Engine) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with database.connect() as connection:
        return bool(connection.execute(waiting).scalar_one())


def test_statements_are_kept_up_to_so_many_series() -> None:
    """The least recently used statement gives way to a new one; one larger than the whole cache
    stays.
    """
    kept = StatementCache(room=3)
    built: list[str] = []

    def get(key: str, size: int) -> Prepared:
        def build() -> Any:
            built.append(key)
            return select(func.count())

        return kept.get(key, build, size=size)

    first = get("a", 2)
    get("b", 1)
    assert get("a", 2) is first
    get("c", 1)
    get("b", 1)
    assert built == ["a", "b", "c", "b"]
    get("all", 9)
    get("all", 9)
    assert built == ["a", "b", "c", "b", "all"]


def test_what_depends_on_the_moment_is_worked_out_for_each_execution(database: Engine) -> None:
    """A statement that is built once uses the instant of each execution."""
    doubled: Any = bindparam(None, Later(lambda given: given * 2), Integer(), unique=True)
    statement = Prepared(select(doubled.label("doubled")))
    with database.connect() as connection:
        found = [statement.rows(connection, {}, given) for given in (2, 21)]
    assert found == [[{"doubled": 4}], [{"doubled": 42}]]
