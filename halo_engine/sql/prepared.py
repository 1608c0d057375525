"""Statements that every call of a door executes: compiled once, run by the driver's own cursor.

For each execution SQLAlchemy looks the statement up in its cache, sets up a context and a result,
and describes each column: 50 microseconds, three times what sending it takes. A few statements run
so often that this matters; those are ``Prepared``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, ParamSpec, cast

import psycopg
from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from halo_engine.sql.statements import marked, name_of, statement

Rows = list[dict[str, Any]]

_Given = ParamSpec("_Given")
_Writer = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class Later:
    """A value of the statement that is computed for each execution, from ``given``."""

    value: Callable[[Any], Any]


class Compiled(NamedTuple):
    """A statement's text; its parameters in order, each with the function that converts it for the
    driver; its constants (``own``), and those that are computed for each execution (``later``).
    """

    text: str
    parameters: tuple[tuple[str, _Writer], ...]
    own: Mapping[str, Any]
    later: Mapping[str, Callable[[Any], Any]]


class Prepared:
    """A statement that returns rows as the driver reads them, for engines of ``create_engine``.

    SQLAlchemy's event listeners and errors see it like any other statement.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement: Executable | None = statement
        self._compiled: Compiled | None = None
        self._columns: tuple[str, ...] | None = None

    def rows(self, connection: Connection, values: Mapping[str, Any], given: object = None) -> Rows:
        """Execute it with these values; return its rows, each as a dict by the names of its
        columns.

        ``Later`` values are computed from ``given``. A statement that returns no rows returns an
        empty list.
        """
        if not connection.in_transaction():
            connection.begin()
        text, bound = self.bound(connection.dialect, values, given)
        cursor = connection.connection.cursor()
        try:
            _execute(connection, cursor, text, bound)
            return self.read(cursor)
        except psycopg.Error as error:
            raise as_usual(connection, text, bound, error) from error
        finally:
            cursor.close()

    def bound(
        self, dialect: Dialect, values: Mapping[str, Any], given: object = None
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the text and the parameters as the driver takes them."""
        text, parameters, own, later = self.compiled(dialect)
        all_values = {**own, **{name: value(given) for name, value in later.items()}, **values}
        return text, tuple(
            [
                all_values[name] if write is None else write(all_values[name])
                for name, write in parameters
            ]
        )

    def read(self, cursor: Any) -> Rows:
        """Return the rows of a cursor that executed it; none if the statement returns no rows."""
        if self._columns is None:
            # Read once: the driver makes an object for each column every time.
            self._columns = tuple(column.name for column in cursor.description or ())
        if not self._columns:
            return []
        return [dict(zip(self._columns, row, strict=True)) for row in cursor.fetchall()]

    def compiled(self, dialect: Dialect) -> Compiled:
        """Return the statement as it is sent."""
        # Read before the check: another thread that compiles meanwhile sets it to None.
        statement = self._statement
        if self._compiled is None:
            assert statement is not None
            self._compiled = _compile(statement, dialect)
            # Not needed any more, and many times larger than its text.
            self._statement = None
        return self._compiled


def _compile(statement: Executable, dialect: Dialect) -> Compiled:
    compiled = cast(Any, statement).compile(dialect=dialect)
    required = {name for name, bind in compiled.binds.items() if bind.required}
    # Each value of an IN becomes a parameter of its own.
    expanded = compiled.construct_expanded_state(dict.fromkeys(required))
    own = {name: each for name, each in expanded.parameters.items() if name not in required}
    later = {name: own.pop(name).value for name in [*own] if type(own[name]) is Later}
    name = name_of(statement)
    return Compiled(
        marked(expanded.statement, name) if name else expanded.statement,
        tuple(
            (each, _writer(compiled.binds[each].type, dialect) if each in compiled.binds else None)
            for each in expanded.positiontup
        ),
        own,
        later,
    )


def prepared(
    name: str, /, **samples: Any
) -> Callable[[Callable[_Given, Executable]], Callable[_Given, Prepared]]:
    """Declare the statement that a function builds (``statements.statement``), and prepare it.

    It is built once for each set of arguments.
    """

    def declare(build: Callable[_Given, Executable]) -> Callable[_Given, Prepared]:
        declared = statement(name, **samples)(build)
        kept = lru_cache(maxsize=None)(lambda *given, **named: Prepared(declared(*given, **named)))
        return cast(Callable[_Given, Prepared], kept)

    return declare


class BoundStatement(NamedTuple):
    """A statement and the values of its parameters."""

    statement: Prepared
    values: Mapping[str, Any]

    def rows(self, connection: Connection) -> Rows:
        """Execute it, and return its rows."""
        return self.statement.rows(connection, self.values)


def at_once(connection: Connection, calls: Iterable[BoundStatement]) -> list[Rows]:
    """Execute the calls, one after the other, as one transaction in one round trip; commit it.

    A later call sees the locks and writes of an earlier one. The connection must not be in a
    transaction. Returns each call's rows.
    """
    given = [
        (each.statement, *each.statement.bound(connection.dialect, each.values)) for each in calls
    ]
    cursors: list[Any] = []
    try:
        try:
            with _transaction(connection, of=len(given)):
                cursors += [connection.connection.cursor() for _ in given]
                _execute_all(connection, cursors, given)
            return [each.read(cursor) for cursor, (each, *_) in zip(cursors, given, strict=True)]
        except psycopg.Error as error:
            sent = "; ".join(text for _, text, _ in given)
            raise as_usual(connection, sent, (), error) from error
    except BaseException:
        # Its state is unknown: the driver believes that statements behind a failed one were
        # prepared, and a pipeline that fails at its end stays open.
        connection.invalidate()
        raise
    finally:
        for each in cursors:
            each.close()


@contextmanager
def _transaction(connection: Connection, *, of: int) -> Iterator[None]:
    """Make one transaction ``of`` so many statements, and commit it at the end.

    To PostgreSQL a pipeline is one transaction, and so is a statement that comes alone. So neither
    BEGIN nor COMMIT is sent.
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
        # The driver reports only that it cannot leave the pipeline. The cause is the error's
        # context: the end of the pipeline failed, or the worker was stopped in it.
        raise error.__context__ from None


def _execute_all(
    connection: Connection,
    cursors: Sequence[Any],
    given: Sequence[tuple[Prepared, str, tuple[Any, ...]]],
) -> None:
    for cursor, (_, text, bound) in zip(cursors, given, strict=True):
        _execute(connection, cursor, text, bound)


def _execute(connection: Connection, cursor: Any, text: str, bound: tuple[Any, ...]) -> None:
    for listener in connection.dispatch.before_cursor_execute:
        listener(connection, cursor, text, bound, None, False)
    cursor.execute(text, bound)


def _writer(type_: TypeEngine[Any], dialect: Dialect) -> _Writer:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def as_usual(connection: Connection, text: str, bound: Any, error: psycopg.Error) -> Exception:
    """Return the error as SQLAlchemy raises it; drop a lost connection."""
    dialect: Any = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    if lost:
        connection.invalidate(error)
    raised: Exception = DBAPIError.instance(
        text, bound, error, psycopg.Error, connection_invalidated=lost, dialect=dialect
    )
    return raised
