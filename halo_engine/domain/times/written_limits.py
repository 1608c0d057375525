"""Quiet hours as people write them in one line: ``21:00-08:00 contact`` (contract §20)."""

import re
from typing import Final

from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.times.quiet_hours import QuietHours

_QUIET: Final = re.compile(r"(?P<from>\d\d:\d\d) ?- ?(?P<to>\d\d:\d\d)(?: +(?P<timezone>\S+))?")


def read_quiet_hours(text: str, field: str = "quiet_hours") -> dict[str, str] | None:
    """Return what a line says, as a file writes it; None for ``off`` and a blank line. Raises a 400
    naming ``field`` for anything else.
    """
    if text.strip() in ("", "off"):
        return None
    match = _QUIET.fullmatch(text.strip())
    if match is None:
        allowed = "hours such as 21:00-08:00, with a zone or ‘contact’ behind them, or off"
        raise bad_input(field, f"{shown(text)} are no quiet hours; allowed are {allowed}")
    return {name: value for name, value in match.groupdict().items() if value}


def write_quiet_hours(quiet: QuietHours | None) -> str:
    """Return the line that says the same; blank for none."""
    if quiet is None:
        return ""
    hours = f"{quiet.begins:%H:%M}-{quiet.ends:%H:%M}"
    return f"{hours} {quiet.timezone}" if quiet.timezone else hours
