"""Statements that are executed so often that it shows: compiled once, run by the driver's cursor.

SQLAlchemy looks a statement up in its cache, sets up a context and a result, and describes each
column, whenever it executes one: 50 microseconds, three times what sending it takes. A handful of
statements are executed so often that this shows; they are the ones to be ``Prepared``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import Executable
from sqlalchemy.types import TypeEngine

Rows = list[dict[str, Any]]

_Writer = Callable[[Any], Any] | None


class _Compiled(NamedTuple):
    """The text; in their order the parameters, each with what writes it for the driver; the values
    that the statement has of its own; the names of the columns.
    """

    text: str
    parameters: tuple[tuple[str, _Writer], ...]
    own: Mapping[str, Any]
    columns: tuple[str, ...]


class Prepared:
    """A statement whose rows are as the driver reads them, for engines of ``create_engine``.

    To whoever listens to what a connection executes, and in the errors it raises, it is like any
    other statement.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement
        self._compiled: _Compiled | None = None

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Rows:
        """Execute it with these values, and return its rows, each by the names of its columns."""
        if not connection.in_transaction():
            connection.begin()
        text, bound = self.bound(connection.dialect, values)
        cursor = connection.connection.cursor()
        try:
            _execute(connection, cursor, text, bound)
            return self.read(cursor)
        except psycopg.Error as error:
            raise _as_usual(connection, text, bound, error) from error
        finally:
            cursor.close()

    def bound(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """Return the text and the parameters as the driver is given them."""
        text, parameters, own, _ = self._for_driver(dialect)
        all_values = {**own, **values}
        return text, tuple(
            [
                all_values[name] if write is None else write(all_values[name])
                for name, write in parameters
            ]
        )

    def read(self, cursor: Any) -> Rows:
        """Return what a cursor found that executed it; a statement may have no rows at all."""
        if cursor.description is None or self._compiled is None:
            return []
        columns = self._compiled.columns
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def _for_driver(self, dialect: Dialect) -> _Compiled:
        if self._compiled is None:
            compiled: Any = self._statement.compile(dialect=dialect)
            self._compiled = _Compiled(
                str(compiled),
                tuple(
                    (name, _writer(compiled.binds[name].type, dialect))
                    for name in compiled.positiontup
                ),
                {
                    name: value
                    for name, value in compiled.params.items()
                    if not compiled.binds[name].required
                },
                tuple(self._statement.exported_columns.keys()),
            )
        return self._compiled


class Call(NamedTuple):
    """A statement and the values that it is to be executed with."""

    statement: Prepared
    values: Mapping[str, Any]

    def rows(self, connection: Connection) -> Rows:
        """Execute it, and return its rows."""
        return self.statement.rows(connection, self.values)


def at_once(connection: Connection, calls: Iterable[Call]) -> list[Rows]:
    """Execute the calls, one after the other, as one transaction in one round trip; commit it.

    What an earlier one locks, a later one finds locked, and reads as it is from then on. The
    connection is in no transaction. Returns each call's rows.
    """
    driver: Any = connection.connection.driver_connection
    told = [
        (each.statement, *each.statement.bound(connection.dialect, each.values)) for each in calls
    ]
    try:
        with _transaction(driver):
            cursors = [driver.cursor() for _ in told]
            for cursor, (_, text, bound) in zip(cursors, told, strict=True):
                _execute(connection, cursor, text, bound)
            connection.dispatch.commit(connection)
        return [each.read(cursor) for cursor, (each, *_) in zip(cursors, told, strict=True)]
    except psycopg.Error as error:
        raised = _as_usual(connection, "; ".join(text for _, text, _ in told), (), error)
        if not connection.invalidated:
            driver.autocommit = False
        raise raised from error
    except BaseException:
        # Told to stop in the middle: nobody knows how far it came.
        connection.invalidate()
        raise


@contextmanager
def _transaction(driver: Any) -> Iterator[None]:
    """Make a transaction of what is executed within: at the end all of it is committed.

    PostgreSQL takes what comes up to the end of a pipeline for one; so it needs neither BEGIN nor
    COMMIT.
    """
    driver.autocommit = True
    with driver.pipeline():
        try:
            yield
        except psycopg.Error:
            raise
        except BaseException:
            # The end of the pipeline would commit what came so far.
            driver.close()
            raise
    driver.autocommit = False


def _execute(connection: Connection, cursor: Any, text: str, bound: tuple[Any, ...]) -> None:
    for listener in connection.dispatch.before_cursor_execute:
        listener(connection, cursor, text, bound, None, False)
    cursor.execute(text, bound)


def _writer(type_: TypeEngine[Any], dialect: Dialect) -> _Writer:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _as_usual(connection: Connection, text: str, bound: Any, error: psycopg.Error) -> Exception:
    """Return the error as SQLAlchemy raises it; a connection that is lost is given up."""
    dialect: Any = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    if lost:
        connection.invalidate(error)
    raised: Exception = DBAPIError.instance(
        text, bound, error, psycopg.Error, connection_invalidated=lost, dialect=dialect
    )
    return raised
