"""A run's first recipient row, which replaces the rows of an earlier run (§4, §5)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Interval,
    Uuid,
    and_,
    case,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.reasons import FailReason, Status
from halo_engine.domain.series.definition import Series
from halo_engine.enrollment.first_openings import due_in_opening
from halo_engine.sql.rows import rows_of
from halo_engine.tables import automation_recipients, cleared_recipients
from halo_engine.tables.enrollments import ACTIVE, NEW_RECIPIENT


def clear_earlier_recipients(org_id: UUID, enrolled: CTE) -> CTE:
    """Delete the finished rows of an earlier run, since (step, contact) is unique (§4)."""
    rows, left = automation_recipients, automation_recipients.alias("left_behind")
    # Looked up for each contact: a join would read all rows, even when nobody enters again.
    found = (
        select(left.c.id)
        .where(
            left.c.org_id == org_id,
            left.c.end_user_id == enrolled.c.end_user_id,
            left.c.automation_id == enrolled.c.automation_id,
            left.c.status.not_in(ACTIVE),
        )
        .offset(literal_column("0"))
        .lateral("found")
    )
    earlier = (
        select(found.c.id)
        .select_from(enrolled.join(found, true()))
        .where(enrolled.c.number > 1)
        .subquery("earlier")
    )
    return (
        delete(rows)
        .where(rows.c.org_id == org_id, rows.c.id == earlier.c.id)
        .returning(rows.c.automation_id, rows.c.step_id, rows.c.status, rows.c.reason)
        .cte("cleared")
    )


def count_cleared(org_id: UUID, cleared: CTE) -> CTE:
    """Count the deleted rows by result; the log of sent mail (``messages``) keeps what became of
    emails.
    """
    is_skipped = cleared.c.status == Status.SKIPPED
    reason = case((is_skipped, cleared.c.reason)).label("reason")
    has_failed = and_(
        cleared.c.status == Status.FAILED, cleared.c.reason != FailReason.OUTCOME_UNKNOWN
    )
    counts = (
        select(
            literal(org_id),
            cleared.c.automation_id,
            cleared.c.step_id,
            cleared.c.status,
            reason,
            func.count(),
        )
        .where(or_(is_skipped, has_failed))
        .group_by(cleared.c.automation_id, cleared.c.step_id, cleared.c.status, reason)
    )
    table = cleared_recipients
    columns = [
        table.c.org_id,
        table.c.automation_id,
        table.c.step_id,
        table.c.status,
        table.c.reason,
        table.c.recipients,
    ]
    return insert(table).from_select(columns, counts, include_defaults=False).cte("counted")


def insert_first_recipients(
    org_id: UUID, series: Sequence[Series], enrolled: CTE, cleared: CTE | None
) -> CTE:
    """Place each run at the first step of its series, in the order in which runs are numbered.

    Counting ``cleared`` makes the deletion run first. The openings are parameters
    (``first_openings``).
    """
    source, step_id, due = _first_steps(org_id, series, enrolled)
    if cleared is not None:
        done = select(func.count().label("rows")).select_from(cleared).subquery("done")
        due = case((done.c.rows >= 0, due))
        source = source.join(done, true())
    placed = (
        select(
            literal(org_id),
            enrolled.c.automation_id,
            step_id,
            enrolled.c.end_user_id,
            enrolled.c.number,
            due,
            enrolled.c.created_at,
        )
        .select_from(source)
        .order_by(enrolled.c.id)
    )
    rows = automation_recipients
    return (
        insert(rows)
        .from_select(NEW_RECIPIENT, placed, include_defaults=False)
        .returning(rows.c.automation_id)
        .cte("placed")
    )


def _first_steps(
    org_id: UUID, series: Sequence[Series], enrolled: CTE
) -> tuple[FromClause, ColumnElement[UUID], ColumnElement[datetime]]:
    """Join the new runs with the first steps of their series; return the step and when it is due.

    A first step whose email may not always be sent is due when it may (``first_openings``).
    """
    steps = [(each.id, step) for each in series if (step := each.first_step) is not None]
    first_steps = rows_of(
        "first_steps",
        {
            "automation_id": (Uuid(), [id_ for id_, _ in steps]),
            "step_id": (Uuid(), [step.id for _, step in steps]),
            "delay": (Interval(), [step.delay for _, step in steps]),
        },
    )
    due: ColumnElement[datetime] = enrolled.c.created_at + first_steps.c.delay
    source: FromClause = enrolled.join(
        first_steps, first_steps.c.automation_id == enrolled.c.automation_id
    )
    source, due = due_in_opening(org_id, series, enrolled, source, due)
    return source, first_steps.c.step_id, due
