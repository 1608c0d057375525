"""The company's seat follows its contact: who takes it, who ends for want of one (§4, guard 10)."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from halo_engine.domain.decisions import Exit, RunFacts
from halo_engine.domain.reasons import ExitReason


@dataclass(frozen=True, slots=True)
class TakeSeat:
    """The run moves to its company's seat, or to none when its contact has no company."""

    run: RunFacts
    seat: UUID | None


@dataclass(frozen=True, slots=True, order=True)
class _Contender:
    """An active run that wants a seat; the earlier enrollment has it."""

    enrolled_at: datetime
    enrollment_id: int
    contact_id: UUID
    number: int


def decide_seats(
    staying: Iterable[RunFacts], ending: Iterable[RunFacts]
) -> tuple[list[Exit], list[TakeSeat]]:
    """Return which runs end and which take a seat, of the runs that go on.

    A run moves when its contact's company is another than the seat's. A seat that is held by a run
    in ``ending``, or by one that moves itself, is free; else the later enrollment ends.
    """
    moving = [run for run in staying if run.moves_seat]
    leaving = {(run.series.id, run.contact_id) for run in (*ending, *moving)}
    wanting: dict[tuple[UUID, UUID], list[RunFacts]] = defaultdict(list)
    moves = []
    for run in moving:
        if run.company_id is None:
            moves.append(TakeSeat(run, None))
        else:
            wanting[run.series.id, run.company_id].append(run)
    exits = []
    for (_, company_id), runs in wanting.items():
        losers, winner = _settle(runs, leaving)
        exits += losers
        if winner is not None:
            moves.append(TakeSeat(winner, company_id))
    return exits, moves


def _settle(
    runs: list[RunFacts], leaving: Collection[tuple[UUID, UUID]]
) -> tuple[list[Exit], RunFacts | None]:
    """Return who ends and who newly sits of ``runs``, which want the same seat of one series."""
    series, holder = runs[0].series, runs[0].seat_holder
    by_contender = {_contender(run): run for run in runs}
    contenders = list(by_contender)
    if holder is not None and (series.id, holder.contact_id) not in leaving:
        contenders.append(
            _Contender(holder.enrolled_at, holder.enrollment_id, holder.contact_id, holder.number)
        )
    first, *late = sorted(contenders)
    exits = [
        Exit(series, each.contact_id, each.number, ExitReason.COMPANY_ALREADY_ENROLLED)
        for each in late
    ]
    return exits, by_contender.get(first)


def _contender(run: RunFacts) -> _Contender:
    return _Contender(run.enrolled_at, run.enrollment_id, run.contact_id, run.number)
