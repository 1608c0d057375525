"""Lock runs and due rows, so that no other transaction moves them meanwhile (contract §5).

A *run* is moved only under the row lock on its enrollment. Signals wait for that lock; the tick
skips locked rows (``SKIP LOCKED``) and comes back for them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Uuid,
    all_,
    and_,
    any_,
    func,
    literal_column,
    select,
    true,
)

from halo_engine.domain.reasons import SeriesStatus
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.rows import asked_values, rows_asked
from halo_engine.tables import automation_enrollments, automation_recipients, automations
from halo_engine.tables.enrollments import IS_PENDING


@dataclass(frozen=True, slots=True)
class Run:
    """One enrollment, named by its key."""

    contact_id: UUID
    series_id: UUID
    number: int
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Claimed:
    """Due rows of one series that stand at one step."""

    series_id: UUID
    step_id: UUID
    recipient_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class DueRow:
    """A recipient row by itself: the run it belongs to and the step it stands at."""

    id: int
    step_id: UUID
    reached_at: datetime
    run: Run


@prepared("hold_runs")
def _held() -> Select[Any]:
    runs = automation_enrollments
    return (
        select(
            runs.c.end_user_id,
            runs.c.automation_id,
            runs.c.number,
            runs.c.ended_at.is_(None).label("is_active"),
        )
        .where(
            runs.c.org_id == parameter("org_id"),
            runs.c.end_user_id == any_(parameter("contact_ids")),
        )
        .order_by(runs.c.end_user_id, runs.c.automation_id, runs.c.number)
        .with_for_update()
    )


def hold_runs(connection: Connection, org_id: UUID, contacts: Collection[UUID]) -> list[Run]:
    """Lock and return the runs of ``contacts``, ended ones included.

    Waits until other transactions are done with them; what is read afterwards is up to date.
    """
    asked = {"org_id": org_id, "contact_ids": list(contacts)}
    return [
        Run(row["end_user_id"], row["automation_id"], row["number"], row["is_active"])
        for row in _held().rows(connection, asked)
    ]


def claim_due(
    connection: Connection,
    org_id: UUID,
    now: datetime,
    limit: int,
    *,
    beside: tuple[Sequence[UUID], Sequence[UUID]] | None = None,
    one_each: bool = False,
) -> list[Claimed]:
    """Lock and return due rows of active series, at most about ``limit``, the first by
    ``scheduled_for`` and creation.

    ``beside`` is a pair: only rows of these series are claimed, and none at these steps. Each
    series with due rows gets an equal share of the batch, so a large one does not hold up a small
    one (contract §5). With ``one_each`` only the first of each contact's rows is returned.
    """
    asked: dict[str, Any] = {"org_id": org_id, "now": now, "limit": limit}
    if beside is not None:
        series, waiting = beside
        asked |= {**asked_values("asked", {"automation_id": series}), "waiting_step_ids": waiting}
    statement = (_claiming if beside is None else _claiming_beside)(one_each=one_each)
    return [
        Claimed(row["automation_id"], row["step_id"], row["recipient_ids"])
        for row in statement.rows(connection, asked)
    ]


def claim_these(
    connection: Connection,
    org_id: UUID,
    now: datetime,
    series: Collection[UUID],
    rows: Sequence[int],
    *,
    one_each: bool = False,
) -> list[Claimed]:
    """Lock and return those of ``rows`` that are still due and belong to ``series``, which the
    caller knows to be active. With ``one_each`` only the first of each contact's rows.
    """
    asked = {
        "org_id": org_id,
        "now": now,
        "series_ids": list(series),
        "row_ids": list(rows),
    }
    return [
        Claimed(row["automation_id"], row["step_id"], row["recipient_ids"])
        for row in _claiming_these(one_each=one_each).rows(connection, asked)
    ]


@prepared("claim_these_rows", one_each=False)
def _claiming_these(*, one_each: bool) -> Select[Any]:
    rows, runs = automation_recipients, automation_enrollments
    claimed = (
        select(*_what_is_claimed(one_each=one_each))
        .select_from(rows.join(runs, _is_run_of(rows)))
        .where(
            rows.c.org_id == parameter("org_id"),
            rows.c.id == any_(parameter("row_ids")),
            rows.c.automation_id == any_(parameter("series_ids")),
            IS_PENDING,
            rows.c.scheduled_for <= parameter("now"),
        )
        .order_by(rows.c.scheduled_for, rows.c.id)
        .with_for_update(of=[rows, runs], skip_locked=True)
        .subquery("claimed")
    )
    first = _first_of_each(claimed, claimed) if one_each else claimed
    return _grouped(first, first)


def _is_run_of(rows: FromClause) -> ColumnElement[bool]:
    runs = automation_enrollments
    return and_(
        runs.c.org_id == rows.c.org_id,
        runs.c.automation_id == rows.c.automation_id,
        runs.c.end_user_id == rows.c.end_user_id,
        runs.c.number == rows.c.enrollment_number,
    )


def _grouped(claimed: FromClause, source: FromClause) -> Select[Any]:
    return (
        select(
            claimed.c.automation_id,
            claimed.c.step_id,
            func.array_agg(claimed.c.id).label("recipient_ids"),
        )
        .select_from(source)
        .group_by(claimed.c.automation_id, claimed.c.step_id)
    )


def _active() -> FromClause:
    series = automations
    return (
        select(series.c.id.label("automation_id"))
        .where(
            series.c.org_id == parameter("org_id"),
            series.c.status == SeriesStatus.ACTIVE,
        )
        .subquery("asked")
    )


@prepared("claim_due_rows", one_each=False)
def _claiming(*, one_each: bool) -> Select[Any]:
    return _claim(beside=False, one_each=one_each)


@prepared("claim_due_rows_beside", one_each=False)
def _claiming_beside(*, one_each: bool) -> Select[Any]:
    return _claim(beside=True, one_each=one_each)


def _claim(*, beside: bool, one_each: bool) -> Select[Any]:
    """Build the claim: which series have due rows, what share each gets, and their first rows."""
    rows, runs = automation_recipients, automation_enrollments
    now = parameter("now")
    asked = rows_asked("asked", {"automation_id": Uuid()}) if beside else _active()

    def due_in(series_id: ColumnElement[UUID]) -> list[ColumnElement[bool]]:
        due = [
            rows.c.org_id == parameter("org_id"),
            rows.c.automation_id == series_id,
            IS_PENDING,
            rows.c.scheduled_for <= now,
        ]
        if beside:
            waiting = parameter("waiting_step_ids")
            due.append(rows.c.step_id != all_(waiting))
        return due

    # Read from the front of the index: an EXISTS may read every row to find that none is due.
    earliest = (
        select(rows.c.id)
        .where(*due_in(asked.c.automation_id))
        .order_by(rows.c.scheduled_for, rows.c.id)
        .limit(1)
        .lateral("earliest")
    )
    due_series = (
        select(asked.c.automation_id)
        .select_from(asked.join(earliest, true()))
        .cte("due_series")
        .prefix_with("MATERIALIZED")
    )
    limit = parameter("limit")
    share = select(func.greatest(limit // func.greatest(func.count(), 1), 1)).select_from(
        due_series
    )
    claimed = (
        select(*_what_is_claimed(one_each=one_each))
        .select_from(rows.join(runs, _is_run_of(rows)))
        .where(*due_in(due_series.c.automation_id))
        .order_by(rows.c.scheduled_for, rows.c.id)
        .limit(share.scalar_subquery())
        .with_for_update(of=[rows, runs], skip_locked=True)
        .lateral("claimed")
    )
    source = due_series.join(claimed, true())
    if one_each:
        first = _first_of_each(claimed, source)
        return _grouped(first, first)
    return _grouped(claimed, source)


def _what_is_claimed(*, one_each: bool) -> list[ColumnElement[Any]]:
    rows = automation_recipients
    columns: list[ColumnElement[Any]] = [rows.c.id, rows.c.automation_id, rows.c.step_id]
    return [*columns, rows.c.end_user_id, rows.c.scheduled_for] if one_each else columns


def _first_of_each(claimed: FromClause, source: FromClause) -> FromClause:
    """Leave out a contact's later rows: what the first changes may decide them (contract §22)."""
    place = func.row_number().over(
        partition_by=claimed.c.end_user_id, order_by=(claimed.c.scheduled_for, claimed.c.id)
    )
    ranked = select(claimed, place.label("place")).select_from(source).subquery("ranked")
    return select(ranked).where(ranked.c.place == literal_column("1")).subquery("first")
