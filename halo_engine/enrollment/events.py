"""The event that a signal brings: whether it holds a series' filters, and what of it a run keeps
(contract §21).
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    case,
    func,
    literal_column,
    select,
    true,
)

from halo_engine.audience.event_filters import event_holds
from halo_engine.audience.moments import When
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.signals import SignalKind
from halo_engine.tables import events, signals
from halo_engine.tables.events import KEPT_PROPERTIES, came_since

#: The column of candidates that names the event.
EVENT_ID: Final = "event_id"


def begins_with_event(series: Series) -> bool:
    """Return whether runs of the series begin with an event."""
    return series.entry_trigger is EntryTrigger.EVENT


def event_of_signal() -> ColumnElement[Any]:
    """Return the id of a signal's event, found by its instant where the signal does not know it."""
    found = (
        select(func.max(events.c.id))
        .where(
            events.c.org_id == signals.c.org_id,
            events.c.end_user_id == signals.c.end_user_id,
            events.c.name == signals.c.event_name,
            events.c.happened_at == signals.c.happened_at,
            came_since(signals.c.happened_at),
        )
        .scalar_subquery()
    )
    is_event = signals.c.kind == literal_column(f"'{SignalKind.EVENT}'")
    return func.coalesce(signals.c.event_id, case((is_event, found))).label(EVENT_ID)


def offered_by_events(
    org_id: UUID, pairs: Select[Any], series: Sequence[Series], moment: When
) -> Select[Any]:
    """Return those of the ``pairs`` whose event holds the filters of their series, if it has any.

    The others are not refused: such an event triggers nothing.
    """
    filters = [
        (n, each.settings.entry_event_filters)
        for n, each in enumerate(series)
        if begins_with_event(each) and each.settings.entry_event_filters
    ]
    if not filters:
        return pairs
    offered = pairs.subquery("offered")
    event = _event_of(org_id, offered, events.c.properties.label("properties"))
    holds = case(
        *(
            (offered.c.ordinal == n, event_holds(groups, event.c.properties, None, moment))
            for n, groups in filters
        ),
        else_=true(),
    )
    return select(*offered.c).select_from(offered.outerjoin(event, true())).where(holds)


def keep_properties(
    org_id: UUID, verdicts: FromClause, series: Sequence[Series]
) -> tuple[FromClause, ColumnElement[Any]]:
    """Join the events of ``verdicts``; return that, and what a run keeps of its event."""
    event = _event_of(org_id, verdicts, KEPT_PROPERTIES.label("kept"))
    begun = [n for n, each in enumerate(series) if begins_with_event(each)]
    kept = case((verdicts.c.ordinal.in_(begun), event.c.kept))
    return verdicts.outerjoin(event, true()), kept


def _event_of(org_id: UUID, named: FromClause, column: ColumnElement[Any]) -> FromClause:
    """Look up by key the event that each row names: a join would read all events."""
    return (
        select(column)
        .where(events.c.org_id == org_id, events.c.id == named.c[EVENT_ID])
        .offset(literal_column("0"))
        .lateral("event")
    )
