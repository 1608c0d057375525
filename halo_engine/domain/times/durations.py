"""Lengths of time as users write them: ``30m``, ``2h``, ``3d``; a day is 86,400 seconds (§5)."""

import re
from datetime import timedelta
from typing import Final

from halo_engine.domain.errors import bad_input, shown

#: The longest duration allowed: a century, so that every sum with an instant can be represented.
LONGEST: Final = timedelta(days=36_500)

_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WRITTEN: Final = re.compile(r"([0-9]{1,10})([dhms])|0")


def parse_duration(value: object, field: str = "delay") -> timedelta:
    """Return the duration that ``value`` writes: ``30m``, ``2h``, ``3d``, ``45s`` or whole seconds.

    Raises a 400 naming ``field`` for anything else, negative or longer than 36,500 days.
    """
    seconds = _seconds(value)
    if seconds is None or not 0 <= seconds <= LONGEST.total_seconds():
        raise bad_input(
            field,
            f"{shown(value)} is not a duration; allowed are a number of seconds, or a number with "
            f"s, m, h or d such as 30m, 2h or 3d, up to {LONGEST.days}d",
            "bad_duration",
        )
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return ``duration`` in its largest whole unit (``90m``, ``2d``), the way it is parsed."""
    seconds = int(duration.total_seconds())
    for unit, length in _UNITS.items():
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return "0"


def _seconds(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    return int(match[1] or 0) * _UNITS[match[2] or "s"]
