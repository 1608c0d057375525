"""Send windows (contract §5)."""

import re
from dataclasses import dataclass, replace
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
    which it opens. `days` are numbers of weekdays, Monday being 0. With `of_contact` the contact's
    zone counts, where it has one (contract §20).
    """

    days: frozenset[int]
    opens: time
    closes: time
    zone: ZoneInfo
    of_contact: bool = False

    def _for(self, contact_zone: ZoneInfo | None) -> "Window":
        return replace(self, zone=contact_zone) if self.of_contact and contact_zone else self

    def _on(self, day: date) -> tuple[datetime, datetime]:
        last_day = day + timedelta(days=1) if self.closes <= self.opens else day
        return (
            instant_of_wall(datetime.combine(day, self.opens), self.zone),
            instant_of_wall(datetime.combine(last_day, self.closes), self.zone),
        )

    def next_opening(self, instant: datetime, contact_zone: ZoneInfo | None = None) -> datetime:
        """Return this instant when the window is open, else when it opens next, in UTC."""
        found = self._for(contact_zone).spans(instant, 400)
        return min(max(start, instant) for start, end in found if instant < end)

    def end_of(self, instant: datetime, contact_zone: ZoneInfo | None = None) -> datetime:
        """Return when the span ends in which this instant lies; the instant itself in none."""
        found = self._for(contact_zone).spans(instant, 2)
        return max((end for start, end in found if start <= instant < end), default=instant)

    def spans(self, instant: datetime, days: int) -> list[tuple[datetime, datetime]]:
        """Return from when until when it is open, for so many days from an instant on."""
        today = instant.astimezone(self.zone).date()
        spans = [
            self._on(day)
            for day in (today + timedelta(days=offset) for offset in range(-1, days))
            if day.weekday() in self.days
        ]
        return [(start, end) for start, end in spans if start < end]

    def clock(self) -> str:
        """Return which clock it is read on."""
        return "contact" if self.of_contact else self.zone.key

    def minutes(self) -> set[int]:
        """Return the minutes of a day in which it is open, on some day."""
        first, last = (60 * each.hour + each.minute for each in (self.opens, self.closes))
        return {minute % 1440 for minute in range(first, last if first < last else last + 1440)}


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


def parse_quiet_hours(raw: Any, default_zone: ZoneInfo) -> Window | None:
    """Read `quiet_hours`, a window of every day; or None (contract §20)."""
    if raw is None:
        return None
    refuse_unless(isinstance(raw, dict) and "days" not in raw, 400, "quiet_hours have no days")
    return parse_window({**raw, "days": list(WEEKDAYS)}, default_zone)


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
    name = raw.get("timezone")
    of_contact = name == "contact"
    zone = parse_zone(name) if name and not of_contact else default_zone
    numbers = frozenset(WEEKDAYS.index(day) for day in days)
    return Window(numbers, opens, closes, zone, of_contact)
