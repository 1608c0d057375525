"""Reacting to signals: what happened to contacts, and what series make of it (contract §1, §2).

One batch is one transaction: exits, then goals, then entries, then the signals are deleted. How
many statements that takes depends neither on the number of signals nor on the number of series.
"""

from collections.abc import Sequence

from sqlalchemy.exc import OperationalError

from halo_engine.database import problem_of, took_too_long
from halo_engine.domain.running import RunningSeries
from halo_engine.domain.signals import Signal
from halo_engine.enrollment.candidates import candidates_of_signals
from halo_engine.enrollment.enroll import Admission, enroll
from halo_engine.pipeline.inbox import next_signals, remove
from halo_engine.pipeline.reaction import Reaction, TooMuchError, revisit_runs
from halo_engine.pipeline.wide import work_page
from halo_engine.series.completion import complete_finished
from halo_engine.series.locks import hold_series_still, take_turn_at_signals
from halo_engine.series.shelf import running_series
from halo_engine.work import Work


def react(work: Work, limit: int, *, beside_wide: bool = False) -> Reaction | None:
    """Handle the oldest waiting signals, at most ``limit``; None when none waits.

    ``beside_wide`` passes over wide signals that are under way, unless nothing else waits: a page
    of theirs and a batch of the others take turns. Raises TooMuchError when a statement took too
    long; time that is lost waiting for a turn, or for the series, is nobody's fault.
    """
    take_turn_at_signals(work.connection, work.org_id)
    batch = next_signals(work, limit, beside_wide=beside_wide)
    if not batch:
        return None
    work = hold_series_still(work)
    running = running_series(work)
    try:
        return _handle(work, batch, running)
    except OperationalError as error:
        if took_too_long(error):
            raise TooMuchError(batch, limit, problem_of(error)) from error
        raise


def _handle(work: Work, batch: Sequence[Signal], running: RunningSeries) -> Reaction:
    if batch[0].kind.is_wide:
        return work_page(work, batch[0], running)
    exits = revisit_runs(work, running, [each.contact_id for each in batch if each.contact_id])
    admissions = _admit(work, batch, running)
    complete_finished(work, [each.series for each in exits])
    remove(work, batch)
    return Reaction(batch, exits, admissions)


def _admit(work: Work, batch: Sequence[Signal], running: RunningSeries) -> list[Admission]:
    at_the_door = candidates_of_signals(batch, running)
    if at_the_door is None:
        return []
    concerned, candidates = at_the_door
    return enroll(work.connection, work.org_id, concerned, work.moment, candidates)
