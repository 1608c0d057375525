"""A release at a pace: how many of those who are held may enter now (contract §19).

Those who entered so are counted beside the surge's own entries: a release is planned, and counts in
no span of the surge.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Select,
    Update,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.audience.moments import ANY_MOMENT
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.surges import LONGEST, Pace
from halo_engine.sql.statements import statement
from halo_engine.tables import automations, held_entries, released_entries
from halo_engine.work import Work

_INSTANT: Final = DateTime(timezone=True)
_FORGOTTEN: Final = ANY_MOMENT.parameter(lambda at: at.now - LONGEST, _INSTANT)
#: A pace to show the statements with.
_SAMPLE: Final = Pace.model_validate({"at_most": 400, "within": "1h"})


@dataclass(frozen=True, slots=True)
class Queue:
    """Whether somebody ``waits``, and for how many there is ``room`` now."""

    waits: bool
    room: int


def look_at_queue(work: Work, series: Series, pace: Pace) -> Queue:
    """Return how the release stands; the caller holds the lock of the surge (``locks``).

    What entered after ``work.now`` counts too: another transaction may have read the clock later,
    and come first.
    """
    [row] = work.connection.execute(_look(work, series, pace))
    return Queue(row.waits, max(pace.at_most - row.entered, 0))


@statement("look_at_queue", pace=_SAMPLE)
def _look(work: Work, series: Series, pace: Pace) -> Select[Any]:
    held, entries = held_entries, released_entries
    waits = exists().where(held.c.org_id == work.org_id, held.c.automation_id == series.id)
    entered = select(func.coalesce(func.sum(entries.c.entries), 0)).where(
        entries.c.org_id == work.org_id,
        entries.c.automation_id == series.id,
        entries.c.began_at > work.now - pace.within,
    )
    return select(waits.label("waits"), entered.scalar_subquery().label("entered"))


def read_pace(work: Work, series: Series) -> Pace | None:
    """Return the pace of the release that is under way by now; None if there is none."""
    [row] = work.connection.execute(_read_pace(work, series))
    return Pace.stored(row.release_at_most, row.release_within_seconds)


@statement("read_pace")
def _read_pace(work: Work, series: Series) -> Select[Any]:
    table = automations
    return select(table.c.release_at_most, table.c.release_within_seconds).where(
        table.c.org_id == work.org_id, table.c.id == series.id
    )


def keep_pace(work: Work, series: Series, pace: Pace | None) -> None:
    """Keep the pace of the release that is under way, or that there is none any more.

    Rows of series are locked after contacts (decision 4), so it comes last.
    """
    work.connection.execute(_keep_pace(work, series, pace))


@statement("keep_pace", pace=_SAMPLE)
def _keep_pace(work: Work, series: Series, pace: Pace | None) -> Update:
    table = automations
    values = {
        "release_at_most": pace and pace.at_most,
        "release_within_seconds": pace and int(pace.within.total_seconds()),
    }
    differs = [table.c[name].is_distinct_from(value) for name, value in values.items()]
    return (
        update(table)
        .where(table.c.org_id == work.org_id, table.c.id == series.id, or_(*differs))
        .values(values)
    )


def count_released(org_id: UUID, enrolled: CTE) -> list[CTE]:
    """Count who entered by a release at a pace; forget those whom no span can reach."""
    table = released_entries
    begun = (
        select(enrolled.c.automation_id, enrolled.c.created_at, func.count().label("entries"))
        .group_by(enrolled.c.automation_id, enrolled.c.created_at)
        .subquery("let_in")
    )
    columns = ["org_id", "automation_id", "began_at", "entries"]
    rows = select(literal(org_id), *begun.c)
    is_past: ColumnElement[bool] = and_(
        table.c.org_id == org_id,
        table.c.automation_id.in_(select(enrolled.c.automation_id)),
        table.c.began_at < _FORGOTTEN,
    )
    counted = insert(table).from_select(columns, rows).cte("counted_released")
    return [counted, delete(table).where(is_past).cte("past_released")]
