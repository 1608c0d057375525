"""A run's history, as SQL: events since it began, what became of its emails, the steps it had.

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

from halo_engine.domain.reasons import ConditionType, ExitReason
from halo_engine.domain.series import Series, Step
from halo_engine.tables import automation_recipients, event_counts, messages


def any_asks(steps: Sequence[Step], type_: ConditionType) -> bool:
    """Return whether any of the steps is a condition of this type."""
    return any(step.condition and step.condition.type is type_ for step in steps)


def fired_since(
    org_id: UUID,
    given: FromClause,
    number: ColumnElement[int],
    names: Sequence[tuple[int, str]],
    since: tuple[Any, Any],
) -> ColumnElement[Any]:
    """Whether the event that ``names`` has for ``number`` fired, live, after an instant; within it,
    order of arrival decides (§1).
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


def _of_run(org_id: UUID, given: FromClause) -> list[ColumnElement[bool]]:
    return [
        messages.c.org_id == org_id,
        messages.c.end_user_id == given.c.end_user_id,
        messages.c.automation_id == given.c.automation_id,
        messages.c.enrollment_number == given.c.number,
        messages.c.state == "sent",
    ]


def replied(
    org_id: UUID, series: Sequence[Series], given: FromClause, since: tuple[Any, Any]
) -> ColumnElement[Any]:
    """Whether any email of the series, also an earlier run's, was replied to since the run
    began.
    """
    if not any(each.has_rule(ExitReason.REPLIED) for each in series):
        return null()
    return exists().where(
        messages.c.org_id == org_id,
        messages.c.end_user_id == given.c.end_user_id,
        messages.c.automation_id == given.c.automation_id,
        tuple_(messages.c.replied_at, messages.c.reply_arrival) > tuple_(*since),
    )


def opened(org_id: UUID, steps: Sequence[Step], given: FromClause) -> ColumnElement[Any]:
    """Whether the most recent earlier email of the run was opened (contract §5)."""
    if not any_asks(steps, ConditionType.EMAIL_OPENED):
        return null()
    return (
        select(messages.c.opened_at.is_not(None))
        .where(*_of_run(org_id, given), messages.c.recipient_id < given.c.recipient_id)
        .order_by(messages.c.recipient_id.desc())
        .limit(1)
        .scalar_subquery()
    )


def clicked(org_id: UUID, steps: Sequence[Step], given: FromClause) -> ColumnElement[Any]:
    """Whether a link in any earlier email of the run was clicked (contract §5)."""
    if not any_asks(steps, ConditionType.LINK_CLICKED):
        return null()
    return exists().where(
        *_of_run(org_id, given),
        messages.c.recipient_id < given.c.recipient_id,
        messages.c.clicked_at.is_not(None),
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
