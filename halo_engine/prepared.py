"""Statements that every call of a door executes: compiled once, run by the driver's own cursor.

SQLAlchemy looks a statement up in its cache, sets up a context and a result, and describes each
column, whenever it executes one: 50 microseconds, three times what sending it takes. A handful of
statements are executed so often that this shows; they are the ones to be ``Prepared``.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Connection, Dialect, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

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
    """A statement that returns rows as the driver reads them, for engines of ``create_engine``.

    To whoever listens to what a connection executes, and in the errors it raises, it is like any
    other statement.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._compiled: _Compiled | None = None

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Execute it with these values, and return its rows, each by the names of its columns."""
        if not connection.in_transaction():
            connection.begin()
        text, parameters, own, columns = self._for_driver(connection.dialect)
        all_values = {**own, **values}
        bound = tuple(
            [
                all_values[name] if write is None else write(all_values[name])
                for name, write in parameters
            ]
        )
        cursor: Any = connection.connection.cursor()
        for listener in connection.dispatch.before_cursor_execute:
            listener(connection, cursor, text, bound, None, False)
        try:
            cursor.execute(text, bound)
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        except psycopg.Error as error:
            raise _as_usual(connection, cursor, text, bound, error) from error
        finally:
            cursor.close()

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
                tuple(self._statement.selected_columns.keys()),
            )
        return self._compiled


def _writer(type_: TypeEngine[Any], dialect: Dialect) -> _Writer:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _as_usual(
    connection: Connection, cursor: Any, text: str, bound: Any, error: psycopg.Error
) -> Exception:
    """Return the error as SQLAlchemy raises it; a connection that is lost is given up."""
    dialect: Any = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, cursor)
    if lost:
        connection.invalidate(error)
    raised: Exception = DBAPIError.instance(
        text, bound, error, psycopg.Error, connection_invalidated=lost, dialect=dialect
    )
    return raised
