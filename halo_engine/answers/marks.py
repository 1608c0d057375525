"""Marks: what is so of each contact as a number, and how many contacts have the same number.

A filter is evaluated once for each contact; whatever is asked of the counts is asked of the few
numbers that occur.
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

#: Each mark has two bits; a ``bigint`` has a sign besides.
_IN_A_NUMBER: Final = 31


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that is looked at: which of its ``cases`` holds first, if any does.

    ``place`` is where it is noted: which number, and which of its pairs of bits.
    """

    place: tuple[int, int]
    cases: tuple[ColumnElement[bool], ...]

    @property
    def noted(self) -> ColumnElement[int]:
        """The mark of one contact."""
        numbered = [(held, self._bits(n)) for n, held in enumerate(self.cases, start=1)]
        return case(*numbered, else_=self._bits(0))

    def says(self, alike: FromClause, number: int = 1) -> ColumnElement[bool]:
        """Return whether the ``number``-th case was the one, for those that are ``alike``."""
        noted: ColumnElement[int] = alike.c[_named(self.place[0])]
        return noted.bitwise_and(self._bits(3)) == self._bits(number)

    def _bits(self, value: int) -> ColumnElement[int]:
        return literal_column(str(value << 2 * self.place[1]), BigInteger())


class Marks:
    """All that is looked at, of everybody."""

    def __init__(self) -> None:
        self._numbers: list[list[Mark]] = []

    def of(self, *cases: ColumnElement[bool]) -> Mark:
        """Look at one thing more: which of at most three ``cases`` holds first, if any does."""
        if not self._numbers or len(self._numbers[-1]) == _IN_A_NUMBER:
            self._numbers.append([])
        number = self._numbers[-1]
        mark = Mark((len(self._numbers) - 1, len(number)), cases)
        number.append(mark)
        return mark

    def counted(self, everybody: Everybody) -> FromClause:
        """Return the numbers that occur, each with how many ``contacts`` have it."""
        columns = [
            sum((mark.noted for mark in number[1:]), number[0].noted).label(_named(place))
            for place, number in enumerate(self._numbers)
        ]
        looked = select(*columns).select_from(everybody.scan(columns)).offset(APART).subquery()
        contacts = func.count().label("contacts")
        return select(*looked.c, contacts).group_by(*looked.c).subquery("alike")


def tally(alike: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """Return how many contacts there are among those ``alike`` of whom all ``conditions`` hold."""
    contacts = func.sum(alike.c.contacts).filter(and_(true(), *conditions))
    return cast(func.coalesce(contacts, literal_column("0")), BigInteger())


def _named(place: int) -> str:
    return f"marks_{place}"
