"""Rows that go from one server straight to another, in PostgreSQL's binary format."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, TextClause

from halo_engine.sql.prepared import as_usual
from halo_engine.sql.statements import as_sent

#: Rows are passed on in pieces of about so many bytes.
_PIECE: Final = 1 << 18


def stream(source: Connection, out: TextClause, target: Connection, into: TextClause) -> int:
    """Pass the rows of a ``COPY … TO STDOUT`` to a ``COPY … FROM STDIN``; return how many.

    Neither transaction is committed. Raises the errors of either server as SQLAlchemy does.
    """
    reader, writer = source.connection.cursor(), target.connection.cursor()
    try:
        with _copy(target, writer, into) as given, _copy(source, reader, out) as read:
            for piece in _pieces(read):
                given.write(piece)
        return int(writer.rowcount)
    finally:
        reader.close()
        writer.close()


@contextmanager
def _copy(connection: Connection, cursor: Any, statement: TextClause) -> Iterator[Any]:
    text = as_sent(statement)
    for listener in connection.dispatch.before_cursor_execute:
        listener(connection, cursor, text, (), None, False)
    try:
        with cursor.copy(text) as copy:
            yield copy
    except psycopg.Error as error:
        raise as_usual(connection, text, (), error) from error


def _pieces(read: Any) -> Iterator[bytes]:
    rows: list[bytes] = []
    size = 0
    for row in read:
        data = bytes(row)
        rows.append(data)
        size += len(data)
        if size >= _PIECE:
            yield b"".join(rows)
            rows, size = [], 0
    yield b"".join(rows)
