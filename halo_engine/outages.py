"""Tell the database's outages from errors of the call that met them (contract §2).

A call that meets an outage is retried until the database is back; any other error is its own.
"""

from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from halo_engine.database import sqlstate

#: SQLSTATEs of a broken session or server, by class (two characters) or code. The next statement
#: would fail in the same way.
_TROUBLES: Final = {
    "08": "the connection broke",
    "28": "the server refuses our account",
    "53": "the server is out of connections, memory or disk",
    "58": "the server's system fails",
    "3D000": "the database does not exist",
    "25006": "the server takes no writes: a standby, or one that was demoted",
    "25P03": "the server ended the session: idle in a transaction",
    "25P04": "the server ended the session: the transaction took too long",
    "57P01": "the server ended the session: it shuts down, or an operator did it",
    "57P02": "the server crashed",
    "57P03": "the server starts or shuts down",
    "57P04": "the database was dropped",
    "57P05": "the server ended the session: idle",
}


def database_trouble(error: BaseException) -> str | None:
    """Return in a few words what is wrong with the database; None if the error is not an outage.

    A driver's error without a SQLSTATE comes from the connection itself: no server answers, its
    name is unknown, or the connection was closed during a statement.
    """
    if isinstance(error, PoolTimeout):
        return "no connection of the pool is free"
    if not isinstance(error, DBAPIError):
        return None
    state = sqlstate(error)
    if state is not None:
        known = _TROUBLES.get(state) or _TROUBLES.get(state[:2])
        return known or (_BROKE if error.connection_invalidated else None)
    broke = error.connection_invalidated or isinstance(error.orig, _OF_THE_CONNECTION)
    return _BROKE if broke else None


_BROKE: Final = "no server answers, or the connection broke"
_OF_THE_CONNECTION: Final = (psycopg.OperationalError, psycopg.InterfaceError)
