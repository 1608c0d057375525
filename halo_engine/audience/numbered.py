"""Predicates, numbered by the series or step that asks: of a row only its own is evaluated."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, case, false

Numbered = Sequence[tuple[int, ColumnElement[bool]]]

_FEW_CASES: Final = 4


def of_number(number: ColumnElement[int], predicates: Numbered) -> ColumnElement[bool]:
    """Return the predicate of that number; false if there is none.

    A binary search down to a few cases: PostgreSQL checks the cases of a CASE one by one.
    """
    if not predicates:
        return false()
    if len(predicates) <= _FEW_CASES:
        return case(*[(number == n, held) for n, held in predicates], else_=false())
    middle = len(predicates) // 2
    lower, upper = predicates[:middle], predicates[middle:]
    return case((number < upper[0][0], of_number(number, lower)), else_=of_number(number, upper))
