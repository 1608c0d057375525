"""Series whose entries, sends or opens are far below their usual hour (contract §10).

Counted from what is kept: enrollments, and the ledger of mails. Hours are whole ones on the
organisation's clock, so that a change of its offset moves none.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Interval,
    Select,
    Subquery,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.usual_hours import HOURS, WEEKS, Activity, Hour, are_far_below
from halo_engine.sql.statements import named, statement
from halo_engine.tables import (
    automation_active_periods,
    automation_enrollments,
    automations,
    installation,
    messages,
    organizations,
)

_READ_CLOCK: Final = named("read_clock_of_hours", select(func.clock_timestamp()))
_HOURS_A_WEEK: Final = 7 * 24
#: All that is counted lies within; an hour more for a change of the clock.
_LOOKED_BACK: Final = timedelta(weeks=WEEKS, hours=HOURS + 2)

_WHEN: Final[Mapping[Activity, Column[Any]]] = {
    Activity.ENTRIES: automation_enrollments.c.created_at,
    Activity.SENDS: messages.c.sent_at,
    Activity.OPENS: messages.c.opened_at,
}


class BelowUsual(Answer):
    """A series whose last two whole hours were far below the usual: the latest hour comes first in
    ``counts`` and ``usual``.
    """

    series: str
    activity: Activity
    counts: tuple[int, ...]
    usual: tuple[int, ...]


def below_usual(
    connection: Connection, now: datetime, org_id: UUID | None = None
) -> list[BelowUsual]:
    """Return what is far below its usual hour, of one organisation or of all, in one statement.

    A series counts if it was active for all of these hours. While mail is stopped its sends and
    opens do not.
    """
    found: defaultdict[tuple[UUID, str, Activity], dict[int, int]] = defaultdict(dict)
    for row in connection.execute(_counting_hours(now, org_id)):
        found[row.org_id, row.key, Activity(row.activity)][row.hour] = row.number
    below = []
    for (_, key, activity), counts in found.items():
        hours = _hours(counts)
        if are_far_below(hours):
            numbers = tuple(hour.number for hour in hours)
            usual = tuple(hour.usual for hour in hours)
            below.append(BelowUsual(series=key, activity=activity, counts=numbers, usual=usual))
    return sorted(below, key=lambda each: (each.series, each.activity))


def below_usual_anywhere(connection: Connection) -> Counter[Activity]:
    """Return how many series of all organisations are far below their usual hour now."""
    now = connection.execute(_READ_CLOCK).scalar_one()
    return Counter(each.activity for each in below_usual(connection, now))


def _hours(counts: Mapping[int, int]) -> list[Hour]:
    """Return the last whole hours, the latest first; ``counts`` are by hours ago."""
    return [
        Hour(
            counts.get(hour, 0),
            [counts.get(hour + week * _HOURS_A_WEEK, 0) for week in range(1, WEEKS + 1)],
        )
        for hour in range(HOURS)
    ]


@statement("count_usual_hours", now=datetime(2026, 11, 28, tzinfo=UTC), org_id=None)
def _counting_hours(now: datetime, org_id: UUID | None) -> Select[Any]:
    """Count by series, activity and hour; hour 0 is the last whole one, 168 a week before it."""
    happened, orgs = _happened(now, org_id), organizations
    begun = func.date_trunc("hour", func.timezone(orgs.c.timezone, now))
    ago = func.extract("epoch", begun - func.timezone(orgs.c.timezone, happened.c.at)) / 3600
    hour = (cast(func.ceil(ago), Integer) - 1).label("hour")
    what = (happened.c.org_id, happened.c.automation_id, happened.c.activity, hour)
    # Counted before the series are joined: there may be very many rows.
    counted = (
        select(*what, func.count().label("number"))
        .select_from(happened.join(orgs, orgs.c.id == happened.c.org_id))
        .where(ago > 0, hour % _HOURS_A_WEEK < HOURS, hour < (WEEKS + 1) * _HOURS_A_WEEK)
        .group_by(*what)
        .subquery("counted")
    )
    series = automations
    of_series = and_(series.c.org_id == counted.c.org_id, series.c.id == counted.c.automation_id)
    of_org = orgs.c.id == counted.c.org_id
    return (
        select(series.c.org_id, series.c.key, counted.c.activity, counted.c.hour, counted.c.number)
        .select_from(counted.join(series, of_series).join(orgs, of_org))
        .where(
            series.c.status == SeriesStatus.ACTIVE,
            _was_active(now),
            or_(counted.c.activity == Activity.ENTRIES, ~_is_stopped()),
        )
    )


def _happened(now: datetime, org_id: UUID | None) -> Subquery:
    """Select everything that is counted, with its instant."""
    return union_all(
        *[
            select(
                at.table.c.org_id,
                at.table.c.automation_id,
                literal(str(activity)).label("activity"),
                at.label("at"),
            ).where(
                at >= now - _LOOKED_BACK,
                at < now,
                *([] if org_id is None else [at.table.c.org_id == org_id]),
            )
            for activity, at in _WHEN.items()
        ]
    ).subquery("happened")


def _was_active(now: datetime) -> ColumnElement[bool]:
    """Whether the series has been active since the first of these hours began, or longer."""
    periods = automation_active_periods
    return exists().where(
        periods.c.org_id == automations.c.org_id,
        periods.c.automation_id == automations.c.id,
        periods.c.ended_at.is_(None),
        periods.c.started_at <= now - literal(timedelta(hours=HOURS + 1), Interval),
    )


def _is_stopped() -> ColumnElement[bool]:
    everywhere = exists().where(installation.c.sending_stopped_at.is_not(None))
    return or_(organizations.c.sending_stopped_at.is_not(None), everywhere)
