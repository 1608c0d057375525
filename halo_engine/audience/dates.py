"""Dates that custom fields hold as text, compared with an instant without ever raising (§3).

PostgreSQL's cast accepts ``now`` and ``infinity`` and raises for February 30. So only text that is
an ISO 8601 date from end to end is cast.
"""

from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, DateTime, Text, and_, case, cast, collate, func, literal, or_

from halo_engine.domain.times.instants import from_wall_clock, to_wall_clock

_TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?"
# PostgreSQL refuses offsets of 16 hours and more; the greatest in use is 14.
_OFFSET = r"(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)"
_SHAPE = rf"^\d\d\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]{_TIME}{_OFFSET}?)?$"
_HAS_OFFSET = "[T ].*[Z+-]"
_FIRST_YEAR = "0001"
_IN_EVERY_MONTH = "28"
_LEAP_YEAR = r"(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
_END_OF_MONTH = rf"^(\d\d\d\d-((0[^2]|1\d)-(29|30)|(0[13578]|1[02])-31)|{_LEAP_YEAR}-02-29)"

_MICROSECOND = timedelta(microseconds=1)
_DAY_IN_SECONDS = 86_400


def compare_date(
    text: ColumnElement[str],
    compares: Callable[[Any, Any], ColumnElement[bool]],
    bound: ColumnElement[datetime],
    shown: ColumnElement[datetime],
) -> ColumnElement[bool]:
    """Return how the date in ``text`` compares with ``bound``; NULL when the text is no date.

    A date without an offset is read on the clock of a zone: it is compared with what that clock
    shows at ``bound`` (``first_shown``), so that nothing is converted row by row.
    """
    written = func.replace(text, ",", ".")
    with_offset = cast(written, DateTime(timezone=True))
    without_offset = cast(written, DateTime())
    compared = case(
        (
            text.regexp_match(literal(_HAS_OFFSET, Text())),
            compares(with_offset, bound),
        ),
        else_=compares(without_offset, shown),
    )
    return case((_is_date(text), compared))


def _is_date(text: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether ``text`` is a date that exists; few days need a look at the calendar."""
    # By other collations than "C" the digits of other scripts are digits too.
    written = collate(text, "C")
    return and_(
        written.regexp_match(literal(_SHAPE, Text())),
        written >= literal(_FIRST_YEAR, Text()),
        or_(
            func.substr(written, 9, 2) <= literal(_IN_EVERY_MONTH, Text()),
            written.regexp_match(literal(_END_OF_MONTH, Text())),
        ),
    )


def first_shown(bound: datetime, zone: ZoneInfo) -> datetime:
    """Return the earliest wall clock time in ``zone`` that is read as ``bound`` or later (§1).

    Later wall clock times never mean earlier instants (``from_wall_clock``), so this one time
    divides all others. It is the start of a gap if ``bound`` ends the gap, and the end of a
    repeated hour if ``bound`` is in its second pass.
    """
    try:
        shown = to_wall_clock(bound - _MICROSECOND, zone) + _MICROSECOND
    except OverflowError:
        return bound.replace(tzinfo=None)
    if from_wall_clock(shown, zone) >= bound:
        return shown
    second = shown.replace(microsecond=0)
    return second + timedelta(
        seconds=bisect_left(
            range(_DAY_IN_SECONDS),
            True,
            key=lambda n: from_wall_clock(second + timedelta(seconds=n), zone) >= bound,
        )
    )
