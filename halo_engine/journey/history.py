"""A run's history, as SQL: the steps it had; NULL if no series of the set asks for them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    func,
    null,
    select,
)

from halo_engine.domain.series.definition import Series
from halo_engine.tables import automation_recipients


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
