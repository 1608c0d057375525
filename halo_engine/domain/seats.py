"""The company's seat follows its contact: who takes it, who ends for want of one (§4, guard 10)."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from halo_engine.domain.decisions import Exit, RunFacts, Seating
from halo_engine.domain.reasons import ExitReason

_Moving = tuple[RunFacts, Seating]


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
    moving = [(run, seating) for run in staying if (seating := run.moves)]
    leaving = {(run.series.id, run.contact_id) for run in (*ending, *(run for run, _ in moving))}
    wanting: dict[tuple[UUID, UUID], list[_Moving]] = defaultdict(list)
    moves = []
    for run, seating in moving:
        if seating.company_id is None:
            moves.append(TakeSeat(run, None))
        else:
            wanting[run.series.id, seating.company_id].append((run, seating))
    exits = []
    for (_, company_id), contending in wanting.items():
        losers, winner = _settle(contending, leaving)
        exits += losers
        if winner is not None:
            moves.append(TakeSeat(winner, company_id))
    return exits, moves


def _settle(
    moving: list[_Moving], leaving: Collection[tuple[UUID, UUID]]
) -> tuple[list[Exit], RunFacts | None]:
    """Return who ends and who newly sits of ``moving``, which want the same seat of one series."""
    series, holder = moving[0][0].series, moving[0][1].holder
    by_contender = {
        _Contender(seating.enrolled_at, seating.enrollment_id, run.contact_id, run.number): run
        for run, seating in moving
    }
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
