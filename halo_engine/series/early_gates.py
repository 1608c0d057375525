"""Gates that open as soon as their event fires: their rows become due then (contract §21).

A row that is opened keeps in ``latest_due`` when its delay would have decided; until it is handled
a save can so put it back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Update,
    Uuid,
    and_,
    any_,
    case,
    literal,
    null,
    select,
    update,
)

from halo_engine.audience.fired import Awaited, fired_since
from halo_engine.audience.moments import ANY_MOMENT, When
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import Series, Step
from halo_engine.sql.cache import StatementCache
from halo_engine.sql.parameters import parameter
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automation_recipients
from halo_engine.tables.enrollments import IS_PENDING
from halo_engine.work import Work

_ROWS: Final = automation_recipients
_NOW: Final = ANY_MOMENT.parameter(lambda at: at.now, DateTime(timezone=True))
#: Keyed by organisation, shape of ``Waiting``, and series.
_KEPT: Final = StatementCache()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The rows to look at: those of ``contacts``, the next rows of the runs of rows ``after``,
    those ``reached`` at these instants; all of the series if nothing is said.
    """

    contacts: Collection[UUID] | None = None
    after: Collection[int] | None = None
    reached: Collection[datetime] | None = None

    @property
    def values(self) -> Mapping[str, Any]:
        """Which rows they are, as parameters."""
        given = {"contact_ids": self.contacts, "row_ids": self.after, "instants": self.reached}
        return {name: list(each) for name, each in given.items() if each is not None}

    def conditions(self, org_id: UUID) -> list[ColumnElement[bool]]:
        """Return the conditions that a row has to meet."""
        found: list[ColumnElement[bool]] = []
        if self.contacts is not None:
            found.append(_ROWS.c.end_user_id == any_(parameter("contact_ids")))
        if self.after is not None:
            done = _ROWS.alias("done")
            whose = select(done.c.end_user_id).where(
                done.c.org_id == org_id, done.c.id == any_(parameter("row_ids"))
            )
            found.append(_ROWS.c.end_user_id.in_(whose))
        if self.reached is not None:
            found.append(_ROWS.c.created_at == any_(parameter("instants")))
        return found


EVERYBODY: Final = Waiting()


def early_steps(series: Series) -> list[Step]:
    """Return the gates of a series that open early."""
    return [step for step in series.steps if step.is_early]


def open_gates(work: Work, series: Sequence[Series], whose: Waiting = EVERYBODY) -> None:
    """Make the rows due whose early gate's event has fired since they were made; in active series,
    in one statement. The caller holds the runs, or the series lock.
    """
    asked = tuple(each for each in series if each.is_active and early_steps(each))
    if not asked:
        return
    opening = _KEPT.get(
        (work.org_id, tuple(whose.values), asked),
        lambda: _opening(work.org_id, asked, whose),
        size=len(asked),
    )
    opening.rows(work.connection, whose.values, work.moment)


def open_after_resume(work: Work, series: Series) -> None:
    """Open the gates whose event fired before or during the pause (contract §21)."""
    open_gates(work, [replace(series, status=SeriesStatus.ACTIVE)])


@statement("open_early_gates", whose=Waiting(contacts=()))
def _opening(org_id: UUID, series: Sequence[Series], whose: Waiting) -> Update:
    ids = literal([each.id for each in series], ARRAY(Uuid()))
    return (
        update(_ROWS)
        .where(
            _ROWS.c.org_id == org_id,
            _ROWS.c.automation_id == any_(ids),
            *whose.conditions(org_id),
            is_opened(org_id, series, _NOW, ANY_MOMENT),
        )
        .values(latest_due=_ROWS.c.scheduled_for, scheduled_for=_NOW)
    )


def is_opened(
    org_id: UUID, series: Sequence[Series], now: ColumnElement[datetime], moment: When
) -> ColumnElement[bool]:
    """Return whether a row waits at an early gate of these series whose event has fired."""
    steps = [step for each in series for step in early_steps(each)]
    if not steps:
        return literal(False)
    number = case(*((_ROWS.c.step_id == step.id, n) for n, step in enumerate(steps)), else_=null())
    awaited = [
        Awaited(n, step.condition.value, step.condition.filters)
        for n, step in enumerate(steps)
        if step.condition is not None and step.condition.value
    ]
    reached = (_ROWS.c.created_at, _ROWS.c.id)
    return and_(
        _ROWS.c.step_id.in_([step.id for step in steps]),
        IS_PENDING,
        _ROWS.c.parked_at.is_(None),
        _ROWS.c.scheduled_for > now,
        fired_since(org_id, _ROWS, number, awaited, reached, _kept(), moment),
    )


def _kept() -> ColumnElement[Any]:
    """Return what the row's run keeps of the event that began it."""
    runs = automation_enrollments
    return (
        select(runs.c.event_properties)
        .where(
            runs.c.org_id == _ROWS.c.org_id,
            runs.c.automation_id == _ROWS.c.automation_id,
            runs.c.end_user_id == _ROWS.c.end_user_id,
            runs.c.number == _ROWS.c.enrollment_number,
        )
        .correlate(_ROWS)
        .scalar_subquery()
    )


def close_gates(work: Work, before: Series | None, saved: Series) -> None:
    """Put rows back that an event opened under the definition ``before`` and that nobody handled
    yet; what the saved one opens is opened again. None: it cannot be read.
    """
    if before is None or early_steps(before):
        work.connection.execute(_closing(work, saved))


@statement("close_early_gates")
def _closing(work: Work, series: Series) -> Update:
    return (
        update(_ROWS)
        .where(
            _ROWS.c.org_id == work.org_id,
            _ROWS.c.automation_id == series.id,
            IS_PENDING,
            _ROWS.c.scheduled_for <= work.now,
            _ROWS.c.parked_at.is_(None),
            _ROWS.c.latest_due.is_not(None),
        )
        .values(scheduled_for=_ROWS.c.latest_due, latest_due=null())
    )
