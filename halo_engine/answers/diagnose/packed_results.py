"""Each contact's filter results, packed into integers, and how many contacts share each integer.

Each filter is evaluated once per contact. Counts are then taken from the few distinct integers.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    and_,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
)

from halo_engine.audience.everybody import APART, Everybody

#: A result takes two bits; a ``bigint`` also has a sign.
_PER_INTEGER: Final = 31


@dataclass(frozen=True, slots=True)
class FirstCase:
    """Which of ``cases`` is the first to hold for a contact: its number from 1, or 0 for none.

    ``slot`` says where that is stored: in which integer, and in which pair of its bits.
    """

    slot: tuple[int, int]
    cases: tuple[ColumnElement[bool], ...]

    @property
    def bits(self) -> ColumnElement[int]:
        """One contact's result, shifted to its pair of bits."""
        numbered = [(held, self._bits(n)) for n, held in enumerate(self.cases, start=1)]
        return case(*numbered, else_=self._bits(0))

    def says(self, alike: FromClause, number: int = 1) -> ColumnElement[bool]:
        """Return whether the result is ``number``, for a row of ``alike`` (see ``counted``)."""
        bits: ColumnElement[int] = alike.c[_column(self.slot[0])]
        return bits.bitwise_and(self._bits(3)) == self._bits(number)

    def _bits(self, value: int) -> ColumnElement[int]:
        return literal_column(str(value << 2 * self.slot[1]), BigInteger())


class PackedResults:
    """Every result that a statement needs, packed into as few integers as possible."""

    def __init__(self) -> None:
        self._numbers: list[list[FirstCase]] = []

    def add(self, *cases: ColumnElement[bool]) -> FirstCase:
        """Add a result of at most three ``cases``."""
        if not self._numbers or len(self._numbers[-1]) == _PER_INTEGER:
            self._numbers.append([])
        number = self._numbers[-1]
        result = FirstCase((len(self._numbers) - 1, len(number)), cases)
        number.append(result)
        return result

    def counted(self, everybody: Everybody) -> FromClause:
        """Return ``alike``: each combination that occurs, and how many ``contacts`` have it."""
        columns = [
            sum((result.bits for result in number[1:]), number[0].bits).label(_column(slot))
            for slot, number in enumerate(self._numbers)
        ]
        looked = select(*columns).select_from(everybody.scan(columns)).offset(APART).subquery()
        contacts = func.count().label("contacts")
        return select(*looked.c, contacts).group_by(*looked.c).subquery("alike")


def tally(alike: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """Return how many contacts of ``alike`` meet all ``conditions``."""
    contacts = func.sum(alike.c.contacts).filter(and_(true(), *conditions))
    return cast(func.coalesce(contacts, literal_column("0")), BigInteger())


def _column(slot: int) -> str:
    return f"results_{slot}"
