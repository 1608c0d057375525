"""React to signals: contacts leave series, reach goals, and enter (contract §1, §2).

One batch is one transaction: exits, then goals, then entries, then the signals are deleted. The
number of statements depends neither on the number of signals nor on that of series.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.exc import OperationalError

from halo_engine.database import problem_of, took_too_long
from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.signals import Signal, SignalKind
from halo_engine.enrollment.candidates import candidates_of_signals
from halo_engine.enrollment.enroll import enroll
from halo_engine.enrollment.patience import waiting_of_signals
from halo_engine.enrollment.surges.locks import lock_surges
from halo_engine.pipeline.passes.noting import note_for_pass
from halo_engine.pipeline.reaction import Reaction, TooMuchError, revisit_runs
from halo_engine.pipeline.signals.inbox import next_signals, remove
from halo_engine.pipeline.signals.parking import Kept, keep_for_later, put_off
from halo_engine.pipeline.wide import work_page
from halo_engine.series.cache import running_series
from halo_engine.series.completion import complete_finished
from halo_engine.series.early_gates import Waiting, open_gates
from halo_engine.series.locks import hold_series_still, lock_signals
from halo_engine.series.noting import note_series_once
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class Choice:
    """Which signals a transaction handles, and for which series.

    ``only`` takes these signals, if they still wait; ``among`` ignores all series but these.
    ``without`` returns the series that are withheld at an instant, and why. ``planned``: somebody
    means these contacts to enter, so no surge counts or holds them (contract §19).
    """

    beside_wide: bool = False
    only: Sequence[int] | None = None
    among: Sequence[UUID] | None = None
    without: Callable[[datetime], Mapping[UUID, str]] = lambda _: {}
    planned: bool = False


EVERYTHING: Final = Choice()


def react(
    work: Work, limit: int, choice: Choice = EVERYTHING, taken: list[Signal] | None = None
) -> Reaction | None:
    """Handle the oldest waiting signals, at most ``limit``; None when none waits.

    ``beside_wide`` skips wide signals that are under way, unless nothing else waits: pages and
    ordinary batches take turns. The batch is added to ``taken`` before it is handled. Raises
    TooMuchError when a statement about the signals took too long; waiting for a lock does not
    count.
    """
    lock_signals(work.connection, work.org_id)
    batch = next_signals(work, limit, beside_wide=choice.beside_wide, only=choice.only)
    if not batch:
        return None
    work = hold_series_still(work)
    running = running_series(work).without(choice.without(work.now))
    if choice.among is not None:
        running = running.only(choice.among)
    if taken is not None:
        taken.extend(batch)
    try:
        return _handle(work, batch, running, planned=choice.planned)
    except OperationalError as error:
        if took_too_long(error):
            raise TooMuchError(batch, limit, problem_of(error)) from error
        raise


def _handle(
    work: Work, batch: Sequence[Signal], running: RunningSeries, *, planned: bool
) -> Reaction:
    handled = _put_off(work, batch, running) if running.aside else batch
    if not handled:
        return Reaction([], [], [])
    if handled[0].kind.is_wide:
        return work_page(work, handled[0], running)
    # Triggers come first: of two the later one counts, also for those who wait for data.
    came = [candidates_of_signals(handled, running), waiting_of_signals(handled, running)]
    at_the_door = [each for each in came if each is not None]
    if at_the_door:
        lock_surges(work, [each for concerned, _ in at_the_door for each in concerned])
    exits = revisit_runs(work, running, [each.contact_id for each in handled if each.contact_id])
    opening = [each.contact_id for each in handled if running.may_open_gates(each)]
    if opening:
        open_gates(work, running.series, Waiting(contacts=[id_ for id_ in opening if id_]))
    admissions = [
        admission
        for concerned, candidates in at_the_door
        for admission in enroll(work, concerned, replace(candidates, planned=planned))
    ]
    complete_finished(work, [each.series for each in exits])
    note_for_pass(work, running, handled)
    remove(work, handled)
    return Reaction(handled, exits, admissions)


def _put_off(work: Work, batch: Sequence[Signal], running: RunningSeries) -> Sequence[Signal]:
    """Keep signals for withheld series; return the signals to be handled for other series."""
    waiting = [each for each in batch if each.series_id in running.aside]
    for series_id, aside in running.aside.items():
        held = [each for each in waiting if each.series_id == series_id]
        put_off(work, held, aside.problem)
    handled = [each for each in batch if each.series_id not in running.aside]
    kept = [
        Kept(signal, series_id, aside.problem)
        for signal in handled
        if not signal.kind.is_wide
        for series_id, aside in running.kept_for(signal)
    ]
    keep_for_later(work, kept)
    if any(each.series_id is None and each.kind is not SignalKind.REEVALUATED for each in handled):
        # Of those that keep no copy nobody sees who left, and whose goal holds.
        note_series_once(work, running.aside)
    return handled
