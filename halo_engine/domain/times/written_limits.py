"""Quiet hours and caps as people write them in one line: ``21:00-08:00 contact``, ``2/24h 5/7d``
(contract §20).
"""

import re
from typing import Final

from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.frequency import FrequencyCaps
from halo_engine.domain.times.quiet_hours import QuietHours

_QUIET: Final = re.compile(r"(?P<from>\d\d:\d\d) ?- ?(?P<to>\d\d:\d\d)(?: +(?P<timezone>\S+))?")

_CAP: Final = re.compile(r"(?P<at_most>\d{1,9})/(?P<within>\S+)")


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


def read_caps(text: str, field: str = "frequency_caps") -> list[dict[str, object]] | None:
    """Return what a line says, as a file writes it; None for ``off`` and a blank line. Raises a 400
    naming ``field`` for anything else.
    """
    if text.strip() in ("", "off"):
        return None
    found = [_CAP.fullmatch(each) for each in text.split()]
    if not all(found):
        problem = f"{shown(text)} are no caps; allowed are caps such as 2/24h 5/7d, or off"
        raise bad_input(field, problem)
    return [
        {"at_most": int(cap["at_most"]), "within": cap["within"]}
        for cap in found
        if cap is not None
    ]


def write_caps(caps: FrequencyCaps | None) -> str:
    """Return the line that says the same; blank for none."""
    return " ".join(f"{cap.at_most}/{format_duration(cap.within)}" for cap in caps or ())
