"""Before which instant rows may be deleted: as old as the organisation says, and of no use to any
rule (contract §24).

The spans that series count are refused where they are longer than events are kept, and so are
frequency caps that look further back than mails are. That a deletion asks for them again is for
what older code saved beside this.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, select

from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.times.frequency import longest_cap
from halo_engine.domain.times.retention import History
from halo_engine.retention.months import months_of
from halo_engine.series.catalogue import load_series
from halo_engine.series.checking.spans import longest_span
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    held_entries,
    signals,
    waiting_entries,
)
from halo_engine.tables.enrollments import IS_ACTIVE, is_run
from halo_engine.work import Work

#: A transaction that began before the deletion counts from its own beginning.
_MARGIN: Final = timedelta(days=1)


def cut_of(work: Work, history: History) -> datetime | None:
    """Return the instant before which rows of ``history`` may be deleted; None if none may be."""
    kept = work.org.keeps[history]
    if kept is None:
        return None
    cut = work.now - kept
    needed = _NEEDED.get(history)
    return cut if needed is None else min(cut, needed(work))


def cut_of_pages(work: Work, history: History) -> datetime | None:
    """Return the instant before which rows are deleted page by page.

    A month of events goes as a whole once all of it is old enough, which is soon.
    """
    cut = cut_of(work, history)
    if cut is None or history is not History.EVENTS:
        return cut
    month = next((each for each in months_of(work.connection) if each.upper > cut), None)
    return month.lower if month is not None and month.is_one else cut


def _events_needed_since(work: Work) -> datetime:
    """Return since when a rule may still read events."""
    series = load_series(work.connection, work.org_id, work.org.hours)
    longest = max((longest_span(each) for each in series), default=timedelta(0))
    compared = [each.id for each in series if _compares_events(each)]
    found = work.connection.execute(_find_needed_events(work, compared)).one()
    read: list[datetime] = [at for at in found if at is not None]
    return min(work.now - longest - _MARGIN, *read, work.now)


def _mails_needed_since(work: Work) -> datetime:
    """Return since when caps count mails. What else rules read are mails of runs that go on."""
    return work.now - longest_cap(work.org.hours.caps) - _MARGIN


#: Since when a rule may still read rows of a history; of the others none reads any.
_NEEDED: Final[Mapping[History, Callable[[Work], datetime]]] = {
    History.EVENTS: _events_needed_since,
    History.MAILS: _mails_needed_since,
}


def _compares_events(series: Series) -> bool:
    """Return whether the series' runs look at the properties of events since they began."""
    exits = ExitReason.EVENT in series.settings.exit_rules and series.settings.exit_event_filters
    gates = (step.condition for step in series.steps_by_id.values())
    return bool(exits) or any(gate is not None and gate.filters for gate in gates)


@statement("find_needed_events")
def _find_needed_events(work: Work, series_ids: Sequence[UUID]) -> Select[Any]:
    """Find the oldest run that compares events, and what else has yet to read an event: signals,
    contacts who are held, and those who wait for data.
    """
    rows, runs = automation_recipients, automation_enrollments
    number = rows.c.enrollment_number.label("number")
    going_on = (
        select(rows.c.automation_id, rows.c.end_user_id, number)
        .where(rows.c.org_id == work.org_id, rows.c.automation_id.in_(series_ids), IS_ACTIVE)
        .subquery("going_on")
    )
    oldest_run = (
        select(func.min(runs.c.created_at))
        .select_from(going_on.join(runs, is_run(runs, runs.c.org_id, going_on)))
        .where(runs.c.org_id == work.org_id)
    )
    return select(
        oldest_run.scalar_subquery().label("run"),
        *(
            select(func.min(at)).where(table.c.org_id == work.org_id).scalar_subquery().label(name)
            for name, table, at in (
                ("signal", signals, signals.c.happened_at),
                ("held", held_entries, held_entries.c.held_at),
                ("waiting", waiting_entries, waiting_entries.c.fired_at),
            )
        ),
    )
