"""Record which runs end, and who takes which company's seat (contract §4, §6)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Text,
    Update,
    Uuid,
    null,
    update,
)

from halo_engine.domain.reasons import Status
from halo_engine.domain.series.decisions import Exit
from halo_engine.domain.series.happenings import Happening
from halo_engine.domain.series.seats import TakeSeat
from halo_engine.happenings import Happened, announce, note_happenings
from halo_engine.series.noting import FREED, freed_by, note_companies
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automation_recipients
from halo_engine.tables.enrollments import IS_ACTIVE, is_run
from halo_engine.work import Work


def record_exits(work: Work, exits: Sequence[Exit]) -> None:
    """End runs by an exit rule: the active row becomes ``exited``, the seat becomes free (§6)."""
    if not exits:
        return
    work.connection.execute(_end_rows_of_runs(work, exits))


@statement("end_rows_of_runs")
def _end_rows_of_runs(work: Work, exits: Sequence[Exit]) -> Update:
    org_id, now = work.org_id, work.now
    given = rows_of(
        "given",
        {
            "end_user_id": (Uuid(), [each.contact_id for each in exits]),
            "automation_id": (Uuid(), [each.series.id for each in exits]),
            "number": (Integer(), [each.number for each in exits]),
            "reason": (Text(), [each.reason.value for each in exits]),
        },
    )
    ended = end_runs(org_id, given, given.c.reason, now)
    told = [
        freed_by(org_id, ended),
        *note_happenings(org_id, work.org.webhook_kinds, exited(ended, now)),
    ]
    if work.org.announced_series:
        told.append(announce(org_id, work.org.announced_series, ended, now))
    rows = automation_recipients
    return (
        update(rows)
        .where(
            rows.c.org_id == org_id,
            rows.c.end_user_id == ended.c.end_user_id,
            rows.c.automation_id == ended.c.automation_id,
            IS_ACTIVE,
        )
        .values(
            status=Status.EXITED,
            exit_reason=ended.c.exit_reason,
            finished_at=now,
            lease_token=None,
            lease_expires_at=None,
        )
        .add_cte(*told)
    )


def end_runs(
    org_id: UUID | ColumnElement[UUID],
    given: FromClause,
    reason: ColumnElement[str | None],
    now: datetime | ColumnElement[datetime],
) -> CTE:
    """End the given runs that are active and have a reason to end."""
    runs = automation_enrollments
    return (
        update(runs)
        .where(is_run(runs, org_id, given), runs.c.ended_at.is_(None), reason.is_not(None))
        .values(ended_at=now, exit_reason=reason)
        .returning(
            runs.c.end_user_id, runs.c.automation_id, runs.c.number, runs.c.exit_reason, *FREED
        )
        .cte("ended")
    )


def exited(ended: CTE, now: datetime | ColumnElement[datetime]) -> Happened:
    """Return what happened to the runs of ``end_runs``."""
    given = {"enrollment_number": ended.c.number, "reason": ended.c.exit_reason}
    return Happened(Happening.EXITED, ended, now, given)


def record_seats(work: Work, moves: Sequence[TakeSeat]) -> None:
    """Move runs to new seats; first they leave the old ones, since two may swap (§4)."""
    if not moves:
        return
    left = (each.run.seating.company_seat for each in moves if each.run.seating is not None)
    note_companies(work, {seat for seat in left if seat is not None})
    work.connection.execute(_leave_seats(work.org_id, moves))
    work.connection.execute(_take_seats(work.org_id, moves))


@statement("leave_seats")
def _leave_seats(org_id: UUID, moves: Sequence[TakeSeat]) -> Update:
    return _moved(org_id, _seats(moves)).values(company_seat=null())


@statement("take_seats")
def _take_seats(org_id: UUID, moves: Sequence[TakeSeat]) -> Update:
    given = _seats(moves)
    return _moved(org_id, given).values(company_seat=given.c.seat)


def _moved(org_id: UUID, given: FromClause) -> Update:
    runs = automation_enrollments
    return update(runs).where(is_run(runs, org_id, given), runs.c.ended_at.is_(None))


def _seats(moves: Sequence[TakeSeat]) -> FromClause:
    return rows_of(
        "given",
        {
            "end_user_id": (Uuid(), [each.run.contact_id for each in moves]),
            "automation_id": (Uuid(), [each.run.series.id for each in moves]),
            "number": (Integer(), [each.run.number for each in moves]),
            "seat": (Uuid(), [each.seat for each in moves]),
        },
    )
