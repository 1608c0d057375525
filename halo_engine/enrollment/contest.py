"""Who of a set wins: the first created of a company, and of an address (contract §23)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    case,
    func,
    select,
)

from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guard_parts import GuardScope
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.enrollment.candidates import Candidates
from halo_engine.enrollment.rules import have_addresses, have_discards, have_seats
from halo_engine.sql.rows import rows_asked

#: The name of the rows that say who lost where seats and addresses depend on each other.
LOSERS: Final = "losers"
_LOSERS: Final = rows_asked(LOSERS, {"end_user_id": Uuid(), "ordinal": Integer(), "lost": Text()})


@dataclass(frozen=True, slots=True)
class Asks:
    """Which guards are asked: those about ``seats``, ``addresses`` and ``discards`` only if there
    are any; that about the surge is decided of a set, after all others (``surges.holding``).

    ``of_activation``: the candidates are part of an activation.
    """

    seats: bool
    addresses: bool
    discards: bool
    of_activation: bool

    @property
    def left_out(self) -> frozenset[GuardScope]:
        """The guards that are not asked."""
        asked = {
            GuardScope.SEAT: self.seats,
            GuardScope.ADDRESS: self.addresses,
            GuardScope.DISCARD: self.discards,
            GuardScope.SURGE: False,
        }
        return frozenset(scope for scope, is_asked in asked.items() if not is_asked)


def asks_about(series: Sequence[Series], candidates: Candidates, *, discards: bool = True) -> Asks:
    """Return what the guards are asked about the candidates of these series; not about ``discards``
    where it is known that there are none.
    """
    return Asks(
        seats=have_seats(series),
        addresses=have_addresses(series),
        discards=discards and have_discards(series),
        of_activation=candidates.of_activation,
    )


def without_losers(judged: CTE) -> CTE:
    """Refuse those who lost where seats and addresses depend on each other (``losers``)."""
    lost = _LOSERS
    is_its = and_(lost.c.end_user_id == judged.c.end_user_id, lost.c.ordinal == judged.c.ordinal)
    guard = func.coalesce(judged.c.guard, lost.c.lost)
    return _with_guard(judged, guard, judged.outerjoin(lost, is_its)).cte("without_losers")


def first_created(series: Sequence[Series], judged: CTE) -> CTE:
    """Return the CTE ``verdicts``, with the ``code``: of those who enter together, the contact that
    was created first gets the company's seat (guard 10), then the address (guard 11).
    """
    if have_seats(series):
        judged = _first_of(judged, judged.c.seat, ReasonCode.COMPANY_ALREADY_ENROLLED).cte("seated")
    if have_addresses(series):
        code = ReasonCode.ADDRESS_ALREADY_ENROLLED
        judged = _first_of(judged, judged.c.held_address, code).cte("addressed")
    return select(judged, judged.c.guard.label("code")).cte("verdicts")


def _first_of(judged: CTE, place: ColumnElement[Any], code: ReasonCode) -> Select[Any]:
    too_late = and_(judged.c.guard.is_(None), place.is_not(None), _rank(judged, place) > 1)
    return _with_guard(judged, case((too_late, code.value), else_=judged.c.guard), judged)


def order_of_creation(judged: FromClause) -> tuple[ColumnElement[Any], ...]:
    """Return the order in which candidates enter: by creation, and one contact by that of the
    series; who was held, by their places.
    """
    if "held_place" in judged.c:
        return (judged.c.held_place,)
    return judged.c.contact_created_at, judged.c.end_user_id, judged.c.ordinal


def _rank(judged: FromClause, place: ColumnElement[Any]) -> ColumnElement[int]:
    return func.row_number().over(
        partition_by=(judged.c.ordinal, place, judged.c.guard.is_(None)),
        order_by=order_of_creation(judged),
    )


def _with_guard(judged: CTE, guard: ColumnElement[Any], source: FromClause) -> Select[Any]:
    columns = [each for each in judged.c if each.name != "guard"]
    return select(*columns, guard.label("guard")).select_from(source)
