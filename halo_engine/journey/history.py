"""A run's history, as SQL: events since it began, the steps it had.

Each value is NULL if no series or step of the set asks for it.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Text,
    case,
    exists,
    func,
    literal,
    null,
    select,
    tuple_,
)

from halo_engine.domain.series.definition import Series
from halo_engine.tables import automation_recipients, event_counts


def fired_since(
    org_id: UUID,
    given: FromClause,
    number: ColumnElement[int],
    names: Sequence[tuple[int, str]],
    since: tuple[Any, Any],
) -> ColumnElement[Any]:
    """Whether the event that ``names`` has for ``number`` fired live after an instant. Within the
    instant, order of arrival decides (§1).
    """
    if not names:
        return null()
    counts = event_counts
    name = case(*[(number == n, literal(name, Text())) for n, name in names])
    return exists().where(
        counts.c.org_id == org_id,
        counts.c.end_user_id == given.c.end_user_id,
        counts.c.name == name,
        tuple_(counts.c.live_at, counts.c.live_id) > tuple_(*since),
    )


def visited(org_id: UUID, series: Sequence[Series], given: FromClause) -> ColumnElement[Any]:
    """The steps at which the run has a row: after an edit one may come again (contract §5)."""
    if not any(each.edited for each in series):
        return null()
    rows = automation_recipients
    return (
        select(func.array_agg(rows.c.step_id))
        .where(
            rows.c.org_id == org_id,
            rows.c.end_user_id == given.c.end_user_id,
            rows.c.automation_id == given.c.automation_id,
            rows.c.enrollment_number == given.c.number,
        )
        .scalar_subquery()
    )
