"""The events of an organisation: how often and when they fired, and their properties (contract §2,
§3, §21).
"""

from typing import Any, Final

from sqlalchemy import Select, Text, column, func, select, true
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.audience.registered import MOST_EVENTS
from halo_engine.domain.answer import Answer
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import event_counts, events
from halo_engine.work import Work

#: So many of the organisation's latest events are looked at, and so many of them by that name.
LATEST: Final = 10_000
SAMPLE: Final = 100
#: The most properties that are named.
MOST_PROPERTIES: Final = 100


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


class KnownProperty(Answer):
    """A property of an event: its name, its JSON type seen most, in how many events it was seen."""

    property: str
    type: str
    seen: int


def known_properties(work: Work, event: str) -> list[KnownProperty]:
    """Return the properties at the top level of the latest events of that name, those seen most
    first; an event that is not among the organisation's latest has none.
    """
    rows = work.connection.execute(_list_properties(work, event)).mappings()
    return [KnownProperty.model_validate(dict(row)) for row in rows]


@statement("list_properties", event="trial_started")
def _list_properties(work: Work, event: str) -> Select[Any]:
    latest = (
        select(events.c.name, events.c.properties)
        .where(events.c.org_id == work.org_id)
        .order_by(events.c.id.desc())
        .limit(LATEST)
        .subquery("latest")
    )
    named = select(latest.c.properties).where(latest.c.name == event).limit(SAMPLE)
    sample = named.subquery("sample")
    each = (
        func.jsonb_each(sample.c.properties)
        .table_valued(column("key", Text()), column("value", JSONB()))
        .render_derived(name="each")
        .lateral("each")
    )
    seen = func.count().label("seen")
    kind = func.mode().within_group(func.jsonb_typeof(each.c.value)).label("type")
    return (
        select(each.c.key.label("property"), kind, seen)
        .select_from(sample.join(each, true()))
        .group_by(each.c.key)
        .order_by(seen.desc(), each.c.key)
        .limit(MOST_PROPERTIES)
    )
