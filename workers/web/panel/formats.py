"""How pages write numbers, instants and spans of time."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
#: From so many days on a date says more than a number of days.
_MOST_DAYS: Final = 30


def number(value: float) -> str:
    """Return a number with its thousands apart: ``12,345``."""
    return f"{value:,}"


def counted(value: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun: ``1 contact``, ``2 contacts``."""
    return f"{value:,} {one if value == 1 else several or f'{one}s'}"


def percent(part: float, whole: float) -> str:
    """Return a share: ``12 %``; of nothing it is a dash."""
    return f"{100 * part / whole:.0f} %" if whole else "-"


def instant(value: datetime, timezone: str) -> str:
    """Return an instant to the minute in a zone, which is named: ``29 Nov 2026, 14:05 UTC``."""
    there = value.astimezone(ZoneInfo(timezone))
    return f"{there.day} {there:%b %Y, %H:%M} {timezone}"


def ago(value: datetime, now: datetime | None = None) -> str:
    """Return how long ago an instant was: ``5 minutes ago``."""
    seconds = int(((now or datetime.now(UTC)) - value).total_seconds())
    if seconds < _MINUTE:
        return "just now"
    for span, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= span:
            if span == _DAY and seconds >= _MOST_DAYS * _DAY:
                return f"{value.day} {value:%b %Y}"
            return f"{counted(seconds // span, name)} ago"
    return "just now"


def facts(state: Mapping[str, Any] | None) -> str:
    """Return what a row of the audit log keeps of a state: ``status: active, version: 3``."""
    said = state or {}
    return ", ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in said.items()
    )


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "ago": ago,
    "counted": counted,
    "facts": facts,
    "instant": instant,
    "number": number,
}
