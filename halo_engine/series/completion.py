"""A manual series completes by itself when nobody is left in it (contract §4, §8)."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CollectionAggregate,
    Executable,
    Select,
    Uuid,
    any_,
    exists,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.reasons import EntryTrigger, SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.signals import SignalKind
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_active_periods,
    automation_recipients,
    automations,
    signals,
)
from halo_engine.tables.enrollments import IS_ACTIVE
from halo_engine.work import Work

#: Who ended the active period of a series that completed by itself.
BY_COMPLETION = "completion"


def complete_finished(work: Work, touched: Iterable[Series]) -> None:
    """Complete those of the touched manual series that have no active recipient left.

    A pause does not keep a series open; an activation that is still under way does (contract §8).
    """
    manual = sorted(
        {
            each.id
            for each in touched
            if each.entry_trigger is EntryTrigger.MANUAL
            and each.status is not SeriesStatus.COMPLETED
        }
    )
    if not manual:
        return
    # Two transactions that end the last two runs do not see each other: the second waits here.
    work.connection.execute(_hold_touched_series(work, manual))
    work.connection.execute(_complete_series(work, manual))


@statement("hold_touched_series")
def _hold_touched_series(work: Work, series_ids: Sequence[UUID]) -> Select[Any]:
    series = automations
    return (
        select(series.c.id)
        .where(series.c.org_id == work.org_id, series.c.id == _any_of(series_ids))
        .order_by(series.c.id)
        .with_for_update(key_share=True)
    )


@statement("complete_series")
def _complete_series(work: Work, series_ids: Sequence[UUID]) -> Executable:
    series, rows = automations, automation_recipients
    completed = (
        update(series)
        .where(
            series.c.org_id == work.org_id,
            series.c.id == _any_of(series_ids),
            series.c.status.in_([SeriesStatus.ACTIVE, SeriesStatus.PAUSED]),
            ~exists().where(
                rows.c.org_id == work.org_id, rows.c.automation_id == series.c.id, IS_ACTIVE
            ),
            ~exists().where(
                signals.c.org_id == work.org_id,
                signals.c.automation_id == series.c.id,
                signals.c.kind == SignalKind.ACTIVATED,
            ),
        )
        .values(status=SeriesStatus.COMPLETED, updated_at=work.now)
        .returning(series.c.id)
        .cte("completed")
    )
    periods = automation_active_periods
    return (
        update(periods)
        .where(
            periods.c.org_id == work.org_id,
            periods.c.automation_id == completed.c.id,
            periods.c.ended_at.is_(None),
        )
        .values(ended_at=work.now, ended_by=BY_COMPLETION)
    )


def _any_of(ids: Sequence[UUID]) -> CollectionAggregate[Any]:
    return any_(literal(list(ids), ARRAY(Uuid())))
