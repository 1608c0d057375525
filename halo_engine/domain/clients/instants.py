"""Instants as clients write them: ISO 8601 or unix time, by a clock that may be wrong (§13)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from halo_engine.domain.clients.meaning import TakenAt
from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.times.instants import format_instant, parse_instant

#: Unix times from here on, and back to its negative, are milliseconds: as seconds this is the year
#: 5138, as milliseconds it is 1973.
_MILLISECONDS: Final = 100_000_000_000
_DIGITS: Final = re.compile(r"[0-9]{10}|[0-9]{13}", re.ASCII)
#: The longest time that a message takes; a greater difference means a wrong clock.
UNDER_WAY: Final = timedelta(seconds=5)


def as_iso(given: object, where: str) -> Any:
    """Return a unix time, in seconds or milliseconds, as ISO 8601; other values unchanged.

    A value that is no date is refused when it is read. Raises a 400 for a number beyond the
    calendar.
    """
    number = int(given) if isinstance(given, str) and _DIGITS.fullmatch(given) else given
    if not isinstance(number, int | float) or isinstance(number, bool):
        return given
    try:
        seconds = number / 1000 if abs(number) >= _MILLISECONDS else number
        return format_instant(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        problem = f"{shown(given)} is not a date; allowed are ISO 8601 and unix time"
        raise bad_input(where, problem, "bad_date") from None


def when(given: object, sent_at: object, moment: TakenAt, where: str = "timestamp") -> str | None:
    """Return when something happened, by our clock; None if ``given`` is.

    The client's clock showed ``sent_at`` when it sent the message. If that differs from ``now`` by
    more than a message takes, ``given`` is corrected by the difference.
    """
    if given is None or given == "":
        return None
    happened_at = parse_instant(as_iso(given, where), moment.zone, where)
    if sent_at is None or sent_at == "":
        return format_instant(happened_at)
    behind = moment.now - parse_instant(as_iso(sent_at, "sentAt"), moment.zone, "sentAt")
    if abs(behind) <= UNDER_WAY:
        return format_instant(happened_at)
    try:
        return format_instant(happened_at + behind)
    except OverflowError:
        problem = f"{shown(sent_at)} is far from {shown(given)}, the timestamp; allowed is a clock"
        raise bad_input("sentAt", f"{problem} that is about right", "bad_date") from None
