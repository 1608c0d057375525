"""Instants, durations and cron expressions, on the wall clock of a time zone (contract §1, §5)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?"
)
DURATION = re.compile(r"(\d+)([smhd])")
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
CRON_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def instant_of_wall(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the wall clock of a zone shows this naive time (contract §5).

    A time that comes twice is its first; a time that is skipped is the first instant after the
    gap. The result is in UTC.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def parse_instant(text: object, zone: ZoneInfo) -> datetime:
    """Read an ISO 8601 date or timestamp as an instant in UTC (contract §1).

    A date alone is its midnight; it and a timestamp without an offset are read in `zone`.
    Raises ValueError for anything else.
    """
    if not isinstance(text, str) or not INSTANT.fullmatch(text):
        raise ValueError(f"not an ISO 8601 date: {text!r}")
    parsed = datetime.fromisoformat(text)
    return instant_of_wall(parsed, zone) if parsed.tzinfo is None else parsed.astimezone(UTC)


def parse_duration(value: object) -> timedelta:
    """Read a delay such as `30m`, `2h` or `3d`, or a number of seconds (contract §5).

    Raises ValueError for anything else, negative numbers included.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return timedelta(seconds=value)
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"not a duration: {value!r}")
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])


def parse_relative(text: object) -> timedelta | None:
    """Read a relative date such as `-30d` or `+2h` as an offset from now, or None (contract §3)."""
    if not isinstance(text, str) or not re.fullmatch(r"[+-]\d+[mhd]", text):
        return None
    offset = parse_duration(text[1:])
    return -offset if text[0] == "-" else offset


def _numbers(field: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if span == "*" else int(first)
        end = high if span == "*" or (step and not last) else int(last or first)
        found.update(range(start, end + 1, int(step or 1)))
    if not found or min(found) < low or max(found) > high:
        raise ValueError(f"not a cron field: {field!r}")
    return frozenset(found)


@dataclass(frozen=True)
class Cron:
    """A cron expression of five numeric fields, on the wall clock of a zone (contract §1, §4)."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    zone: ZoneInfo

    @classmethod
    def parse(cls, expression: str, zone: ZoneInfo) -> "Cron":
        """Read an expression such as `*/15 * * * *`; raises ValueError when it is none."""
        parts = expression.split()
        if len(parts) != len(CRON_BOUNDS):
            raise ValueError(f"not a cron expression: {expression!r}")
        minutes, hours, days, months, weekdays = (
            _numbers(part, *bounds) for part, bounds in zip(parts, CRON_BOUNDS, strict=True)
        )
        either_day = parts[2] != "*" and parts[4] != "*"
        weekdays = frozenset(number % 7 for number in weekdays)
        return cls(minutes, hours, days, months, weekdays, either_day, zone)

    def has_day(self, day: date) -> bool:
        """Say whether the expression fires on a day; of two kinds of day, one is enough."""
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        fits = (in_month or in_week) if self.either_day else (in_month and in_week)
        return day.month in self.months and fits

    def after(self, instant: datetime) -> datetime:
        """Return the first instant of the expression after this one, in UTC.

        Raises ValueError when there is none within five years.
        """
        first_day = instant.astimezone(self.zone).date()
        for offset in range(-1, 5 * 366):
            for candidate in _instants_of(self, first_day + timedelta(days=offset)):
                if candidate > instant:
                    return candidate
        raise ValueError("the cron expression never fires")


@lru_cache(maxsize=1_000)
def _instants_of(cron: Cron, day: date) -> tuple[datetime, ...]:
    times = [time(hour, minute) for hour in sorted(cron.hours) for minute in sorted(cron.minutes)]
    walls = [datetime.combine(day, each) for each in times] if cron.has_day(day) else []
    return tuple(instant_of_wall(wall, cron.zone) for wall in walls)
