"""How often events fired for a contact: ever, or within a span that ends now (§3, §22)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    Text,
    func,
    literal,
    literal_column,
    select,
)

from halo_engine.audience.moments import When
from halo_engine.domain.fields.filters import Filter
from halo_engine.tables import event_counts, events
from halo_engine.tables.events import came_since

_INSTANT: Final = DateTime(timezone=True)


@dataclass(frozen=True, slots=True)
class Firings:
    """The firings of an event that a filter counts: all, or those ``after`` an instant.

    ``within`` is how long before now that is.
    """

    name: str
    within: timedelta | None = None
    after: ColumnElement[Any] | None = field(default=None, compare=False)

    @classmethod
    def counted_by(cls, item: Filter, moment: When) -> Self:
        """Return the firings that ``item`` counts; exactly ``within`` ago no longer counts."""
        name, within = item.target.attribute, item.within
        if within is None:
            return cls(name)
        return cls(name, within, moment.parameter(lambda at: at.now - within, _INSTANT))


#: How a subject counts them.
EventCount = Callable[[Firings], ColumnElement[int]]


def times_fired(firings: Firings, contact: FromClause) -> ColumnElement[int]:
    """Count the firings of a row of contacts, by a look-up for each."""
    if firings.after is not None:
        org_id: ColumnElement[Any] = contact.c.org_id
        return recent(firings, org_id, contact).correlate(contact).scalar_subquery()
    count = (
        select(event_counts.c.count)
        .where(
            event_counts.c.org_id == contact.c.org_id,
            event_counts.c.end_user_id == contact.c.id,
            event_counts.c.name == literal(firings.name, Text()),
        )
        .correlate(contact)
        .scalar_subquery()
    )
    return func.coalesce(count, literal_column("0", BigInteger()))


def recent(firings: Firings, org_id: ColumnElement[Any], contact: FromClause) -> Select[Any]:
    """Select how many of the contact's events lie within the span."""
    return select(func.count().label("times")).where(
        events.c.org_id == org_id,
        events.c.end_user_id == contact.c.id,
        events.c.name == literal(firings.name, Text()),
        *happened_after(firings),
    )


def happened_after(firings: Firings) -> list[ColumnElement[bool]]:
    """Return the conditions on an event that the span makes; none without a span."""
    if firings.after is None:
        return []
    return [events.c.happened_at > firings.after, came_since(firings.after)]
