"""Reschedule: rows at steps whose delay or window a save changed get the time that the new
definition gives them (contract §18).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Interval,
    Select,
    Text,
    Update,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    update,
)

from halo_engine.audience.zones import opening_at, zone_trait
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.times.quiet_hours import contact_zone
from halo_engine.sql.rows import instants_text, rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_recipients, end_users
from halo_engine.tables.enrollments import DUE, FIRST_DUE, IS_PENDING
from halo_engine.work import Work

_INSTANT: Final = DateTime(timezone=True)
_INSTANTS: Final = ARRAY(_INSTANT)
_ROWS: Final = automation_recipients


@dataclass(frozen=True, slots=True)
class Retimed:
    """The steps of a series whose delay or window a save changes, and the instant of the save.

    ``zones`` are what contacts in the series have as their zone, where that counts.
    """

    series: Series
    steps: Sequence[Step]
    now: datetime
    zones: Sequence[str] = ()

    @classmethod
    def by(cls, work: Work, before: Series | None, saved: Series) -> "Retimed":
        """Compare a series with what it was; if that cannot be read, each step changed. One
        statement if contacts' zones count.
        """
        known = before.steps_by_id if before else {}
        steps = [
            step
            for step in saved.steps
            if step.id not in known or _times(known[step.id]) != _times(step)
        ]
        asks_zone = any(saved.times(step).asks_zone for step in steps)
        return cls(saved, steps, work.now, _zones(work, saved) if asks_zone else ())

    @classmethod
    def none(cls, series: Series, now: datetime) -> "Retimed":
        """Move nothing."""
        return cls(series, (), now)

    @property
    def due(self) -> ColumnElement[datetime]:
        """When a row is due by the new definition; NULL at a step that keeps its times."""
        branches = [(_ROWS.c.step_id == step.id, self._due_at(step)) for step in self.steps]
        return case(*branches, else_=null()) if branches else literal(None, _INSTANT)

    @property
    def moves(self) -> ColumnElement[bool]:
        """Whether a row gets another time than it has; a leased row does not."""
        return self._is_there & (self.due != DUE)

    @property
    def restarts(self) -> ColumnElement[bool]:
        """Whether a row is due first at another time than it was: it may have been moved, since
        then, to just the one that it gets (contract §20).
        """
        return self._is_there & or_(self.due != DUE, self.due != FIRST_DUE)

    @property
    def _is_there(self) -> ColumnElement[bool]:
        if not self.steps:
            return literal(False)
        return IS_PENDING & or_(*(_ROWS.c.step_id == step.id for step in self.steps))

    def _due_at(self, step: Step) -> ColumnElement[datetime]:
        """Return the later of ``created_at`` + delay and now, moved to when the step may send."""
        due: ColumnElement[datetime] = func.greatest(
            _ROWS.c.created_at + literal(step.delay, Interval()), literal(self.now, _INSTANT)
        )
        times = self.series.times(step)
        if times.is_always:
            return due
        last = self.now + step.delay + timedelta(days=1)
        furthest = literal(times.furthest, Interval())
        own = times.openings(self.now, last)
        opens, closes = ([each[at] for each in own] for at in (0, 1))
        found = opening_at(due, literal(opens, _INSTANTS), literal(closes, _INSTANTS), furthest)
        if not times.asks_zone or not self.zones:
            return found
        openings = [times.openings(self.now, last, contact_zone(zone)) for zone in self.zones]
        zoned = rows_of(
            "zoned",
            {
                "zone": (Text(), self.zones),
                "opens": (Text(), [instants_text(at for at, _ in each) for each in openings]),
                "closes": (Text(), [instants_text(at for _, at in each) for each in openings]),
            },
        )
        there = opening_at(
            due, cast(zoned.c.opens, _INSTANTS), cast(zoned.c.closes, _INSTANTS), furthest
        )
        contact = end_users
        in_zone = (
            select(there)
            .select_from(contact.join(zoned, zoned.c.zone == zone_trait(contact)))
            .where(contact.c.org_id == _ROWS.c.org_id, contact.c.id == _ROWS.c.end_user_id)
            .correlate(_ROWS)
            .scalar_subquery()
        )
        return func.coalesce(in_zone, found)


def reschedule_rows(work: Work, before: Series | None, saved: Series) -> int:
    """Give the rows their new times, in two statements, or three; return how many were moved."""
    retimed = Retimed.by(work, before, saved)
    if not retimed.steps:
        return 0
    waiting = work.connection.execute(_rescheduling(work, retimed))
    parked = work.connection.execute(_rescheduling_parked(work, retimed))
    return waiting.rowcount + parked.rowcount


def _zones(work: Work, series: Series) -> Sequence[str]:
    return list(work.connection.scalars(_find_zones_inside(work, series)))


@statement("find_zones_inside")
def _find_zones_inside(work: Work, series: Series) -> Select[Any]:
    zone = zone_trait(end_users)
    is_its = (end_users.c.org_id == _ROWS.c.org_id) & (end_users.c.id == _ROWS.c.end_user_id)
    return (
        select(zone)
        .select_from(_ROWS.join(end_users, is_its))
        .where(
            _ROWS.c.org_id == work.org_id,
            _ROWS.c.automation_id == series.id,
            IS_PENDING,
            zone.is_not(None),
        )
        .distinct()
    )


@statement("reschedule_rows")
def _rescheduling(work: Work, retimed: Retimed) -> Update:
    return _moving(work, retimed, _ROWS.c.parked_at.is_(None)).values(
        scheduled_for=retimed.due, first_due=null()
    )


@statement("reschedule_parked_rows")
def _rescheduling_parked(work: Work, retimed: Retimed) -> Update:
    """A parked row waits for its retry too; one that is set aside stays so."""
    due = retimed.due
    return _moving(work, retimed, _ROWS.c.parked_at.is_not(None)).values(
        was_due=due,
        first_due=null(),
        scheduled_for=func.greatest(_ROWS.c.scheduled_for, due),
        retry_at=case((_ROWS.c.retry_at.is_not(None), func.greatest(_ROWS.c.retry_at, due))),
    )


def _moving(work: Work, retimed: Retimed, which: ColumnElement[bool]) -> Update:
    return update(_ROWS).where(
        _ROWS.c.org_id == work.org_id,
        _ROWS.c.automation_id == retimed.series.id,
        which,
        retimed.restarts,
    )


def _times(step: Step) -> tuple[object, ...]:
    return step.delay, step.window
