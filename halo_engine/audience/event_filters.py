"""Filters on an event's properties as SQL: the one compiler, given the event (contract §21)."""

from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, literal_column, or_

from halo_engine.audience import custom
from halo_engine.audience.compiler import Subject, predicate
from halo_engine.audience.moments import When
from halo_engine.domain.fields.event_filters import EventGroups, EventItem, SameProperty

_SUBJECT: Final = Subject.of_contacts()


def event_holds(
    groups: EventGroups,
    properties: ColumnElement[Any],
    kept: ColumnElement[Any] | None,
    moment: When,
) -> ColumnElement[bool]:
    """Return whether an event with these ``properties`` holds any of the groups; none: it does.

    ``kept`` are the properties that the run keeps, which ``same`` compares with; None at entry.
    """
    if not groups:
        return literal_column("true")
    held = [and_(*(_holds(item, properties, kept, moment) for item in each)) for each in groups]
    return or_(*held).is_(True)


def _holds(
    item: EventItem,
    properties: ColumnElement[Any],
    kept: ColumnElement[Any] | None,
    moment: When,
) -> ColumnElement[bool]:
    if not isinstance(item, SameProperty):
        return predicate(((item,),), _SUBJECT.with_properties(properties), moment)
    assert kept is not None
    value = custom.stored(properties, item.same)
    # As elsewhere null is a missing value; a missing one makes both conditions NULL.
    is_there = func.jsonb_typeof(value) != literal_column("'null'")
    return and_(value == custom.stored(kept, item.same), is_there)
