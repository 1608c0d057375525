"""Hours and limits as people write them in one line: quiet hours ``21:00-08:00 contact``, a send
window ``mon-fri 09:00-17:00``, caps ``2/24h 5/7d``, a surge ``500/1h``, ``auto/1h`` (§5, §19, §20).
"""

import re
from typing import Final

from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.frequency import FrequencyCaps
from halo_engine.domain.times.quiet_hours import QuietHours
from halo_engine.domain.times.surges import Surge
from halo_engine.domain.times.windows import EVERY_DAY, SendWindow, Weekday

_HOURS: Final = r"(?P<from>\d\d:\d\d) ?- ?(?P<to>\d\d:\d\d)(?: +(?P<timezone>\S+))?"
_QUIET: Final = re.compile(_HOURS)
_WINDOW: Final = re.compile(rf"(?:(?P<days>[a-z,-]+) +)?{_HOURS}", re.IGNORECASE)
#: Fewer days in a row are named one by one.
_ROW: Final = 3

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
    caps = [_read_cap(each) for each in text.split()]
    if None in caps:
        problem = f"{shown(text)} are no caps; allowed are caps such as 2/24h 5/7d, or off"
        raise bad_input(field, problem)
    return [cap for cap in caps if cap is not None]


def write_caps(caps: FrequencyCaps | None) -> str:
    """Return the line that says the same; blank for none."""
    return " ".join(f"{cap.at_most}/{format_duration(cap.within)}" for cap in caps or ())


def read_surge(text: str, field: str = "surge") -> dict[str, object] | None:
    """Return what a line says, as a file writes it; None for a blank line. Raises a 400 naming
    ``field`` for anything else.
    """
    if not text.strip():
        return None
    most, _, within = text.strip().partition("/")
    if most == "auto" and within:
        return {"at_most": most, "within": within}
    surge = _read_cap(text.strip())
    if surge is None:
        allowed = "allowed is one such as 500/1h, or auto/1h"
        raise bad_input(field, f"{shown(text)} is no surge; {allowed}")
    return surge


def read_pace(text: str, field: str = "per") -> dict[str, object]:
    """Return what a line says of a release; raise a 400 naming ``field`` for anything else."""
    pace = _read_cap(text.strip())
    if pace is None:
        raise bad_input(field, f"{shown(text)} is no pace; allowed is one such as 500/1h")
    return pace


def write_surge(surge: Surge | None) -> str:
    """Return the line that says the same; blank for none."""
    return "" if surge is None else f"{surge.at_most}/{format_duration(surge.within)}"


def read_window(text: str, field: str = "send_window") -> dict[str, object] | None:
    """Return what a line says, as a file writes it; without days it means every day. None for a
    blank line. Raises a 400 naming ``field`` for anything else.
    """
    if not text.strip():
        return None
    match = _WINDOW.fullmatch(text.strip())
    days = None if match is None else _read_days(match["days"])
    if match is None or days is None:
        allowed = "days and hours such as mon-fri 09:00-17:00, with a zone or ‘contact’ behind them"
        raise bad_input(field, f"{shown(text)} is no send window; allowed are {allowed}")
    hours = {name: match[name] for name in ("from", "to", "timezone") if match[name]}
    return {"days": days, **hours}


def write_window(window: SendWindow | None) -> str:
    """Return the line that says the same, its days in their order; blank for none."""
    if window is None:
        return ""
    hours = f"{window.opens:%H:%M}-{window.closes:%H:%M}"
    line = f"{_written_days(window.days)} {hours}"
    return f"{line} {window.timezone}" if window.timezone else line


def _read_cap(text: str) -> dict[str, object] | None:
    cap = _CAP.fullmatch(text)
    return None if cap is None else {"at_most": int(cap["at_most"]), "within": cap["within"]}


def _read_days(text: str | None) -> list[str] | None:
    """Return the days of ``mon-fri,sun``; None if one of them is none."""
    if text is None:
        return list(EVERY_DAY)
    days: list[str] = []
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        if first not in EVERY_DAY or (last or first) not in EVERY_DAY:
            return None
        begin = EVERY_DAY.index(Weekday(first))
        length = (EVERY_DAY.index(Weekday(last or first)) - begin) % len(EVERY_DAY) + 1
        days += [*EVERY_DAY, *EVERY_DAY][begin : begin + length]
    return days


def _written_days(days: tuple[Weekday, ...]) -> str:
    begin = EVERY_DAY.index(days[0])
    is_row = len(days) >= _ROW and days == EVERY_DAY[begin : begin + len(days)]
    return f"{days[0]}-{days[-1]}" if is_row else ",".join(days)
