"""Record which rows are done, and where their runs go on (contract §5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Insert,
    Text,
    Uuid,
    any_,
    cast,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.reasons import Status
from halo_engine.domain.series.decisions import Finish
from halo_engine.domain.series.happenings import Happening, Kinds
from halo_engine.happenings import Happened, announce, note_happenings
from halo_engine.journey.record_exits import end_runs, exited
from halo_engine.series.early_gates import Waiting, open_gates
from halo_engine.series.noting import freed_by
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.rows import array_text, asked_values, rows_asked
from halo_engine.tables import automation_recipients
from halo_engine.tables.enrollments import IS_ACTIVE, NEW_RECIPIENT
from halo_engine.work import Work

#: What can happen when rows are finished.
_TOLD: Final[Kinds] = frozenset({Happening.STEP_DONE, Happening.FAILED, Happening.EXITED})


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of a row. Most rows of a batch share one, so it is sent once for all of them."""

    status: Status
    reason: str | None
    exit_reason: str | None
    next_step_id: UUID | None
    next_due: datetime | None
    ends: str | None


def record_finished(work: Work, finished: Sequence[Finish]) -> None:
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
    asked = {"org_id": work.org_id, "now": work.now, **asked_values("outcome", outcomes)}
    named = work.org.announced_series
    if named:
        asked["series_keys"] = list(named)
    finishing = _finishing(work.org.webhook_kinds & _TOLD, announces=bool(named))
    finishing.rows(work.connection, asked)
    # The event may have fired since ``now``, and its signal been handled: nothing else would look.
    early = [each for each in finished if each.next_step is not None and each.next_step.is_early]
    if early:
        done = [row for each in early for row in each.recipient_ids]
        series = {each.series.id: each.series for each in early}
        open_gates(work, [*series.values()], Waiting(after=done))


@prepared("finish_rows", kinds=frozenset(), announces=False)
def _finishing(kinds: Kinds, *, announces: bool) -> Insert:
    """Build the statement that finishes rows, in the order in which they were due.

    It ``announces`` which runs end, for the series that filters name.
    """
    org_id, now = parameter("org_id"), parameter("now")
    done = _finish_rows(org_id, now, kinds)
    ended = end_runs(org_id, done, done.c.ends, now)
    happened = (*_finished(done, now), exited(ended, now)) if kinds else ()
    told = [freed_by(org_id, ended), *note_happenings(org_id, kinds, *happened)]
    if announces:
        told.append(announce(org_id, parameter("series_keys"), ended, now))
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
    return (
        insert(automation_recipients)
        .from_select(NEW_RECIPIENT, following, include_defaults=False)
        .add_cte(ended, *told)
    )


def _finish_rows(org_id: ColumnElement[UUID], now: ColumnElement[datetime], kinds: Kinds) -> CTE:
    """Finish the given rows; the CTE ``done`` has their runs, and what ``kinds`` tell of them."""
    outcome = rows_asked(
        "outcome",
        {
            "ids": Text(),
            "status": Text(),
            "reason": Text(),
            "exit_reason": Text(),
            "next_step_id": Uuid(),
            "next_due": DateTime(timezone=True),
            "ends": Text(),
        },
    )
    rows = automation_recipients
    told = [rows.c.step_id, rows.c.status, rows.c.reason] if kinds else []
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
            *told,
        )
        .cte("done")
    )


def _finished(done: CTE, now: ColumnElement[datetime]) -> tuple[Happened, Happened]:
    given = {
        "enrollment_number": done.c.number,
        "step_id": done.c.step_id,
        "recipient_id": done.c.id,
        "reason": done.c.reason,
    }
    is_done = done.c.status.in_([Status.COMPLETED, Status.SKIPPED])
    has_failed = done.c.status == Status.FAILED
    return (
        Happened(Happening.STEP_DONE, done, now, given, where=is_done),
        Happened(Happening.FAILED, done, now, given, where=has_failed),
    )


def _outcome(each: Finish) -> _Outcome:
    following = each.next_step.id if each.next_step else None
    return _Outcome(each.status, each.reason, each.exit_reason, following, each.next_due, each.ends)
