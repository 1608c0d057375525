"""The result of a batch of signals, and the exits that come first for every kind of signal (§1)."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from halo_engine.domain.series.decisions import Exit, RunFacts, decide_exit
from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.seats import decide_seats
from halo_engine.domain.series.signals import Signal
from halo_engine.enrollment.enroll import Admission
from halo_engine.enrollment.surges.discards import forget_those_outside
from halo_engine.journey.claim import Run, hold_runs
from halo_engine.journey.facts import gather_runs
from halo_engine.journey.observe import Observed, observe
from halo_engine.journey.record_exits import record_exits, record_seats
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class Reaction:
    """The result of one batch of signals; ``unfinished`` when more of a wide one is left.

    No ``signals``: the whole batch was put off.
    """

    signals: Sequence[Signal]
    exits: Sequence[Exit]
    admissions: Sequence[Admission]
    unfinished: bool = False

    @property
    def moved(self) -> bool:
        """Whether anybody left or entered a series."""
        return bool(self.exits) or any(each.code is None for each in self.admissions)

    @property
    def counts(self) -> Counter[str]:
        """Counts of signals handled, exits and entries, for the log."""
        counted = Counter(signals=len(self.signals), left=len(self.exits))
        for each in self.admissions:
            counted["entered" if each.code is None else "not_admitted"] += each.count
        return counted


class TooMuchError(Exception):
    """A statement about ``batch`` took too long: at most ``limit`` signals, or a wide one."""

    def __init__(self, batch: Sequence[Signal], limit: int, problem: str) -> None:
        super().__init__(f"took too long: {problem}")
        self.batch = batch
        self.limit = limit


def revisit_runs(work: Work, running: RunningSeries, contacts: Collection[UUID]) -> list[Exit]:
    """Judge all runs of ``contacts`` again: exits, then seats, then goals (contract §1, §6)."""
    runs = hold_runs(work.connection, work.org_id, contacts)
    forget_those_outside(work, running.series, contacts)
    if not runs:
        return []
    active = [run for run in runs if run.is_active and run.series_id in running.by_id]
    exits = _end_runs(work, running, active) if active else []
    concerned = running.among({run.series_id for run in runs})
    observe(work, concerned, Observed(contacts=contacts))
    return exits


def _end_runs(work: Work, running: RunningSeries, runs: Sequence[Run]) -> list[Exit]:
    facts = gather_runs(work.connection, work.org_id, work.moment, running.by_id, runs)
    decided = [(each, decide_exit(each)) for each in facts]
    exits = [leaves for _, leaves in decided if leaves is not None]
    record_exits(work, exits)
    ending = [each for each, leaves in decided if leaves is not None]
    staying = [each for each, leaves in decided if leaves is None]
    return exits + settle_seats(work, staying, ending)


def settle_seats(work: Work, staying: Sequence[RunFacts], ending: Sequence[RunFacts]) -> list[Exit]:
    """Record who takes the seats that the runs of ``ending`` leave; return the runs that end
    because they have no seat.
    """
    without_seat, moves = decide_seats(staying, ending)
    if without_seat:
        hold_runs(work.connection, work.org_id, {each.contact_id for each in without_seat})
    record_exits(work, without_seat)
    record_seats(work, moves)
    return without_seat
