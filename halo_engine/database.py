"""Connections to PostgreSQL; transactions that are run again if they lose a race."""

import random
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy
from sqlalchemy import Connection, Engine, Select, func
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from halo_engine.sql.planning import Cursor, tell_cursor
from halo_engine.sql.prepared import BoundStatement, Rows, at_once, prepared
from halo_engine.sql.statements import as_sent, named, send_names, statement

_Result = TypeVar("_Result")

AtOnce = Callable[[Sequence[BoundStatement]], Sequence[Rows]]


class LostRace(Exception):  # noqa: N818 -- nobody did anything wrong
    """Another transaction was first, although no constraint failed: this one has to run again."""


class MovedAway(Exception):  # noqa: N818 -- nobody did anything wrong
    """The organisation lives in another ``cell`` now: this database takes no writes of it."""

    def __init__(self, cell: str) -> None:
        super().__init__(cell)
        self.cell = cell


#: A write of an organisation that has moved; the error's DETAIL is the cell where it lives.
_MOVED: Final = "HM001"
#: Races between transactions: a deadlock, a serialization failure, the same new row twice (a unique
#: violation), and a row for a contact who is erased meanwhile (a foreign key violation). A second
#: try sees what the winner wrote.
_LOST_RACES = frozenset({"40P01", "40001", "23505", "23503"})
#: A statement ran into its time limit, or was cancelled by hand.
_CANCELED: Final = "57014"
#: The class of errors whose messages repeat the bad data.
_DATA: Final = "22"
_AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError)
_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.02
#: A pooled connection that was idle for longer is tested before use.
_TRUSTED_SECONDS: Final = 5.0
_IDLE_SINCE: Final = "idle since"
_TIMEOUT: Final = "statement_timeout_seconds"
_PROBE: Final = as_sent(named("probe_connection", sqlalchemy.text("SELECT 1")))


def share_statement_timeout(connection: Connection, among: int) -> None:
    """Divide the statement timeout by ``among`` for this transaction, so that so many long
    statements together take no longer than one may.
    """
    seconds = connection.get_execution_options()[_TIMEOUT]
    share = f"{max(round(seconds * 1000) // among, 1)}ms"
    connection.execute(_limiting_time(share))


@statement("limit_statement_time", share="30000ms")
def _limiting_time(share: str) -> Select[Any]:
    return sqlalchemy.select(func.set_config("statement_timeout", share, True))


@prepared("limit_lock_wait")
def _limiting_lock_wait() -> Select[Any]:
    return sqlalchemy.select(func.set_config("lock_timeout", "100ms", True))


#: The first statement of a transaction of several organisations: a lock that one of them waits for
#: is not to hold up the others.
WAIT_BRIEFLY: Final = BoundStatement(_limiting_lock_wait(), {})


def create_engine(
    url: str,
    *,
    application_name: str = "halo",
    statement_timeout_seconds: float = 60.0,
    pool_size: int = 2,
    pre_ping: bool = True,
    cursor: type[Cursor] = Cursor,
) -> Engine:
    """Make an engine whose sessions are READ COMMITTED, in UTC, and limited per statement.

    The pool holds `pool_size` connections and as many again under load; a caller waits 10 s for
    one. With ``pre_ping`` a connection that may be dead is tested before use, so a restart of the
    server fails no transaction. Every statement goes through a ``cursor``, which may watch them.
    Not safe to use after a fork: each worker process makes its own.
    """
    timeout = round(statement_timeout_seconds * 1000)
    engine = sqlalchemy.create_engine(
        url,
        isolation_level="READ COMMITTED",
        execution_options={_TIMEOUT: statement_timeout_seconds},
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        # Errors and logs must not show parameters.
        hide_parameters=True,
        # Number parameters as the server does: psycopg would rewrite a long statement on each call.
        paramstyle="numeric_dollar",
        connect_args={
            "application_name": application_name,
            "connect_timeout": 10,
            "cursor_factory": cursor,
            # JIT compiling a statement of 200 filters takes longer than running it.
            "options": f"-c timezone=UTC -c jit=off -c statement_timeout={timeout}"
            # For transactions without a BEGIN (``prepared.at_once``).
            r" -c default_transaction_isolation=read\ committed",
        },
    )
    sqlalchemy.event.listen(engine, "before_cursor_execute", tell_cursor)
    send_names(engine)
    if pre_ping:
        sqlalchemy.event.listen(engine, "checkin", _note_idle)
        sqlalchemy.event.listen(engine, "checkout", _try_doubtful)
    return engine


def _note_idle(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_IDLE_SINCE] = time.monotonic()


def _try_doubtful(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
    """Drop the pooled connections if this one is dead.

    When a server ends a session, it says so or closes the socket: then an idle connection has
    something to read. A server that vanished silently is noticed only by a round trip, which is
    made for connections that were idle for long.
    """
    since = record.info.get(_IDLE_SINCE)
    if since is None:
        return
    if time.monotonic() - since < _TRUSTED_SECONDS and not _has_news(connection):
        return
    try:
        connection.execute(_PROBE)
        connection.rollback()
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _has_news(connection: Any) -> bool:
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def run_in_transaction(
    engine: Engine, work: Callable[[Connection], _Result], *, attempts: int = _ATTEMPTS
) -> _Result:
    """Run `work` in a transaction of its own, commit, and return what it returned.

    A deadlock, a serialization failure, a unique or a foreign key violation, and a `LostRace`, run
    `work` again in a new transaction, up to `attempts` times in all with growing, random pauses;
    then the last error is raised. `work` must therefore do nothing that a rollback does not undo.
    """

    def once() -> _Result:
        with engine.begin() as connection:
            return work(connection)

    return _until_no_race_is_lost(once, attempts)


@contextmanager
def kept_connection(engine: Engine, *, attempts: int = _ATTEMPTS) -> Iterator[AtOnce]:
    """Keep a connection for short transactions that follow each other at once.

    Yields a function that runs statements as one transaction in one round trip
    (``prepared.at_once``) and returns each one's rows. Lost races are run again, as by
    `run_in_transaction`.
    """
    with engine.connect() as connection:

        def once(calls: Sequence[BoundStatement]) -> Sequence[Rows]:
            if not connection.invalidated and _has_news(connection.connection.driver_connection):
                connection.invalidate()
            return at_once(connection, calls)

        yield lambda calls: _until_no_race_is_lost(lambda: once(calls), attempts)


def _until_no_race_is_lost(once: Callable[[], _Result], attempts: int) -> _Result:
    for attempt in range(1, attempts):
        try:
            return _unless_moved(once)
        except LostRace:
            pass
        except DBAPIError as error:
            if sqlstate(error) not in _LOST_RACES:
                raise
        time.sleep(random.uniform(0.5, 1.5) * _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
    return _unless_moved(once)


def _unless_moved(once: Callable[[], _Result]) -> _Result:
    try:
        return once()
    except DBAPIError as error:
        if (moved := moved_away(error)) is not None:
            raise moved from error
        raise


def moved_away(error: DBAPIError) -> MovedAway | None:
    """Return where the organisation of a refused write lives now; None for any other error."""
    if sqlstate(error) != _MOVED:
        return None
    said: Any = error.orig
    return MovedAway(said.diag.message_detail or "")


def took_too_long(error: DBAPIError) -> bool:
    """Return whether a statement was cancelled, by its time limit or by hand; PostgreSQL has the
    same code for both.
    """
    return sqlstate(error) == _CANCELED


def server_is_gone(error: DBAPIError) -> bool:
    """Return whether there is no connection any more, or was none to begin with."""
    return error.connection_invalidated or sqlstate(error) is None


def problem_of(error: DBAPIError | psycopg.Error) -> str:
    """Return what PostgreSQL says is wrong, in one line that holds no row's values.

    Messages about bad data repeat the data, so for those only the code is returned.
    """
    problem = error.orig if isinstance(error, DBAPIError) else error
    state = sqlstate(error)
    if state is None:
        # The statement never reached the server. Unless the server is away, the text may repeat a
        # setting.
        return str(problem).partition("\n")[0] if isinstance(problem, _AWAY) else ""
    if state.startswith(_DATA):
        return f"data that is refused ({state})"
    return str(problem).partition("\n")[0]


def sqlstate(error: DBAPIError | psycopg.Error) -> str | None:
    """The error's SQLSTATE, five characters; None if it did not come from PostgreSQL."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    state: object = getattr(origin, "sqlstate", None)
    return state if isinstance(state, str) else None
