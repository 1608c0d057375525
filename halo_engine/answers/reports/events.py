"""The events of an organisation: how often and when they fired (contract §2, §3)."""

from typing import Any

from sqlalchemy import Select, func, select

from halo_engine.audience.registered import MOST_EVENTS
from halo_engine.domain.answer import Answer
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import event_counts
from halo_engine.work import Work


class KnownEvent(Answer):
    """One event: how often it fired, for how many contacts, first and last."""

    event: str
    count: int
    contacts: int
    first_at: Instant
    last_at: Instant


def known_events(work: Work) -> list[KnownEvent]:
    """Return the events that ever fired, the most frequent first; at most a thousand."""
    rows = work.connection.execute(_list_events(work)).mappings()
    return [KnownEvent.model_validate(dict(row)) for row in rows]


@statement("list_events")
def _list_events(work: Work) -> Select[Any]:
    counts = event_counts
    fired = func.sum(counts.c.count).label("count")
    return (
        select(
            counts.c.name.label("event"),
            fired,
            func.count().label("contacts"),
            func.min(counts.c.first_at).label("first_at"),
            func.max(counts.c.last_at).label("last_at"),
        )
        .where(counts.c.org_id == work.org_id)
        .group_by(counts.c.name)
        .order_by(fired.desc(), counts.c.name)
        .limit(MOST_EVENTS)
    )
