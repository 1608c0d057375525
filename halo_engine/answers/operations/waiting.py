"""Counts what waits in an organisation: signals, due rows, leases, the next re-evaluation."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, exists, func, literal, select, union_all

from halo_engine.answers.operations.parked import is_parked
from halo_engine.domain.reasons import EntryTrigger, SeriesStatus
from halo_engine.domain.times.cron import next_instant
from halo_engine.series.lifecycle import held_by_pause
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_recipients, automation_steps, automations, signals
from halo_engine.tables.enrollments import IS_PENDING, IS_PROCESSING
from halo_engine.work import Work


@statement("count_waiting_signals")
def waiting_signals(work: Work) -> Select[int, Any]:
    """Count the signals that nobody has handled; the oldest tells since when."""
    return select(
        func.count().label("number"), func.min(signals.c.created_at).label("oldest")
    ).where(signals.c.org_id == work.org_id, signals.c.parked_at.is_(None), ~held_by_pause())


@statement("count_parked")
def set_aside(work: Work) -> Select[int, int, int, Any]:
    """Count what is set aside and what is retried."""
    each = union_all(
        *[
            select(literal(table.name).label("name"), table.c.retry_at, table.c.failed_at).where(
                *is_parked(work, table)
            )
            for table in (signals, automation_recipients)
        ]
    ).subquery("parked")
    is_aside = each.c.retry_at.is_(None)
    return select(
        func.count().filter(is_aside, each.c.name == signals.name).label("signals"),
        func.count().filter(is_aside, each.c.name == automation_recipients.name).label("rows"),
        func.count().filter(~is_aside).label("retried"),
        func.min(each.c.failed_at).filter(~is_aside).label("oldest_retried"),
    )


@statement("count_due_rows", mail_waits=False)
def due_rows(work: Work, *, mail_waits: bool) -> Select[int, Any, int, Any]:
    """Count the rows that are due, those apart that wait at an email while mail waits."""
    series, rows, steps = automations, automation_recipients, automation_steps
    # Counted before the joins: there may be very many rows.
    due = (
        select(
            rows.c.automation_id,
            rows.c.step_id,
            func.count().label("number"),
            func.min(rows.c.scheduled_for).label("oldest"),
        )
        .where(rows.c.org_id == work.org_id, IS_PENDING, rows.c.scheduled_for <= work.now)
        .group_by(rows.c.automation_id, rows.c.step_id)
        .subquery("due")
    )
    of_series = series.c.id == due.c.automation_id
    is_mail = and_(steps.c.email.is_not(None), steps.c.removed_at.is_(None))
    held = and_(is_mail, literal(mail_waits))
    return (
        select(
            func.coalesce(func.sum(due.c.number).filter(~held), 0).label("number"),
            func.min(due.c.oldest).filter(~held).label("oldest"),
            func.coalesce(func.sum(due.c.number).filter(held), 0).label("held"),
            func.min(due.c.oldest).filter(held).label("oldest_held"),
        )
        .select_from(due.join(series, of_series).join(steps, steps.c.id == due.c.step_id))
        .where(
            series.c.org_id == work.org_id,
            steps.c.org_id == work.org_id,
            series.c.status == SeriesStatus.ACTIVE,
        )
    )


def count_abandoned(work: Work, patience: timedelta) -> int:
    """Count rows whose lease ran out long ago, by the database's clock, which leases use."""
    number: int = work.connection.execute(_count_abandoned_leases(work, patience)).scalar_one()
    return number


@statement("count_abandoned_leases")
def _count_abandoned_leases(work: Work, patience: timedelta) -> Select[Any]:
    rows = automation_recipients
    return select(func.count()).where(
        rows.c.org_id == work.org_id,
        IS_PROCESSING,
        rows.c.lease_expires_at < func.clock_timestamp() - patience,
    )


def reevaluation_due(work: Work) -> datetime | None:
    """Return when the next re-evaluation is or was due; None if no series needs one."""
    if not work.connection.scalar(_check_reevaluates(work)):
        return None
    org = work.org
    return next_instant(org.reevaluate_cron, org.zone, org.reevaluated_at)


@statement("check_reevaluates")
def _check_reevaluates(work: Work) -> Select[Any]:
    reevaluates = exists().where(
        automations.c.org_id == work.org_id,
        automations.c.status == SeriesStatus.ACTIVE,
        automations.c.entry_trigger == EntryTrigger.SEGMENT_MATCH,
    )
    return select(reevaluates)
