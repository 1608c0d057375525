"""Record decisions about runs, in a few statements over sets (contract §5, §6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    Integer,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.decisions import Exit, Finish, Postpone, Send
from halo_engine.domain.reasons import Status
from halo_engine.domain.seats import TakeSeat
from halo_engine.journey.parking import CAME_THROUGH, DUE, IN_THE_QUEUE
from halo_engine.prepared import Prepared
from halo_engine.tables import automation_enrollments, automation_recipients
from halo_engine.tables.enrollments import IS_ACTIVE, is_run
from halo_engine.tables.metadata import OrganizationId
from halo_engine.tables.rows import array_text, asked_values, rows_asked, rows_of

_INSTANT = DateTime(timezone=True)


def record_exits(
    connection: Connection, org_id: UUID, exits: Sequence[Exit], now: datetime
) -> None:
    """End runs by an exit rule: the active row becomes ``exited``, the seat becomes free (§6)."""
    if not exits:
        return
    given = rows_of(
        "given",
        {
            "end_user_id": (Uuid(), [each.contact_id for each in exits]),
            "automation_id": (Uuid(), [each.series.id for each in exits]),
            "number": (Integer(), [each.number for each in exits]),
            "reason": (Text(), [each.reason.value for each in exits]),
        },
    )
    ended = _end_runs(org_id, given, given.c.reason, now)
    rows = automation_recipients
    connection.execute(
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
    )


def record_seats(connection: Connection, org_id: UUID, moves: Sequence[TakeSeat]) -> None:
    """Move runs to new seats; first they leave the old ones, since two may swap (§4)."""
    if not moves:
        return
    runs = automation_enrollments
    given = rows_of(
        "given",
        {
            "end_user_id": (Uuid(), [each.run.contact_id for each in moves]),
            "automation_id": (Uuid(), [each.run.series.id for each in moves]),
            "number": (Integer(), [each.run.number for each in moves]),
            "seat": (Uuid(), [each.seat for each in moves]),
        },
    )
    for seat in (null(), given.c.seat):
        connection.execute(
            update(runs)
            .where(is_run(runs, org_id, given), runs.c.ended_at.is_(None))
            .values(company_seat=seat)
        )


def record_finished(
    connection: Connection, org_id: UUID, finished: Sequence[Finish], now: datetime
) -> None:
    """Finish rows, create the rows of the next steps, and end the runs that have none.

    A row that is no longer active, because an exit came first, is left unchanged, and so is its
    run.
    """
    if not finished:
        return
    rows: dict[_Outcome, list[int]] = {}
    for each in finished:
        rows.setdefault(_outcome(each), []).extend(each.recipient_ids)
    outcomes: dict[str, Sequence[object]] = {
        "ids": [array_text(map(str, ids)) for ids in rows.values()],
        "status": [each.status.value for each in rows],
        "reason": [each.reason for each in rows],
        "exit_reason": [each.exit_reason for each in rows],
        "next_step_id": [each.next_step_id for each in rows],
        "next_due": [each.next_due for each in rows],
        "ends": [each.ends for each in rows],
    }
    asked = {"asked_org": org_id, "asked_now": now, **asked_values("outcome", outcomes)}
    _FINISHED.rows(connection, asked)


def _finished() -> Prepared:
    """Build the statement that finishes rows, in the order in which they were due."""
    org_id, now = (
        bindparam("asked_org", type_=OrganizationId()),
        bindparam("asked_now", type_=_INSTANT),
    )
    done = _finish_rows(org_id, now)
    ended = _end_runs(org_id, done, done.c.ends, now)
    rows = automation_recipients
    following = (
        select(
            org_id,
            done.c.automation_id,
            done.c.next_step_id,
            done.c.end_user_id,
            done.c.number,
            done.c.next_due,
            now,
        )
        .where(done.c.next_step_id.is_not(None))
        .order_by(done.c.scheduled_for, done.c.id)
    )
    return Prepared(
        insert(rows)
        .from_select(
            [
                rows.c.org_id,
                rows.c.automation_id,
                rows.c.step_id,
                rows.c.end_user_id,
                rows.c.enrollment_number,
                rows.c.scheduled_for,
                rows.c.created_at,
            ],
            following,
            include_defaults=False,
        )
        .add_cte(ended)
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of a row. Most rows of a batch share one, so it is sent once for all of them."""

    status: Status
    reason: str | None
    exit_reason: str | None
    next_step_id: UUID | None
    next_due: datetime | None
    ends: str | None


def _finish_rows(org_id: ColumnElement[UUID], now: ColumnElement[datetime]) -> CTE:
    """Finish the given rows; the CTE ``done`` has their runs."""
    outcome = rows_asked(
        "outcome",
        {
            "ids": Text(),
            "status": Text(),
            "reason": Text(),
            "exit_reason": Text(),
            "next_step_id": Uuid(),
            "next_due": _INSTANT,
            "ends": Text(),
        },
    )
    rows = automation_recipients
    return (
        update(rows)
        .where(
            rows.c.org_id == org_id,
            rows.c.id == any_(cast(outcome.c.ids, ARRAY(BigInteger()))),
            IS_ACTIVE,
        )
        .values(
            status=outcome.c.status,
            reason=outcome.c.reason,
            exit_reason=outcome.c.exit_reason,
            finished_at=now,
            lease_token=null(),
            lease_expires_at=null(),
        )
        .returning(
            rows.c.scheduled_for,
            rows.c.id,
            rows.c.automation_id,
            rows.c.end_user_id,
            rows.c.enrollment_number.label("number"),
            outcome.c.next_step_id,
            outcome.c.next_due,
            outcome.c.ends,
        )
        .cte("done")
    )


def _outcome(each: Finish) -> _Outcome:
    following = each.next_step.id if each.next_step else None
    return _Outcome(each.status, each.reason, each.exit_reason, following, each.next_due, each.ends)


def _end_runs(
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
        .returning(runs.c.end_user_id, runs.c.automation_id, runs.c.exit_reason)
        .cte("ended")
    )


_FINISHED: Final = _finished()


def record_postponed(connection: Connection, org_id: UUID, postponed: Sequence[Postpone]) -> None:
    """Move rows that are due outside their window to its next opening (contract §5)."""
    if not postponed:
        return
    rows = automation_recipients
    until = [(row, each.until) for each in postponed for row in each.due.recipient_ids]
    given = rows_of(
        "given",
        {
            "id": (BigInteger(), [row for row, _ in until]),
            "until": (_INSTANT, [instant for _, instant in until]),
        },
    )
    connection.execute(
        update(rows)
        .where(rows.c.org_id == org_id, rows.c.id == given.c.id, rows.c.status == Status.PENDING)
        .values(**CAME_THROUGH, scheduled_for=given.c.until)
    )


def record_leases(
    connection: Connection,
    org_id: UUID,
    sends: Sequence[Send],
    token: UUID,
    expires_in_seconds: float,
) -> None:
    """Lease rows whose email is to be sent to the worker that holds ``token`` (contract §9).

    The lease always runs on the database's clock.
    """
    if not sends:
        return
    rows = automation_recipients
    ids = literal([each.due.recipient_id for each in sends], ARRAY(BigInteger()))
    connection.execute(
        update(rows)
        .where(rows.c.org_id == org_id, rows.c.id == any_(ids), rows.c.status == Status.PENDING)
        .values(
            **IN_THE_QUEUE,
            status=Status.PROCESSING,
            scheduled_for=DUE,
            lease_token=token,
            lease_expires_at=func.clock_timestamp()
            + func.make_interval(0, 0, 0, 0, 0, 0, expires_in_seconds),
            attempts=rows.c.attempts + 1,
        )
    )
