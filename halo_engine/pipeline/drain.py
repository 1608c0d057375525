"""Handle an organisation's signals until none waits; isolate and park what fails (§1).

A batch that fails is handled again in parts. A signal that still fails alone is tried for each
series separately. If only some series fail, the signal is handled for the others and a copy waits
for each that fails; otherwise the signal itself is parked. If nothing at all succeeds, handling
pauses for everything.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Final
from uuid import UUID

import structlog

from halo_engine.domain.series.signals import Signal
from halo_engine.journey.parking import FailedAlone
from halo_engine.pipeline.health import Health, Record, WorkKind
from halo_engine.pipeline.isolate import (
    PROBES,
    BatchError,
    FailedGroup,
    FailedItem,
    Interruptions,
    attempt,
    isolate,
    isolate_in_groups,
    kind_of,
)
from halo_engine.pipeline.react import Choice, react
from halo_engine.pipeline.reaction import Reaction, TooMuchError
from halo_engine.pipeline.signals.parking import MOST_HALVINGS, note_too_much, park_signal
from halo_engine.pipeline.wide import is_part, pass_over_next
from halo_engine.series.cache import running_series
from halo_engine.series.locks import hold_series_still, lock_signals
from halo_engine.work import Transact, Work

#: Signals that one transaction handles at most, chosen by measurement.
SIGNALS: Final = 1_000
#: After so long due rows and mail have their turn, even if more signals keep coming.
TURN_SECONDS = 5.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Drain:
    """One turn at an organisation's signals."""

    transact: Transact
    health: Health
    interruptions: Interruptions = ()
    _blamed: Counter[UUID] = field(default_factory=Counter, init=False)

    @property
    def _record(self) -> Record:
        return self.health.records[WorkKind.SIGNALS]

    def run(self) -> Generator[Reaction, None, bool]:
        """React to signals until none waits or the turn is over; return whether some may still
        wait.

        A batch or a page that takes too long is halved at each try, whichever worker tries next.
        """
        # Ordinary signals first: whoever worked the last page may have had no time for them.
        beside_wide = True
        began = monotonic()
        while True:
            try:
                last = yield from self._batch(Choice(beside_wide=beside_wide))
            except TooMuchError as error:
                self._note(error)
                # Others have their turn now; the caller may have no time left for another try.
                last = Reaction(error.batch, [], [], unfinished=True)
                yield last
            if last is None:
                return False
            beside_wide = last.unfinished
            if monotonic() - began >= TURN_SECONDS:
                return True

    def _batch(self, choice: Choice) -> Generator[Reaction, None, Reaction | None]:
        """Handle a batch, or find what fails in it; return the last reaction, None when no signal
        waited.
        """
        try:
            reaction = self._react(choice)
        except BatchError as failed:
            yield from self._find_fault(failed)
            return Reaction(failed.batch, [], [], unfinished=True)
        if reaction is not None:
            yield self._succeeded(reaction)
        return reaction

    def _react(self, choice: Choice) -> Reaction | None:
        def reacting(work: Work, taken: list[Signal]) -> Reaction | None:
            if self._record.holds(work.now):
                return None
            return react(work, SIGNALS, choice, taken)

        choice = replace(choice, without=self._aside(choice))
        return attempt(self.transact, reacting, self.interruptions)

    def _aside(self, choice: Choice) -> Callable[[datetime], Mapping[UUID, str]]:
        return lambda now: {**self.health.withheld(now), **choice.without(now)}

    def _find_fault(self, failed: BatchError) -> Iterator[Reaction]:
        first: Signal = failed.batch[0]
        if _is_page(first) and first.attempts < MOST_HALVINGS - 1:
            # One contact of the page may be at fault: the next try takes half of the page.
            self.transact(lambda work: note_too_much(work, [first], 1, failed.problem))
            yield Reaction([first], [], [], unfinished=True)
            return
        # Copies kept for one series are told apart from ordinary signals.
        for found in isolate_in_groups(failed, _series_of, self._react_to):
            if isinstance(found, FailedItem):
                yield from self._isolate_series(found)
            elif isinstance(found, FailedGroup):
                if found.group is not None:
                    self._withhold(found.group, found.problem)
            else:
                yield self._succeeded(found)

    def _succeeded(self, reaction: Reaction) -> Reaction:
        if reaction.signals:
            self._record.succeeded()
        return reaction

    def _react_to(self, signals: Sequence[Signal]) -> Reaction | None:
        reaction = self._react(Choice(only=[each.id for each in signals]))
        return reaction if reaction is not None and reaction.signals else None

    def _isolate_series(self, alone: FailedItem[Signal]) -> Iterator[Reaction]:
        """Handle a signal that fails alone for the series that can take it, else park it."""
        signal = alone.item
        faulty = self._faulty_series(signal)
        if faulty is not None:
            try:
                reaction = self._react(Choice(only=[signal.id], without=lambda _: faulty))
            except BatchError as failed:
                alone = replace(alone, problem=failed.problem)
            else:
                if reaction is not None:
                    yield self._succeeded(reaction)
                return
        counts = alone.others_succeed or self._record.went_well
        fault = FailedAlone(signal.id, alone.problem, counts)
        now = self.transact(partial(self._park, signal=signal, fault=fault))
        # A copy kept for one series proves nothing about other signals.
        if not alone.others_succeed and signal.series_id is None:
            # A wide signal fails at another contact each time: its cursor tells them apart.
            self._record.failed((signal.id, str(signal.cursor)), now)
        _log.error("signal parked", signal=signal.id, problem=kind_of(alone.problem), counts=counts)

    def _park(self, work: Work, *, signal: Signal, fault: FailedAlone) -> datetime:
        lock_signals(work.connection, work.org_id)
        if not self._pass_over(work, signal, fault):
            park_signal(work, fault)
        return work.now

    def _pass_over(self, work: Work, signal: Signal, fault: FailedAlone) -> bool:
        """Move a wide signal past its next contact; return whether that was possible."""
        if not _is_page(signal):
            return False
        try:
            pass_over_next(work, signal, fault)
        except (KeyError, TypeError, ValueError):
            # The signal itself cannot be read.
            return False
        return True

    def _faulty_series(self, signal: Signal) -> Mapping[UUID, str] | None:
        """Return the series that cannot take the signal, each with its problem; empty if all can by
        now, None if no series can.

        A series that is found at fault ``PROBES`` times is withheld for a while.
        """
        if signal.series_id is not None:
            return None
        ids = self.transact(self._running)
        if len(ids) < 2:
            return None
        found = list(isolate(BatchError(ids, ""), partial(self._rehearse, signal)))
        failing = [each for each in found if isinstance(each, FailedItem)]
        if not all(each.others_succeed for each in failing):
            return None
        for each in failing:
            self._blamed[each.item] += 1
            if self._blamed[each.item] >= PROBES:
                self._withhold(each.item, each.problem)
        return {each.item: each.problem for each in failing}

    def _running(self, work: Work) -> list[UUID]:
        running = running_series(hold_series_still(work))
        return [each.id for each in running.without(self.health.withheld(work.now)).series]

    def _withhold(self, series_id: UUID, problem: str) -> None:
        _log.error("series aside", series=series_id, problem=kind_of(problem))
        now = self.transact(lambda work: work.now)
        self.health.withhold(series_id, problem, now)

    def _rehearse(self, signal: Signal, series: Sequence[UUID]) -> bool:
        """Handle a signal for these series only, then roll back; True unless that fails."""
        choice = Choice(only=[signal.id], among=series)

        def rehearsed(work: Work, taken: list[Signal]) -> None:
            react(work, SIGNALS, choice, taken)
            raise _Undone

        try:
            attempt(self.transact, rehearsed, (_Undone, *self.interruptions))
        except _Undone:
            return True
        raise AssertionError("a rehearsal always rolls back")

    def _note(self, error: TooMuchError) -> None:
        """Note that a batch or a page was too large for one transaction."""
        first, problem = error.batch[0].id, str(error)
        batch, limit = error.batch, error.limit
        if self.transact(lambda work: note_too_much(work, batch, limit, problem)):
            _log.error("signal parked", signal=first, problem=problem)
        else:
            _log.warning("too much at once", signals=len(error.batch), first=first, problem=problem)


def _series_of(signal: Signal) -> UUID | None:
    return signal.series_id


def _is_page(signal: Signal) -> bool:
    """Return whether the signal is worked in pages, whose next contacts can be told apart."""
    return signal.kind.is_wide and not is_part(signal)


class _Undone(Exception):  # noqa: N818 -- nothing went wrong
    """Roll a rehearsal back."""
