"""Instants as users write them: ISO 8601, on the organisation's clock without an offset (§1).

An *instant* is a ``datetime`` in UTC. A *wall clock* time is a naive ``datetime`` in some zone.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import MINYEAR, UTC, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import PlainSerializer

from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.times.durations import parse_duration

# Stricter than datetime.fromisoformat, which takes week dates, bare digits, any separator and, in
# later versions of Python, 24:00.
_ISO_8601: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}"
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?(?P<offset>Z|[+-]\d{2}(:?\d{2})?)?)?",
    re.ASCII,
)
_RELATIVE: Final = re.compile(r"[+-][0-9]{1,10}[dhm]")

# A time without an offset must stay representable in whatever zone the organisation chooses later.
_EARLIEST: Final = datetime(1, 1, 2)  # noqa: DTZ001 -- a wall clock time
_LATEST: Final = datetime(9999, 12, 31)  # noqa: DTZ001 -- a wall clock time


@dataclass(frozen=True, slots=True)
class RelativeInstant:
    """An instant that moves with the clock, such as ``-30d`` (contract §3)."""

    offset: timedelta


DateValue = datetime | RelativeInstant


def parse_zone(name: object, field: str = "timezone") -> ZoneInfo:
    """Return the time zone of that IANA name; raises a 400 naming ``field`` if there is none."""
    try:
        if isinstance(name, str) and name:
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    problem = f"{shown(name)} is not a time zone; allowed are IANA names such as Europe/Berlin"
    raise bad_input(field, problem, "bad_timezone")


def parse_instant(text: object, zone: ZoneInfo, field: str = "timestamp") -> datetime:
    """Return the instant that ``text`` writes in ISO 8601.

    A date alone is its midnight, a time without an offset is read in ``zone``; a local time that a
    change of the clock skips is the first instant after the gap, one that comes twice its first.
    Raises a 400 naming ``field``.
    """
    match = _ISO_8601.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _not_a_date(text, field)
    try:
        moment = datetime.fromisoformat(match[0])
    except ValueError:
        raise _not_a_date(text, field) from None
    if not match["offset"]:
        if not _EARLIEST <= moment <= _LATEST:
            allowed = f"{_EARLIEST.date()} to {_LATEST.date()} where no offset is given"
            raise _off_the_calendar(text, field, moment, allowed)
        return from_wall_clock(moment, zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        allowed = "the years 1 to 9999 in UTC"
        raise _off_the_calendar(text, field, moment, allowed) from None


def parse_date_value(text: object, zone: ZoneInfo, field: str = "value") -> DateValue:
    """Return what a date filter compares with: an instant, or one relative to now.

    Relative are ``-30d``, ``+12h``, ``-5m``: a sign, a number, and d, h or m. Raises a 400 naming
    ``field``.
    """
    if isinstance(text, str) and _RELATIVE.fullmatch(text):
        offset = parse_duration(text[1:], field)
        return RelativeInstant(-offset if text[0] == "-" else offset)
    try:
        return parse_instant(text, zone, field)
    except Refusal as refusal:
        message = f"{refusal.message}, or relative to now such as -30d, +12h or -5m"
        raise Refusal(refusal.status, refusal.code, message) from None


def format_instant(instant: datetime) -> str:
    """Return ``instant`` as answers show it: ISO 8601, microseconds, ``+00:00`` (contract §2)."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


#: An instant in an answer; in JSON it is written by ``format_instant``.
Instant = Annotated[
    datetime, PlainSerializer(format_instant, return_type=str, when_used="json-unless-none")
]


def from_wall_clock(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the clock on the wall in ``zone`` shows ``local`` (contract §5).

    A time that a change of the clock skips is the first instant after the gap; a time that comes
    twice is its first.
    """
    instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if to_wall_clock(instant, zone) == local:
        return instant
    return _end_of_gap(local, zone)


def to_wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clock on the wall in ``zone`` shows at ``instant``."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def clock_shows(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return ``instant`` for a reader in ``zone``: what the clock there shows, with its offset.

    Where that is before year 1 or after 9999, it is the first or the last moment of those years.
    """
    try:
        return instant.astimezone(zone)
    except OverflowError:
        if instant.year == MINYEAR:
            return datetime.min.replace(tzinfo=zone)
        return datetime.max.replace(tzinfo=zone)


def _end_of_gap(local: datetime, zone: ZoneInfo) -> datetime:
    # Read with the offset after the change, a skipped time lies before it; with the one before,
    # at or after it. The change is the first second between that has the later offset.
    inside = local.replace(tzinfo=zone)
    before = int(inside.replace(fold=1).timestamp())
    after = int(inside.replace(fold=0).timestamp())
    new_offset = datetime.fromtimestamp(after, zone).utcoffset()
    first = bisect_left(
        range(before, after),
        True,
        key=lambda second: datetime.fromtimestamp(second, zone).utcoffset() == new_offset,
    )
    return datetime.fromtimestamp(before + first, UTC)


def _not_a_date(text: object, field: str) -> Refusal:
    return bad_input(
        field,
        f"{shown(text)} is not a date; allowed is ISO 8601, such as 2026-05-27 or "
        "2026-05-27T08:00:00Z",
        "bad_date",
    )


def _off_the_calendar(text: object, field: str, moment: datetime, allowed: str) -> Refusal:
    far = "early" if moment.year == MINYEAR else "late"
    return bad_input(field, f"{shown(text)} is too {far}; allowed are {allowed}", "bad_date")
