"""Reschedule: rows at steps whose delay or window a save changed get the time that the new
definition gives them (contract §18).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Interval,
    Update,
    case,
    func,
    literal,
    null,
    or_,
    update,
)
from sqlalchemy.sql.elements import Grouping

from halo_engine.domain.series.definition import Series, Step
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_recipients
from halo_engine.tables.enrollments import DUE, IS_PENDING
from halo_engine.work import Work

_INSTANT: Final = DateTime(timezone=True)
_ROWS: Final = automation_recipients


@dataclass(frozen=True, slots=True)
class Retimed:
    """The steps of a series whose delay or window a save changes, and the instant of the save."""

    series: Series
    steps: Sequence[Step]
    now: datetime

    @classmethod
    def by(cls, before: Series | None, saved: Series, now: datetime) -> "Retimed":
        """Compare a series with what it was; if that cannot be read, each step changed."""
        known = before.steps_by_id if before else {}
        steps = [
            step
            for step in saved.steps
            if step.id not in known or _times(known[step.id]) != _times(step)
        ]
        return cls(saved, steps, now)

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
        if not self.steps:
            return literal(False)
        is_there = or_(*(_ROWS.c.step_id == step.id for step in self.steps))
        return IS_PENDING & is_there & (self.due != DUE)

    def _due_at(self, step: Step) -> ColumnElement[datetime]:
        """Return the later of ``created_at`` + delay and now, moved to the step's window."""
        due: ColumnElement[datetime] = func.greatest(
            _ROWS.c.created_at + literal(step.delay, Interval()), literal(self.now, _INSTANT)
        )
        if step.window is None:
            return due
        last = self.now + step.delay + timedelta(days=1)
        openings = step.window.openings(self.now, last, self.series.zone)
        closes = literal([each for _, each in openings], ARRAY(_INSTANT))
        opens = Grouping(literal([each for each, _ in openings], ARRAY(_INSTANT)))
        # How many closed before it is due: the next is the one it lies in or waits for.
        closed = func.width_bucket(due, closes)
        return func.greatest(opens[closed + 1], due)


def reschedule_rows(work: Work, before: Series | None, saved: Series) -> int:
    """Give the rows their new times, in two statements; return how many were moved."""
    retimed = Retimed.by(before, saved, work.now)
    if not retimed.steps:
        return 0
    waiting = work.connection.execute(_rescheduling(work, retimed))
    parked = work.connection.execute(_rescheduling_parked(work, retimed))
    return waiting.rowcount + parked.rowcount


@statement("reschedule_rows")
def _rescheduling(work: Work, retimed: Retimed) -> Update:
    return _moving(work, retimed, _ROWS.c.parked_at.is_(None)).values(scheduled_for=retimed.due)


@statement("reschedule_parked_rows")
def _rescheduling_parked(work: Work, retimed: Retimed) -> Update:
    """A parked row waits for its retry too; one that is set aside stays so."""
    due = retimed.due
    return _moving(work, retimed, _ROWS.c.parked_at.is_not(None)).values(
        was_due=due,
        scheduled_for=func.greatest(_ROWS.c.scheduled_for, due),
        retry_at=case((_ROWS.c.retry_at.is_not(None), func.greatest(_ROWS.c.retry_at, due))),
    )


def _moving(work: Work, retimed: Retimed, which: ColumnElement[bool]) -> Update:
    return update(_ROWS).where(
        _ROWS.c.org_id == work.org_id,
        _ROWS.c.automation_id == retimed.series.id,
        which,
        retimed.moves,
    )


def _times(step: Step) -> tuple[object, ...]:
    return step.delay, step.window
