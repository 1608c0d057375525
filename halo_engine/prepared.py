"""Statements that every call of a door executes: compiled once, run by the driver's own cursor.

SQLAlchemy looks a statement up in its cache, sets up a context and a result, and describes each
column, whenever it executes one: 50 microseconds, three times what sending it takes. A handful of
statements are executed so often that this shows; they are the ones to be ``Prepared``.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import ClauseElement, Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

_Writer = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class Later:
    """A statement's own value that is worked out for each execution, of what ``rows`` is told."""

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

    def rows(
        self, connection: Connection, values: Mapping[str, Any], told: object = None
    ) -> list[dict[str, Any]]:
        """Execute it with these values, and return its rows, each by the names of its columns; none
        of a statement that returns nothing.

        What is worked out for each execution (``Later``) is worked out of ``told``.
        """
        if not connection.in_transaction():
            connection.begin()
        text, parameters, own, later = self._for_driver(connection.dialect)
        all_values = {**own, **{name: value(told) for name, value in later.items()}, **values}
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
            if self._columns is None:
                # Asked of the driver once: it makes an object of each column.
                self._columns = tuple(column.name for column in cursor.description or ())
            if not self._columns:
                return []
            return [dict(zip(self._columns, row, strict=True)) for row in cursor.fetchall()]
        except psycopg.Error as error:
            raise _as_usual(connection, cursor, text, bound, error) from error
        finally:
            cursor.close()

    def _for_driver(self, dialect: Dialect) -> _Compiled:
        if self._compiled is None:
            assert self._statement is not None
            compiled: Any = self._statement.compile(dialect=dialect)
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
    """Statements kept under what they were built of, the most recently used.

    What a statement is built of has its key's hash and equality; all else comes with an execution.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[Hashable, Prepared] = OrderedDict()
        self._access = Lock()

    def get(self, key: Hashable, build: Callable[[], ClauseElement]) -> Prepared:
        """Return the statement that is kept under ``key``; when none is, it is built."""
        with self._access:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found
        made = Prepared(build())
        with self._access:
            self._kept[key] = made
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)
        return made


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
