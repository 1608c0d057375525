"""Move seats when contacts change companies: who takes one, whose run ends (§4, guard 10)."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from halo_engine.domain.series.decisions import Exit, RunFacts, Seating
from halo_engine.domain.series.exits import ExitReason

_Moving = tuple[RunFacts, Seating]


@dataclass(frozen=True, slots=True)
class TakeSeat:
    """The run takes its company's seat, or none if its contact has no company."""

    run: RunFacts
    seat: UUID | None


@dataclass(frozen=True, slots=True, order=True)
class _Contender:
    """An active run that wants a seat; the earliest enrollment gets it."""

    enrolled_at: datetime
    enrollment_id: int
    contact_id: UUID
    number: int


def decide_seats(
    staying: Iterable[RunFacts], ending: Iterable[RunFacts]
) -> tuple[list[Exit], list[TakeSeat]]:
    """Return which of the ``staying`` runs end, and which take a seat.

    A run moves if its contact is not in the company of its seat. A seat is free if its holder is in
    ``ending`` or moves itself; otherwise the later enrollment ends.
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
    """Return the exits and the new holder among ``moving``, which want the same seat."""
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
