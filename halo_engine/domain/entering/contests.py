"""Who of a set enters where companies have a seat and addresses count too (guards 10 and 11).

Each guard by itself is settled in SQL: the contact created first wins. Together they depend on each
other: whoever is refused for its address leaves the seat to a colleague, who may then stand in the
way of somebody else. So those who contend are judged one after the other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from halo_engine.domain.series.guards import ReasonCode


@dataclass(frozen=True, slots=True)
class Contender:
    """A contact whom no other guard refuses, and the company and the address that it enters for.

    ``ordinal`` is the series' place among those that are asked about.
    """

    ordinal: int
    contact_id: UUID
    seat: UUID | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Loser:
    """A contender who does not enter, and why."""

    ordinal: int
    contact_id: UUID
    code: ReasonCode


def losers_of(contenders: Iterable[Contender]) -> Iterator[Loser]:
    """Yield who does not enter; the contenders come in order of creation."""
    seats: set[tuple[int, UUID]] = set()
    addresses: set[tuple[int, str]] = set()
    for each in contenders:
        seat = each.seat and (each.ordinal, each.seat)
        address = each.address and (each.ordinal, each.address)
        if seat in seats:
            yield Loser(each.ordinal, each.contact_id, ReasonCode.COMPANY_ALREADY_ENROLLED)
        elif address in addresses:
            yield Loser(each.ordinal, each.contact_id, ReasonCode.ADDRESS_ALREADY_ENROLLED)
        else:
            seats |= {seat} if seat else set()
            addresses |= {address} if address else set()
