"""Who is outside a series, and how many of them would enter after a save (contract §18)."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, select

from halo_engine.answers.plans.fates import PlannedSave, audience_of, fates
from halo_engine.answers.plans.seats import taken_addresses, taken_companies
from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.enrollment.candidates import Asked, Candidates, Outsiders
from halo_engine.enrollment.guards import AfterSave, judge
from halo_engine.enrollment.losers import foreseen_losers
from halo_engine.sql.statements import statement
from halo_engine.sql.statistics import analyze_unknown
from halo_engine.work import Work

#: So many who match are judged by name; of more, everybody outside is read again.
FEW: Final = 10_000


class Outside(Answer):
    """Contacts who are not in the series: how many match it now, and would after the save.

    ``would_enter`` is how many the next re-evaluation would enroll; 0 unless the series is active
    and takes who matches.
    """

    matched_before: int
    matched_after: int
    would_enter: int


def entering(
    work: Work, before: Series, planned: PlannedSave, matched: int, some: Sequence[UUID]
) -> int:
    """Return how many of those outside who will match would enter at the next re-evaluation.

    ``some`` are their ids: all of them, if ``matched`` are not more than ``FEW``.
    """
    after = planned.series
    is_asked = after.is_active and after.entry_trigger is EntryTrigger.SEGMENT_MATCH
    if not is_asked or not matched:
        return 0
    who = Asked(work.now, some) if matched <= FEW else Outsiders(work.now, after.id)
    analyze_unknown(work.connection)
    save = _save(work, before, planned)
    losers = foreseen_losers(work, [after], who, save)
    number: int = work.connection.execute(
        _count_entering(work, before, planned, who), losers
    ).scalar_one()
    return number


@statement("count_entering")
def _count_entering(
    work: Work, before: Series, planned: PlannedSave, candidates: Candidates
) -> Select[Any]:
    save = _save(work, before, planned)
    verdicts = judge(work.org_id, [planned.series], work.moment, candidates, save)
    return select(func.count()).select_from(verdicts).where(verdicts.c.code.is_(None))


def _save(work: Work, before: Series, planned: PlannedSave) -> AfterSave:
    """Return what the save changes of what the guards look at.

    Seats that it begins to give are not taken yet, and runs that it ends for one leave their
    address.
    """
    after = planned.series
    gives_seats = after.settings.one_per_company and not before.settings.one_per_company
    counts = after.settings.one_per_address and not before.settings.one_per_address
    is_moved = after.settings.one_per_address and (counts or gives_seats)
    found = fates(work, planned)
    return AfterSave(
        moved_audience=audience_of(before)[:3] != audience_of(after)[:3],
        taken=taken_companies(found) if gives_seats else None,
        addresses=taken_addresses(work, after, found, gives_seats) if is_moved else None,
    )
