"""Frequency caps where the intent to send is committed: one contact at a time (contract §20).

With the contact's mail locked, what caps count cannot change before the commit. First the row
is locked, then the contact's mail; nothing is locked after it.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, Text, and_, cast, func, select

from halo_engine.domain.reasons import SkipReason
from halo_engine.domain.series.decisions import DueFacts, Finish, Postpone, Waits, decide_step
from halo_engine.journey.claim import DueRow, Run
from halo_engine.journey.facts import gather_due
from halo_engine.series.locks import MAIL_LOCK, lock_key
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import BoundStatement, prepared
from halo_engine.tables import automation_enrollments, automation_recipients
from halo_engine.work import Work

_ROWS: Final = automation_recipients


def holding_mail(org_id: UUID, row_id: int, contact_id: UUID) -> list[BoundStatement]:
    """Return the statements that lock a leased row, and then what mail its contact gets."""
    row = {"org_id": org_id, "row_id": row_id}
    lock = BoundStatement(_locking_mail(), {"lock_key": lock_key(contact_id)})
    return [BoundStatement(_holding_row(), row), lock]


def hold_mail_again(work: Work, row_id: int, contact_id: UUID) -> None:
    """Lock the same for a failed row that is retried, with its run."""
    _holding_run().rows(work.connection, {"org_id": work.org_id, "row_id": row_id})
    _locking_mail().rows(work.connection, {"lock_key": lock_key(contact_id)})


@prepared("hold_row_to_send")
def _holding_row() -> Select[Any]:
    return (
        select(_ROWS.c.id)
        .where(_ROWS.c.org_id == parameter("org_id"), _ROWS.c.id == parameter("row_id"))
        .with_for_update(read=True)
    )


@prepared("hold_failed_row")
def _holding_run() -> Select[Any]:
    runs = automation_enrollments
    of_run = and_(
        runs.c.org_id == _ROWS.c.org_id,
        runs.c.end_user_id == _ROWS.c.end_user_id,
        runs.c.automation_id == _ROWS.c.automation_id,
        runs.c.number == _ROWS.c.enrollment_number,
    )
    return (
        select(_ROWS.c.id)
        .select_from(_ROWS.join(runs, of_run))
        .where(_ROWS.c.org_id == parameter("org_id"), _ROWS.c.id == parameter("row_id"))
        .with_for_update(of=[runs, _ROWS])
    )


@prepared("lock_mail_of_contact")
def _locking_mail() -> Select[Any]:
    held = func.pg_advisory_xact_lock(MAIL_LOCK, parameter("lock_key"))
    return select(cast(held, Text).label("held"))


def held_by_caps(work: Work, due: DueFacts) -> Postpone | Finish | None:
    """Return what becomes of a row whose email has no intent, if caps hold it back now."""
    run = Run(due.run.contact_id, due.run.series.id, due.run.number)
    row = DueRow(due.recipient_id, due.step.id, work.now, run)
    series = {due.run.series.id: due.run.series}
    [facts] = gather_due(work.connection, work.org_id, work.moment, series, [row])
    match decide_step(facts, work.now):
        case Postpone(why=Waits.FREQUENCY_CAP) as waits:
            return waits
        case Finish(reason=SkipReason.FREQUENCY_CAP | SkipReason.TOO_LATE) as skipped:
            return skipped
    return None
