"""What ``at_most: auto`` of a surge comes to, by the busiest span of the days before (§19).

It is worked out when the series is first activated, and by a later save that brings ``auto`` or
changes what it depends on; then it stays.
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    FrameClause,
    FrameClauseType,
    Select,
    Update,
    func,
    literal,
    select,
    update,
)

from halo_engine.domain.reasons import EntryTrigger, SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.surges import LOOKED_AT, Surge, automatic_bound
from halo_engine.sql.metadata import INSTANT
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automations, end_users, events
from halo_engine.tables.events import came_since
from halo_engine.work import Work

#: Instants have microseconds; a span does not hold what lies exactly its length ago.
_LEAST: Final = timedelta(microseconds=1)


def work_out(work: Work, series: Series) -> int | None:
    """Return what ``auto`` of the series comes to now; None if its surge does not say ``auto``."""
    surge = _automatic(series)
    if surge is None:
        return None
    busiest: int | None = work.connection.execute(_busiest(work, series, surge.within)).scalar_one()
    return automatic_bound(busiest or 0)


def foreseen(work: Work, before: Series | None, saved: Series) -> int | None:
    """Return what ``auto`` comes to once ``saved`` is saved; None of a draft, and without it.

    It stays what it was unless the save brings it, or changes the span or the trigger.
    """
    if saved.status is SeriesStatus.DRAFT or _automatic(saved) is None:
        return None
    if before is not None and before.auto_at_most and _asked(before) == _asked(saved):
        return before.auto_at_most
    return work_out(work, saved)


def keep(work: Work, series: Series, at_most: int | None) -> None:
    """Keep what ``auto`` was worked out to be, unless it is kept already."""
    if at_most is not None and at_most != series.auto_at_most:
        work.connection.execute(_keeping(work, series, at_most))


def _automatic(series: Series) -> Surge | None:
    surge = series.settings.surge
    return surge if surge is not None and surge.at_most == "auto" else None


def _asked(series: Series) -> tuple[object, ...] | None:
    surge = _automatic(series)
    if surge is None:
        return None
    return surge.within, series.entry_trigger, series.settings.entry_event_name


@statement("work_out_surge", within=timedelta(hours=1))
def _busiest(work: Work, series: Series, within: timedelta) -> Select[Any]:
    """Count at each instant what the span that ends there holds."""
    at = _instants(work, series).subquery("instants").c.at
    frame = FrameClause(within - _LEAST, None, FrameClauseType.PRECEDING, FrameClauseType.CURRENT)
    inside = func.count().over(order_by=at, range_=frame).label("inside")
    spans = select(inside).subquery("spans")
    return select(func.max(spans.c.inside))


def _instants(work: Work, series: Series) -> Select[Any]:
    """Select when its trigger fired lately: its event, creations of contacts, or its entries."""
    since = work.now - LOOKED_AT
    match series.entry_trigger:
        case EntryTrigger.EVENT:
            at = events.c.happened_at
            is_its = [
                events.c.org_id == work.org_id,
                events.c.name == series.settings.entry_event_name,
                events.c.end_user_id.is_not(None),
                came_since(literal(since, INSTANT)),
            ]
        case EntryTrigger.USER_CREATED:
            at = end_users.c.created_at
            is_its = [end_users.c.org_id == work.org_id]
        case _:
            runs = automation_enrollments
            at = runs.c.created_at
            is_its = [runs.c.org_id == work.org_id, runs.c.automation_id == series.id]
    return select(at.label("at")).where(*is_its, at > since, at <= work.now)


@statement("keep_surge_bound", at_most=300)
def _keeping(work: Work, series: Series, at_most: int) -> Update:
    return (
        update(automations)
        .where(automations.c.org_id == work.org_id, automations.c.id == series.id)
        .values(surge_at_most=at_most)
    )
