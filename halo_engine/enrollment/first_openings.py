"""When first steps may send: what the statement that enrolls is given to know it (§5, §20).

It is worked out once for each zone that the candidates are in, by the rules of
``domain.times.quiet_hours``; the statement finds the opening of each contact.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Interval,
    Select,
    Text,
    Uuid,
    and_,
    case,
    cast,
)
from sqlalchemy.types import TypeEngine

from halo_engine.audience.zones import opening_at, zone_trait
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.quiet_hours import MailTimes, contact_zone
from halo_engine.enrollment.candidates import Candidates, Entrants
from halo_engine.sql.cache import StatementCache
from halo_engine.sql.metadata import INSTANT
from halo_engine.sql.rows import asked_values, instants_text, rows_asked
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users
from halo_engine.work import Work

_OPENINGS: Final[Mapping[str, TypeEngine[Any]]] = {
    "automation_id": Uuid(),
    "opens": Text(),
    "closes": Text(),
    "furthest": Interval(),
}
_ZONED: Final[Mapping[str, TypeEngine[Any]]] = {"zone": Text(), **_OPENINGS}
#: Keyed by organisation and shape of the candidates.
_KEPT: Final = StatementCache()


def first_times(series: Series) -> MailTimes | None:
    """Return when the first step of a series may send, if that is not always."""
    step = series.first_step
    times = series.times(step) if step else None
    return times if times and not times.is_always else None


def openings(
    work: Work, series: Sequence[Series], candidates: Entrants
) -> dict[str, Sequence[Any]]:
    """Return the openings of first steps, as parameters; one statement if any asks for the zones of
    contacts.
    """
    limited = [(each, times) for each in series if (times := first_times(each))]
    zoned = [(each, times) for each, times in limited if times.asks_zone]
    zones = _zones(work, candidates) if zoned else []
    instants = candidates.instants or [work.now]
    span = min(instants), max(instants)
    own = [_opening(each, times, None, span) for each, times in limited]
    theirs = [(zone, *_opening(each, times, zone, span)) for each, times in zoned for zone in zones]
    return {**_asked("openings", _OPENINGS, own), **_asked("zoned", _ZONED, theirs)}


def _asked(
    name: str, columns: Mapping[str, Any], rows: Sequence[tuple[object, ...]]
) -> dict[str, Sequence[Any]]:
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    return asked_values(name, dict(zip(columns, values, strict=True)))


def _opening(
    series: Series, times: MailTimes, zone: str | None, span: tuple[datetime, datetime]
) -> tuple[object, ...]:
    first, last = (instant + series.steps[0].delay for instant in span)
    found = times.openings(first, last, contact_zone(zone))
    opens, closes = (instants_text(each[at] for each in found) for at in (0, 1))
    return series.id, opens, closes, times.furthest


def _zones(work: Work, candidates: Entrants) -> list[str]:
    """Return what candidates have as their zone, whether it names one or not."""
    statement = _KEPT.get(
        (work.org_id, candidates.shape), lambda: _find_zones(work.org_id, candidates), size=1
    )
    rows = statement.rows(work.connection, candidates.values, work.moment)
    return [row["zone"] for row in rows]


@statement("find_zones_of_candidates")
def _find_zones(org_id: UUID, candidates: Candidates) -> Select[Any]:
    zone = zone_trait(end_users).label("zone")
    among = candidates.among(end_users, end_users).with_only_columns(zone)
    return among.where(end_users.c.org_id == org_id, zone.is_not(None)).distinct()


def due_in_opening(
    org_id: UUID,
    series: Sequence[Series],
    enrolled: FromClause,
    source: FromClause,
    due: ColumnElement[datetime],
) -> tuple[FromClause, ColumnElement[datetime]]:
    """Return when runs are due that would be due at ``due``, and where from to select it."""
    limited = [times for each in series if (times := first_times(each))]
    if not limited:
        return source, due
    own = rows_asked("openings", _OPENINGS)
    source = source.outerjoin(own, own.c.automation_id == enrolled.c.automation_id)
    found = _opening_in(own, due)
    if not any(times.asks_zone for times in limited):
        return source, found
    theirs, contact = rows_asked("zoned", _ZONED), end_users.alias("placed_contact")
    of_contact = and_(contact.c.org_id == org_id, contact.c.id == enrolled.c.end_user_id)
    in_zone = and_(
        theirs.c.automation_id == enrolled.c.automation_id, theirs.c.zone == zone_trait(contact)
    )
    source = source.join(contact, of_contact).outerjoin(theirs, in_zone)
    is_zoned = theirs.c.automation_id.is_not(None)
    return source, case((is_zoned, _opening_in(theirs, due)), else_=found)


def _opening_in(found: FromClause, due: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """Return when a run is due by the openings found for it; ``due`` if there are none."""
    opens, closes = (cast(each, ARRAY(INSTANT)) for each in (found.c.opens, found.c.closes))
    opening = opening_at(due, opens, closes, found.c.furthest)
    return case((found.c.automation_id.is_not(None), opening), else_=due)
