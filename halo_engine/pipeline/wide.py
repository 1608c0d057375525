"""Wide signals, which concern a series' audience, a company's contacts or everybody: they are
worked in pages.

Each page is one transaction, and the signal's ``cursor`` says where the next begins. So a worker
that dies loses one page, and other signals take turns with the pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, Final
from uuid import UUID

from halo_engine.database import share_statement_timeout
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.signals import PART_OF, Signal, SignalKind
from halo_engine.enrollment.candidates import Entrants, Found, Paged
from halo_engine.enrollment.enroll import Admission, enroll
from halo_engine.enrollment.newcomers import newcomers
from halo_engine.enrollment.pages import (
    contacts_of,
    page_after,
)
from halo_engine.enrollment.patience import WaitingPaged
from halo_engine.enrollment.surges.discards import forget_those_outside
from halo_engine.enrollment.surges.locks import lock_surges
from halo_engine.journey.observe import Observed, observe
from halo_engine.journey.parking import FailedAlone
from halo_engine.pipeline.pages import (
    ENTRIES,
    PART,
    TOLD,
    WITHOUT,
    Worked,
    carried_on,
    entered,
    is_at_exits,
    next_phase,
    rest_of,
    share,
    shared,
    was_quick,
)
from halo_engine.pipeline.passes.beginning import note_pass
from halo_engine.pipeline.passes.cursors import (
    OVER,
    after_everybody,
    begins,
    forgets,
    is_at_noted,
    is_narrow,
    is_over,
    looked_at,
    of_copy,
)
from halo_engine.pipeline.passes.forgetting import forget_taken
from halo_engine.pipeline.passes.noting import note_for_pass
from halo_engine.pipeline.passes.taking import take_notes
from halo_engine.pipeline.reaction import Reaction, revisit_runs
from halo_engine.pipeline.signals.inbox import keep_cursor, remove
from halo_engine.pipeline.signals.parking import Kept, keep_for_later
from halo_engine.series.completion import complete_finished
from halo_engine.sql.planning import plan_anew
from halo_engine.sql.statistics import analyze_unknown
from halo_engine.work import Work

#: How many contacts one transaction looks at and may enroll.
PAGE = 100_000
#: How many contacts, and how many predicates, a page of a pass evaluates: few enter or leave.
SCANNED = 1_000_000
EVALUATED = 20_000_000
#: How many runs a company's change revisits at once, if everybody is in every series: they are kept
#: in memory and decided one by one.
REVISITED = 200_000
#: After a page that took less, the next one is larger: four times in a pass, twice where it was
#: halved.
QUICK_SECONDS = 1.0

#: A page has so many statements that may take long: who matches newly, who left, who enters. They
#: share the time limit of one statement, since the task has little more.
_LONG: Final = 3


def work_page(work: Work, signal: Signal, running: RunningSeries) -> Reaction:
    """Work the next page of a wide signal; the last one removes it."""
    if is_over(signal):
        is_gone = _end(work, signal, quick=bool(was_quick(signal)))
        return Reaction([signal], [], [], unfinished=not is_gone)
    began = monotonic()
    begun = begins(signal)
    analyze_unknown(work.connection)
    share_statement_timeout(work.connection, _LONG)
    if begun:
        plan_anew(work.connection)
        signal = replace(signal, cursor=take_notes(work, signal, running))
    carried = carried_on(work, signal, running)
    if forgets(signal) or (begun and signal.attempts and is_narrow(signal)):
        # Or else the page failed before: the next one can be told from where it begins.
        worked = Worked(signal.cursor)
    else:
        worked = _work(work, signal, _concerned(signal, running, carried))
    is_quick = monotonic() - began < QUICK_SECONDS
    is_gone = False
    if worked.cursor is not None:
        keep_cursor(work, signal, {**worked.cursor, **carried, "quick": is_quick}, quick=is_quick)
    else:
        # The last page may be a short one, so the one before it has to have been quick too.
        is_gone = _end(work, signal, quick=is_quick and (was_quick(signal) is not False))
    complete_finished(work, worked.touched)
    return Reaction([signal], worked.exits, worked.admissions, unfinished=not is_gone)


def is_part(signal: Signal) -> bool:
    """Return whether a wide signal is a copy for one contact, which failed before."""
    return PART_OF in (signal.cursor or {})


def pass_over_next(work: Work, signal: Signal, fault: FailedAlone) -> None:
    """Keep a copy of a wide signal for its next contact, which failed; move the signal past it."""
    if begins(signal) and is_narrow(signal):
        # What it looks at could not even be found: it becomes a pass over everybody.
        keep_cursor(work, signal, {}, quick=True)
        return
    rest = rest_of(signal)
    page = page_after(work, rest, 1)
    cursor = dict(signal.cursor or {})
    last = page.last.as_cursor() if page.last else None
    after = page.after.as_cursor() if page.after else None
    [contact_id] = contacts_of(work, page)
    only = [after, last]
    if page.named:
        # Those between two that are noted are not meant.
        only = [page.named[0].just_before().as_cursor(), page.named[0].as_cursor()]
    part = {**(of_copy(cursor) or {}), PART: only, PART_OF: str(contact_id)}
    tries = int(fault.counts)
    keep_for_later(work, [Kept(signal, signal.series_id, fault.problem, part, tries)])
    following = {**cursor, **last} if last and page.last != rest.last else next_phase(signal)
    if following is not None:
        keep_cursor(work, signal, {**following, **shared(cursor)}, quick=True)
    else:
        _end(work, signal, quick=False)


def _end(work: Work, signal: Signal, *, quick: bool) -> bool:
    """End a signal; return whether it is gone: a pass may have more to forget than one page can."""
    if signal.kind is SignalKind.REEVALUATED:
        if not forget_taken(work, signal):
            over = {**(signal.cursor or {}), OVER: True, "quick": quick}
            keep_cursor(work, signal, over, quick=quick)
            return False
        note_pass(work, signal, quick=quick)
    remove(work, [signal])
    return True


def _concerned(signal: Signal, running: RunningSeries, carried: Mapping[str, Any]) -> RunningSeries:
    """Return the series for which the signal is worked."""
    if signal.series_id is not None and signal.kind is not SignalKind.ACTIVATED:
        return running.only([signal.series_id])
    return running.without(dict.fromkeys(map(UUID, carried.get(WITHOUT, ())), ""))


def _work(work: Work, signal: Signal, running: RunningSeries) -> Worked:
    cursor = signal.cursor or {}
    if signal.kind is SignalKind.COMPANY_CHANGED and TOLD not in cursor:
        note_for_pass(work, running, [signal])
    if is_at_exits(signal):
        most = min(PAGE, max(REVISITED // max(len(running.series), 1), 1))
        rest = rest_of(signal)
        page = page_after(work, rest, share(signal, most))
        exits = revisit_runs(work, running, contacts_of(work, page))
        last = page.last if page.last != rest.last else None
        next_page = last.as_cursor() if last else ENTRIES
        return Worked(next_page, [each.series for each in exits], exits)
    plan_anew(work.connection)
    if signal.kind is SignalKind.REEVALUATED:
        return _reevaluate(work, signal, running)
    concerned = running.triggered_by(signal)
    waited_for = running.waited_for(signal)
    if not concerned and not waited_for:
        # Paused after the signal was read, before the lock: the page waits for the resume. If the
        # series was stopped or has another trigger by now, the signal is over.
        return Worked(cursor if _is_paused(running, signal) else None)
    page = page_after(work, rest_of(signal), share(signal, PAGE))
    lock_surges(work, [*concerned, *waited_for])
    entrants = Paged(page, work.now, signal.kind is SignalKind.ACTIVATED)
    admissions = _admit(work, concerned, entrants) if concerned else []
    if waited_for:
        again = WaitingPaged(page, signal.arrived_at)
        admissions = [*admissions, *_admit(work, waited_for, again)]
    return entered(signal, page, concerned, admissions)


def _is_paused(running: RunningSeries, signal: Signal) -> bool:
    if signal.kind is not SignalKind.ACTIVATED or signal.series_id is None:
        return False
    activated = running.by_id.get(signal.series_id)
    return activated is not None and activated.status is SeriesStatus.PAUSED


def _reevaluate(work: Work, signal: Signal, everything: RunningSeries) -> Worked:
    """Find who left and who matches newly; few do, so a page has more contacts (contract §4)."""
    running = looked_at(signal, everything)
    concerned = running.triggered_by(signal)
    rest = rest_of(signal)
    most = PAGE if is_at_noted(signal) else _scanned(work, signal, running)
    page = page_after(work, rest, share(signal, most)) if running.series else rest
    most = share(signal, PAGE)
    found = newcomers(work, concerned, page, most) if concerned else []
    if len(found) == most:
        page = replace(page, last=found[-1])
    # The surges come before the runs that are observed (decision 4).
    if found:
        lock_surges(work, concerned)
    observe(work, running.series, Observed(page=page))
    forget_those_outside(work, running.series, page=page)
    entrants = Found([each.contact_id for each in found], work.now)
    admissions = _admit(work, concerned, entrants) if found else []
    # A pass also completes series that are over but were left open.
    worked = entered(signal, page, everything.series, admissions)
    if worked.cursor is None and (following := after_everybody(signal.cursor or {})):
        return Worked(following, admissions=admissions)
    return worked


def _scanned(work: Work, signal: Signal, running: RunningSeries) -> int:
    """Return how many contacts a page of a pass has: a quarter of the most, unless the page before
    was quick; for the first page the organisation's last pass counts.

    Where everybody is in every series, a contact takes thirty times as long as where nobody is.
    """
    # Paused series count too: who left, and which goals hold, is asked of all.
    most = min(SCANNED, EVALUATED // max(len(running.series), 1))
    before = was_quick(signal)
    is_quick = work.org.passes_are_quick if before is None else before
    return max(PAGE, most if is_quick else most // 4)


def _admit(work: Work, concerned: Sequence[Series], entrants: Entrants) -> list[Admission]:
    """Enroll who matches, in order of creation (contract §1, §4)."""
    return enroll(work, concerned, entrants)
