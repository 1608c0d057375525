"""Statements that every call of a door executes: compiled once, run by the driver's own cursor.

For each execution SQLAlchemy looks the statement up in its cache, sets up a context and a result,
and describes each column: 50 microseconds, three times what sending it takes. A few statements run
so often that this matters; those are ``Prepared``.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import ClauseElement, Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Rows = list[dict[str, Any]]

_Writer = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class Later:
    """A value of the statement that is computed for each execution, from ``told``."""

    value: Callable[[Any], Any]


class _Compiled(NamedTuple):
    """The text; in their order the parameters, each with what writes it for the driver; the values
    that the statement has of its own, and those of them that are worked out.
    """

    text: str
    parameters: tuple[tuple[str, _Writer], ...]
    own: Mapping[str, Any]
    later: Mapping[str, Callable[[Any], Any]]


class Prepared:
    """A statement that returns rows as the driver reads them, for engines of ``create_engine``.

    To whoever listens to what a connection executes, and in the errors it raises, it is like any
    other statement.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement: ClauseElement | None = statement
        self._compiled: _Compiled | None = None
        self._columns: tuple[str, ...] | None = None

    def rows(self, connection: Connection, values: Mapping[str, Any], told: object = None) -> Rows:
        """Execute it with these values, and return its rows, each by the names of its columns; none
        of a statement that returns nothing.

        What is worked out for each execution (``Later``) is worked out of ``told``.
        """
        if not connection.in_transaction():
            connection.begin()
        text, bound = self.bound(connection.dialect, values, told)
        cursor = connection.connection.cursor()
        try:
            _execute(connection, cursor, text, bound)
            return self.read(cursor)
        except psycopg.Error as error:
            raise _as_usual(connection, text, bound, error) from error
        finally:
            cursor.close()

    def bound(
        self, dialect: Dialect, values: Mapping[str, Any], told: object = None
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the text and the parameters as the driver is given them."""
        text, parameters, own, later = self._for_driver(dialect)
        all_values = {**own, **{name: value(told) for name, value in later.items()}, **values}
        return text, tuple(
            [
                all_values[name] if write is None else write(all_values[name])
                for name, write in parameters
            ]
        )

    def read(self, cursor: Any) -> Rows:
        """Return what a cursor found that executed it; a statement may have no rows at all."""
        if self._columns is None:
            # Asked of the driver once: it makes an object of each column.
            self._columns = tuple(column.name for column in cursor.description or ())
        if not self._columns:
            return []
        return [dict(zip(self._columns, row, strict=True)) for row in cursor.fetchall()]

    def _for_driver(self, dialect: Dialect) -> _Compiled:
        # Read first: another thread that compiles meanwhile gives it up afterwards.
        statement = self._statement
        if self._compiled is None:
            assert statement is not None
            compiled: Any = statement.compile(dialect=dialect)
            own = {
                name: value
                for name, value in compiled.params.items()
                if not compiled.binds[name].required
            }
            later = {name: own.pop(name).value for name in [*own] if type(own[name]) is Later}
            self._compiled = _Compiled(
                str(compiled),
                tuple(
                    (name, _writer(compiled.binds[name].type, dialect))
                    for name in compiled.positiontup
                ),
                own,
                later,
            )
            # It is many times larger than its text.
            self._statement = None
        return self._compiled


class KeptStatements:
    """A cache of statements, least recently used first out.

    The key is everything that a statement is built from. The organisation comes first: another one
    may have series of the same ids. All else is a parameter.
    """

    def __init__(self, room: int = 5_000) -> None:
        self._room = room
        self._kept: OrderedDict[Hashable, tuple[Prepared, int]] = OrderedDict()
        self._taken = 0
        self._access = Lock()

    def get(self, key: Hashable, build: Callable[[], ClauseElement], *, size: int) -> Prepared:
        """Return the statement that is kept under ``key``; when none is, it is built.

        ``size`` is how many series it is built of: so many in all there is room for.
        """
        with self._access:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found[0]
        made = Prepared(build())
        with self._access:
            _, replaced = self._kept.pop(key, (made, 0))
            self._kept[key] = made, size
            self._taken += size - replaced
            while self._taken > self._room and len(self._kept) > 1:
                _, (_, given_up) = self._kept.popitem(last=False)
                self._taken -= given_up
        return made


class Call(NamedTuple):
    """A statement and the values of its parameters."""

    statement: Prepared
    values: Mapping[str, Any]

    def rows(self, connection: Connection) -> Rows:
        """Execute it, and return its rows."""
        return self.statement.rows(connection, self.values)


def at_once(connection: Connection, calls: Iterable[Call]) -> list[Rows]:
    """Execute the calls, one after the other, as one transaction in one round trip; commit it.

    A later call sees the locks and writes of an earlier one. The connection must not be in a
    transaction. Returns each call's rows.
    """
    told = [
        (each.statement, *each.statement.bound(connection.dialect, each.values)) for each in calls
    ]
    try:
        try:
            with _transaction(connection, of=len(told)):
                cursors = _executed(connection, told)
            return [each.read(cursor) for cursor, (each, *_) in zip(cursors, told, strict=True)]
        except psycopg.Error as error:
            sent = "; ".join(text for _, text, _ in told)
            raise _as_usual(connection, sent, (), error) from error
    except BaseException:
        # Its state is unknown: the driver believes that statements behind a failed one were
        # prepared, and a pipeline that fails at its end stays open.
        connection.invalidate()
        raise


@contextmanager
def _transaction(connection: Connection, *, of: int) -> Iterator[None]:
    """Make a transaction ``of`` so many statements: at the end all that was executed is committed.

    PostgreSQL takes what comes up to the end of a pipeline for one, and a statement that comes
    alone; so it needs neither BEGIN nor COMMIT.
    """
    driver: Any = connection.connection.driver_connection
    driver.autocommit = True
    if of == 1:
        connection.dispatch.commit(connection)
        yield
    else:
        with _pipeline(driver):
            yield
            connection.dispatch.commit(connection)
    driver.autocommit = False


@contextmanager
def _pipeline(driver: Any) -> Iterator[None]:
    try:
        with driver.pipeline():
            try:
                yield
            except BaseException:
                # The end of the pipeline would commit what came so far.
                driver.close()
                raise
    except psycopg.OperationalError as error:
        if driver.closed or error.__context__ is None:
            raise
        # The driver complains that the pipeline cannot be left, and hides why: its end failed, or
        # somebody was told to stop amid it.
        raise error.__context__ from None


def _executed(
    connection: Connection, told: Sequence[tuple[Prepared, str, tuple[Any, ...]]]
) -> list[Any]:
    cursors = [connection.connection.cursor() for _ in told]
    for cursor, (_, text, bound) in zip(cursors, told, strict=True):
        _execute(connection, cursor, text, bound)
    return cursors


def _execute(connection: Connection, cursor: Any, text: str, bound: tuple[Any, ...]) -> None:
    for listener in connection.dispatch.before_cursor_execute:
        listener(connection, cursor, text, bound, None, False)
    cursor.execute(text, bound)


def _writer(type_: TypeEngine[Any], dialect: Dialect) -> _Writer:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _as_usual(connection: Connection, text: str, bound: Any, error: psycopg.Error) -> Exception:
    """Return the error as SQLAlchemy raises it; drop a lost connection."""
    dialect: Any = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    if lost:
        connection.invalidate(error)
    raised: Exception = DBAPIError.instance(
        text, bound, error, psycopg.Error, connection_invalidated=lost, dialect=dialect
    )
    return raised
