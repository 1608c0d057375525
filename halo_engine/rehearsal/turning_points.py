"""Instants at which time alone changes a rule's result: relative dates, spans, delays.

A live engine re-evaluates at every instant of the cron; a rehearsal skips those that change
nothing.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, func, select

from halo_engine.audience.compiler import Subject, value_of
from halo_engine.audience.matching import scan
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import FieldType
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import GUARDS
from halo_engine.domain.times.instants import RelativeInstant, parse_date_value, parse_instant
from halo_engine.series.catalogue import load_series
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, events
from halo_engine.work import Work


def turning_points(work: Work) -> Iterator[datetime]:
    """Yield the instants at which a re-evaluation may find something new."""
    for series in load_series(work.connection, work.org_id, work.org.hours):
        yield from _ends_of_delays(work, series)
        for group in (*series.audience_filters, *series.filters_of_exits, *series.goal_filters):
            for item in group:
                yield from _turns(work, item)


def _ends_of_delays(work: Work, series: Series) -> Iterator[datetime]:
    delays = [delay for guard in GUARDS if guard.waits and (delay := guard.waits(series))]
    if not delays:
        return
    began = work.connection.scalars(_rehearsal_latest_runs(work, series))
    yield from (instant + delay for instant in began for delay in delays)


@statement("rehearsal_latest_runs")
def _rehearsal_latest_runs(work: Work, series: Series) -> Select[Any]:
    runs = automation_enrollments
    return (
        select(func.max(runs.c.created_at))
        .where(and_(runs.c.org_id == work.org_id, runs.c.automation_id == series.id))
        .group_by(runs.c.end_user_id)
    )


def _turns(work: Work, item: Filter) -> Iterator[datetime]:
    """Yield when the moving bound of the filter passes stored dates, and when counted events fall
    out of its span.
    """
    if item.within is not None:
        happened = work.connection.scalars(_rehearsal_firings(work, item))
        yield from (instant + item.within for instant in happened)
    if item.type is not FieldType.DATE:
        return
    bound = parse_date_value(str(item.value), work.org.zone)
    if not isinstance(bound, RelativeInstant):
        return
    for value in _stored(work, item):
        # A date near the end of the calendar may never be passed.
        with suppress(OverflowError):
            yield value - bound.offset + timedelta(microseconds=1)


def _stored(work: Work, item: Filter) -> Iterator[datetime]:
    values = work.connection.scalars(_rehearsal_stored_values(work, item))
    for stored in values:
        if isinstance(stored, datetime):
            yield stored
        elif isinstance(stored, str):
            with suppress(Refusal):
                yield parse_instant(stored, work.org.zone)


@statement("rehearsal_firings")
def _rehearsal_firings(work: Work, item: Filter) -> Select[Any]:
    return select(events.c.happened_at).where(
        events.c.org_id == work.org_id,
        events.c.name == item.target.attribute,
        events.c.end_user_id.is_not(None),
    )


@statement("rehearsal_stored_values")
def _rehearsal_stored_values(work: Work, item: Filter) -> Select[Any]:
    subject = Subject.of_contacts()
    value = value_of(item.target, subject)
    return (
        select(value)
        .select_from(scan(subject, [value]))
        .where(subject.contact.c.org_id == work.org_id)
    )
