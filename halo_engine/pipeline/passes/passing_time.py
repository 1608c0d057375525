"""Whom time alone may have let in or out since the pass before (contract §4)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Select, Uuid, and_, or_, select

from halo_engine.audience.compiler import Subject
from halo_engine.audience.matching import scan
from halo_engine.audience.moments import Moment
from halo_engine.audience.turning import turns
from halo_engine.domain.entering.passes import delay_of, moving_dates
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.fields.presets import preset_filter
from halo_engine.domain.series.definition import Series
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments
from halo_engine.work import Work

_INSTANT = DateTime(timezone=True)


def turned(work: Work, series: Sequence[Series], since: datetime, limit: int) -> list[UUID]:
    """Return the contacts for whom a date that filters compare passed its bound since ``since``;
    if they are more than ``limit``, one more than that.
    """
    items = moving_dates(series)
    if not items:
        return []
    return list(work.connection.scalars(_find_turned(work, items, since, limit + 1)))


@statement("find_turned_dates", items=[preset_filter("Signed up in 30 days")], limit=500)
def _find_turned(work: Work, items: Sequence[Filter], since: datetime, limit: int) -> Select[Any]:
    subject = Subject.of_contacts(sum(each.target.custom for each in items))
    before = Moment(since, work.org.timezone)
    found = [turns(each, subject, before, work.moment) for each in items]
    contact = subject.contact
    return (
        select(contact.c.id)
        .select_from(scan(subject, found))
        .where(contact.c.org_id == work.org_id, or_(*found))
        .limit(limit)
    )


def over_delays(work: Work, series: Sequence[Series], since: datetime, limit: int) -> list[UUID]:
    """Return the contacts whose delay before another run is over since ``since`` (guard 7), if they
    were seen outside since the last one began; of more than ``limit``, one more than that.
    """
    delayed = [each for each in series if delay_of(each)]
    if not delayed:
        return []
    return list(work.connection.scalars(_find_over_delays(work, delayed, since, limit + 1)))


@statement("find_over_delays", series=[], limit=500)
def _find_over_delays(
    work: Work, series: Sequence[Series], since: datetime, limit: int
) -> Select[Any]:
    runs = automation_enrollments
    delays = [(each.id, delay) for each in series if (delay := delay_of(each)) is not None]
    span = rows_of(
        "span",
        {
            "automation_id": (Uuid(), [id_ for id_, _ in delays]),
            "after_at": (_INSTANT, [since - delay for _, delay in delays]),
            "until": (_INSTANT, [work.now - delay for _, delay in delays]),
        },
    )
    is_in_span = and_(
        runs.c.automation_id == span.c.automation_id,
        runs.c.created_at >= span.c.after_at,
        runs.c.created_at <= span.c.until,
    )
    was_outside = or_(runs.c.left_audience, runs.c.outside_by_definition)
    return (
        select(runs.c.end_user_id)
        .join_from(span, runs, is_in_span)
        .where(runs.c.org_id == work.org_id, was_outside)
        .distinct()
        .limit(limit)
    )
