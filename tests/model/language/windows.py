"""Send windows (contract §5)."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tests.model.language.clock import instant_of_wall
from tests.model.language.refusals import RefusedError, refuse_unless

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Window:
    """Days and hours in which mail may go out, on the wall clock of `zone` (contract §5).

    Half-open: `opens` counts, `closes` does not. It may pass midnight and belongs to the day on
    which it opens. `days` are numbers of weekdays, Monday being 0.
    """

    days: frozenset[int]
    opens: time
    closes: time
    zone: ZoneInfo

    def _on(self, day: date) -> tuple[datetime, datetime]:
        last_day = day + timedelta(days=1) if self.closes <= self.opens else day
        return (
            instant_of_wall(datetime.combine(day, self.opens), self.zone),
            instant_of_wall(datetime.combine(last_day, self.closes), self.zone),
        )

    def next_opening(self, instant: datetime) -> datetime:
        """Return this instant when the window is open, else when it opens next, in UTC."""
        today = instant.astimezone(self.zone).date()
        spans = [
            self._on(day)
            for day in (today + timedelta(days=offset) for offset in range(-1, 400))
            if day.weekday() in self.days
        ]
        return min(max(start, instant) for start, end in spans if instant < end and start < end)


def parse_zone(name: object) -> ZoneInfo:
    """Return the time zone of this name; raises `RefusedError` when there is none."""
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        raise RefusedError(400, f"timezone is unknown: {name}") from None


def _time(value: object, key: str) -> time:
    text = value if isinstance(value, str) else ""
    valid = re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text)
    refuse_unless(valid, 400, f"send_window.{key} must be a time such as 09:00")
    return time.fromisoformat(text)


def parse_window(raw: Any, default_zone: ZoneInfo) -> Window | None:
    """Read a `send_window` mapping, or None; raises `RefusedError` when malformed or empty."""
    if raw is None:
        return None
    keys = {"days", "from", "to", "timezone"}
    refuse_unless(isinstance(raw, dict) and set(raw) <= keys, 400, f"send_window takes {keys}")
    days = raw.get("days")
    known = isinstance(days, list) and days and all(day in WEEKDAYS for day in days)
    refuse_unless(known, 400, f"send_window.days must name some of {', '.join(WEEKDAYS)}")
    opens, closes = _time(raw.get("from"), "from"), _time(raw.get("to"), "to")
    refuse_unless(opens != closes, 400, "send_window must not be empty")
    zone = parse_zone(raw["timezone"]) if raw.get("timezone") else default_zone
    return Window(frozenset(WEEKDAYS.index(day) for day in days), opens, closes, zone)
