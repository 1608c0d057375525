"""Delete events, and with them their deliveries, when they are old (contract §14)."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Delete, Select, delete, exists, func, select

from halo_engine.sql.statements import statement
from halo_engine.tables import organizations, webhook_events
from halo_engine.work import Work

#: How long events are kept: so far back can be replayed.
KEPT_FOR: Final = timedelta(days=30)
_AT_ONCE: Final = 5_000


def organizations_to_sweep(connection: Connection, now: datetime | None) -> list[UUID]:
    """Return the organisations that have events which are too old."""
    return list(connection.scalars(_find_orgs_to_sweep(now)))


@statement("find_orgs_to_sweep")
def _find_orgs_to_sweep(now: datetime | None) -> Select[Any]:
    at: Any = func.now() if now is None else now
    old = exists().where(
        webhook_events.c.org_id == organizations.c.id, webhook_events.c.at < at - KEPT_FOR
    )
    return select(organizations.c.id).where(old)


def sweep(work: Work) -> int:
    """Delete some events that are too old, delivered or not; return how many."""
    return work.connection.execute(_sweep(work, _AT_ONCE)).rowcount


@statement("sweep_webhook_events")
def _sweep(work: Work, limit: int) -> Delete:
    events = webhook_events
    old = (
        select(events.c.id)
        .where(events.c.org_id == work.org_id, events.c.at < work.now - KEPT_FOR)
        .order_by(events.c.at)
        .limit(limit)
    )
    return delete(events).where(events.c.org_id == work.org_id, events.c.id.in_(old))
