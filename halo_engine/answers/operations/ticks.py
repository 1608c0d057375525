"""When the last tick came: without beat none does (contract §1)."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from halo_engine.sql.statements import statement
from halo_engine.tables import installation


def last_tick(connection: Connection) -> tuple[datetime | None, datetime]:
    """Return when the last tick came, None before the first, and the current time."""
    ticked: datetime | None = connection.scalar(_read_last_tick())
    return ticked, connection.execute(_read_clock()).scalar_one()


@statement("read_last_tick")
def _read_last_tick() -> Select[Any]:
    return select(installation.c.ticked_at)


@statement("read_clock")
def _read_clock() -> Select[Any]:
    return select(func.now())
