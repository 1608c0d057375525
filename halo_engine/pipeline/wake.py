"""Put parked signals back into the queue when their pause is over (contract §1).

The installation's tick does this once a minute. Parked rows need no such step: they are due again
at their ``scheduled_for``.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, Uuid, all_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.pipeline.signals.parking import unpark_signals
from halo_engine.series.cache import running_series
from halo_engine.series.locks import hold_series_still
from halo_engine.sql.statements import statement
from halo_engine.tables import signals
from halo_engine.work import Work


def organizations_to_wake(connection: Connection) -> list[UUID]:
    """Return the organisations with signals whose pause is over, by the database's clock."""
    return list(connection.scalars(_find_orgs_to_wake()))


@statement("find_orgs_to_wake")
def _find_orgs_to_wake() -> Select[Any]:
    due = select(signals.c.org_id).where(
        signals.c.parked_at.is_not(None), signals.c.retry_at <= func.now()
    )
    return due.distinct()


def wake(work: Work) -> int:
    """Put the organisation's signals whose pause is over back into the queue; return how many.

    Signals kept for a series that this code cannot read stay parked.
    """
    work = hold_series_still(work)
    unreadable = literal(list(running_series(work).aside), ARRAY(Uuid()))
    series_id = signals.c.automation_id
    readable = or_(series_id.is_(None), series_id != all_(unreadable))
    return len(unpark_signals(work, signals.c.retry_at <= work.now, readable))
