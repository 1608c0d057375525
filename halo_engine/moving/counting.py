"""What orders an organisation's rows, in another database too: arrival numbers and the clock."""

import time
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, Text, TextClause, bindparam, cast, func, select, text

from halo_engine.series.locks import ARRIVALS_LOCK
from halo_engine.sql.statements import named, statement

#: A sequence that is behind is set so far ahead: what the organisation writes meanwhile, and what
#: others draw in the target at this moment, is less.
_AHEAD: Final = 1_000_000
_STEP_SECONDS: Final = 0.01


def last_arrival(connection: Connection) -> int:
    """Return the largest arrival number that was given out in this database."""
    return int(connection.execute(_LAST).scalar_one())


_LAST: Final = named("read_last_arrival", text("SELECT last_value FROM arrivals"))


def raise_arrivals(connection: Connection, above: int) -> None:
    """Make the next arrival numbers here larger than ``above``: later rows sort behind earlier.

    Others that raise them wait until this transaction ends: a smaller number would set them back.
    Not undone by a rollback, which does no harm.
    """
    connection.execute(_lock_arrivals())
    connection.execute(_raise(above))


@statement("lock_arrivals")
def _lock_arrivals() -> Select[Any]:
    return select(cast(func.pg_advisory_xact_lock(ARRIVALS_LOCK, 0), Text))


@statement("raise_arrivals", above=9_001)
def _raise(above: int) -> TextClause:
    raised = text(
        "SELECT CASE WHEN last_value <= :above THEN setval('arrivals', :above + :ahead) END"
        " FROM arrivals"
    )
    given = {"above": above, "ahead": _AHEAD}
    return raised.bindparams(*[bindparam(name, value) for name, value in given.items()])


def wait_for_clock(connection: Connection, past: datetime) -> None:
    """Wait until this database's clock is past an instant of the other's."""
    while clock(connection) <= past:
        time.sleep(_STEP_SECONDS)


def clock(connection: Connection) -> datetime:
    """Return what this database's clock says."""
    read: datetime = connection.execute(_reading_clock()).scalar_one()
    return read


@statement("read_clock_of_cell")
def _reading_clock() -> Select[Any]:
    return select(func.clock_timestamp())
