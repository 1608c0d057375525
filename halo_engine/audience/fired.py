"""Whether an event fired since an instant, and held its filters, as SQL (contract §5, §6, §21)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Text, case, exists, literal, null, or_, tuple_

from halo_engine.audience.event_filters import event_holds
from halo_engine.audience.moments import When
from halo_engine.audience.numbered import of_number
from halo_engine.domain.fields.event_filters import EventGroups
from halo_engine.tables import event_counts, events
from halo_engine.tables.events import came_since


@dataclass(frozen=True, slots=True)
class Awaited:
    """The event that the series or step of this ``number`` waits for, and its filters."""

    number: int
    name: str
    filters: EventGroups = ()


def fired_since(
    org_id: UUID,
    given: FromClause,
    number: ColumnElement[int],
    awaited: Sequence[Awaited],
    since: tuple[Any, Any],
    kept: ColumnElement[Any],
    moment: When,
) -> ColumnElement[Any]:
    """Whether the event that ``awaited`` has for ``number`` fired live after an instant; NULL where
    nothing is awaited. Within the instant, order of arrival decides (§1).

    ``kept`` are the properties that the run keeps. Without filters the latest firing is enough.
    """
    plain = [each for each in awaited if not each.filters]
    narrowed = [each for each in awaited if each.filters]
    answers = []
    if plain:
        answers.append(_fired(org_id, given, _name(number, plain), since))
    if narrowed:
        holds = [
            (each.number, event_holds(each.filters, events.c.properties, kept, moment))
            for each in narrowed
        ]
        answers.append(
            exists().where(
                events.c.org_id == org_id,
                events.c.end_user_id == given.c.end_user_id,
                events.c.name == _name(number, narrowed),
                events.c.live,
                tuple_(events.c.happened_at, events.c.id) > tuple_(*since),
                came_since(since[0]),
                of_number(number, holds),
            )
        )
    return or_(*answers) if answers else null()


def _fired(
    org_id: UUID, given: FromClause, name: ColumnElement[str], since: tuple[Any, Any]
) -> ColumnElement[bool]:
    counts = event_counts
    return exists().where(
        counts.c.org_id == org_id,
        counts.c.end_user_id == given.c.end_user_id,
        counts.c.name == name,
        tuple_(counts.c.live_at, counts.c.live_id) > tuple_(*since),
    )


def _name(number: ColumnElement[int], awaited: Sequence[Awaited]) -> ColumnElement[str]:
    return case(*[(number == each.number, literal(each.name, Text())) for each in awaited])
