"""Leases on rows whose email is being sent: lock them again, and give them back (§9).

``journey.record_pending.record_leases`` takes a lease, which expires by the database's
clock. Whoever ends a lease has locked the run and the row, and ends only leases with its own token.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    Select,
    Update,
    and_,
    any_,
    case,
    func,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.reasons import Status
from halo_engine.journey.claim import DueRow, Run
from halo_engine.journey.parking import IN_THE_QUEUE, LONGEST_PAUSE
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automation_recipients
from halo_engine.tables.enrollments import DUE, FIRST_DUE, IS_PROCESSING

#: After this many attempts a row fails; with the pauses below that takes 8.5 hours.
MOST_ATTEMPTS: Final = 10


def retry_at(attempts: int, now: datetime) -> datetime:
    """Return when a row is due again after ``attempts`` tries: each pause is twice the last."""
    return now + timedelta(minutes=2 ** (attempts - 1))


@dataclass(frozen=True, slots=True)
class ExpiredLease:
    """A row whose lease expired, and how often it has been leased."""

    row: DueRow
    attempts: int


@dataclass(frozen=True, slots=True)
class Release:
    """A row that becomes pending again, due at ``due`` (None: as before).

    ``tried`` says that it was sent to the server; otherwise no attempt is counted.
    """

    recipient_id: int
    due: datetime | None = None
    tried: bool = False


def hold_leased(
    connection: Connection, org_id: UUID, token: UUID, ids: Collection[int]
) -> Mapping[int, int]:
    """Lock the rows that ``token`` still leases, with their runs; return their attempts.

    Rows that an exit ended or the reaper took back meanwhile are left out.
    """
    held = connection.execute(_holding_leased(org_id, token, ids))
    return {row.id: row.attempts for row in held}


@statement("hold_leased")
def _holding_leased(org_id: UUID, lease_token: UUID, row_ids: Collection[int]) -> Select[Any]:
    rows, runs = automation_recipients, automation_enrollments
    return (
        select(rows.c.id, rows.c.attempts)
        .select_from(_with_runs())
        .where(
            rows.c.org_id == org_id,
            rows.c.id == any_(literal(list(row_ids), ARRAY(BigInteger()))),
            rows.c.lease_token == lease_token,
        )
        .order_by(runs.c.end_user_id, runs.c.automation_id)
        .with_for_update(of=[runs, rows])
    )


def hold_expired(
    connection: Connection,
    org_id: UUID,
    limit: int,
    *,
    only: Collection[int] | None = None,
) -> list[ExpiredLease]:
    """Lock at most ``limit`` rows with expired leases (by the database's clock), and their runs.

    ``only`` limits this to these rows.
    """
    asked = {"org_id": org_id, "limit": limit, "row_ids": list(only or ())}
    statement = _expired() if only is None else _expired_of_these()
    return [
        ExpiredLease(
            DueRow(
                row["id"],
                row["step_id"],
                row["created_at"],
                Run(row["end_user_id"], row["automation_id"], row["enrollment_number"]),
            ),
            row["attempts"],
        )
        for row in statement.rows(connection, asked)
    ]


@prepared("hold_expired")
def _expired() -> Select[Any]:
    return _expired_where()


@prepared("hold_these_expired")
def _expired_of_these() -> Select[Any]:
    return _expired_where(automation_recipients.c.id == any_(parameter("row_ids")))


def _expired_where(*narrowed: ColumnElement[bool]) -> Select[Any]:
    rows, runs = automation_recipients, automation_enrollments
    return (
        select(
            rows.c.id,
            rows.c.step_id,
            rows.c.created_at,
            rows.c.end_user_id,
            rows.c.automation_id,
            rows.c.enrollment_number,
            rows.c.attempts,
        )
        .select_from(_with_runs())
        .where(
            rows.c.org_id == parameter("org_id"),
            IS_PROCESSING,
            rows.c.lease_expires_at < func.clock_timestamp(),
            *narrowed,
        )
        .order_by(rows.c.id)
        .limit(parameter("limit"))
        .with_for_update(of=[runs, rows], skip_locked=True)
    )


def put_off(connection: Connection, org_id: UUID, ids: Collection[int]) -> None:
    """Extend leases that nothing can be done about now; the caller has locked the rows."""
    if not ids:
        return
    connection.execute(_put_off_leases(org_id, ids))


@statement("put_off_leases")
def _put_off_leases(org_id: UUID, row_ids: Collection[int]) -> Update:
    rows = automation_recipients
    return (
        update(rows)
        .where(
            rows.c.org_id == org_id, rows.c.id == any_(literal(list(row_ids), ARRAY(BigInteger())))
        )
        .values(lease_expires_at=func.clock_timestamp() + LONGEST_PAUSE)
    )


def release(connection: Connection, org_id: UUID, releases: Sequence[Release]) -> None:
    """Make leased rows that the caller has locked pending again."""
    if not releases:
        return
    connection.execute(_release_leases(org_id, releases))


@statement("release_leases")
def _release_leases(org_id: UUID, releases: Sequence[Release]) -> Update:
    rows = automation_recipients
    given = rows_of(
        "given",
        {
            "id": (BigInteger(), [each.recipient_id for each in releases]),
            "due": (DateTime(timezone=True), [each.due for each in releases]),
            "tried": (Boolean(), [each.tried for each in releases]),
        },
    )
    return (
        update(rows)
        .where(rows.c.org_id == org_id, rows.c.id == given.c.id, rows.c.status == Status.PROCESSING)
        .values(
            **IN_THE_QUEUE,
            status=Status.PENDING,
            scheduled_for=func.coalesce(given.c.due, DUE),
            first_due=case((given.c.due.is_not(None), FIRST_DUE), else_=rows.c.first_due),
            lease_token=None,
            lease_expires_at=None,
            attempts=case((given.c.tried, rows.c.attempts), else_=rows.c.attempts - 1),
            # A row that was tried could be written, so its faults are forgotten.
            tries=case((given.c.tried, 0), else_=rows.c.tries),
            failed_at=case((given.c.tried, null()), else_=rows.c.failed_at),
        )
    )


def _with_runs() -> FromClause:
    rows, runs = automation_recipients, automation_enrollments
    return rows.join(
        runs,
        and_(
            runs.c.org_id == rows.c.org_id,
            runs.c.end_user_id == rows.c.end_user_id,
            runs.c.automation_id == rows.c.automation_id,
            runs.c.number == rows.c.enrollment_number,
        ),
    )
