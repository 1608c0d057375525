"""Formats of dates in spreadsheets: `DD.MM.YYYY`, `MM/DD/YYYY hh:mm A` (contract §2).

A format is written in letters of any case, as in Excel, or as in strftime (`%d.%m.%Y`), or as the
last day of 2026 (`31.12.2026`). Dates are wall clock times; the caller knows the zone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from halo_engine.domain.errors import bad_input, shown

#: English names, as exports use them.
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)

#: A blank, also one that keeps a line together: browsers put such a one before AM and PM.
_BLANK: Final = r"[\s\u00a0\u2009\u202f\u3000]"

_YEAR, _MONTH, _DAY, _HOUR, _MINUTE = "year", "month", "day", "hour", "minute"


class _Part(NamedTuple):
    """A part of a date: how formats spell it, and the pattern of its values."""

    name: str
    spellings: tuple[str, ...]
    pattern: str


_PARTS: Final = (
    _Part(_YEAR, ("yyyy", "%Y", "2026"), r"\d{4}"),
    _Part("short_year", ("yy", "%y"), r"\d{2}"),
    _Part("month_name", ("mmmm", "mmm", "%B", "%b"), r"[A-Za-z]{3,9}\.?"),
    _Part(_MONTH, ("%m", "12"), r"\d{1,2}"),
    _Part(_DAY, ("dd", "d", "%d", "31"), r"\d{1,2}"),
    _Part(_HOUR, ("hh", "h", "%H", "%I"), r"\d{1,2}"),
    _Part(_MINUTE, ("%M",), r"\d{2}"),
    _Part("second", ("ss", "%S"), r"\d{2}"),
    _Part("half", ("am/pm", "tt", "a", "%p"), rf"[AaPp]\.?{_BLANK}?[Mm]\.?"),
)
#: After an hour these mean the minute, else the month.
_MONTH_OR_MINUTE: Final = ("mm", "m")
_LETTERS: Final = {
    spelling: part for part in _PARTS for spelling in part.spellings if spelling[0] != "%"
}
_PERCENT: Final = {
    spelling: part for part in _PARTS for spelling in part.spellings if spelling[0] == "%"
}
_BY_NAME: Final = {part.name: part for part in _PARTS}
#: Repeated letters are one token; a token that is no part of a date is refused.
_TOKEN: Final = re.compile(r"%[A-Za-z]|am/pm|([A-Za-z])\1*|2026|31|12", re.IGNORECASE)
#: Years of two digits mean 1970 to 2069.
_FIRST_SHORT_YEAR: Final = 70


@dataclass(frozen=True, slots=True)
class DateFormat:
    """The format of a column of dates; ``text`` is what the user wrote."""

    text: str
    pattern: re.Pattern[str]

    def read(self, text: str, field: str) -> str:
        """Return the date in ISO 8601, without an offset, and without a time if it has none.

        Raises a 400 naming ``field`` if ``text`` does not fit the format.
        """
        match = self.pattern.fullmatch(text)
        try:
            if match is not None:
                return _iso(match.groupdict())
        except ValueError:
            pass
        raise bad_input(field, f"{shown(text)} is not a date; allowed is {self.text}", "bad_date")


@lru_cache(maxsize=100)
def parse_date_format(text: str, field: str = "date_format") -> DateFormat:
    """Return the format that ``text`` describes; raises a 400 naming ``field`` if it is none."""
    names: list[str] = []
    pattern, end = "", 0
    for token in _TOKEN.finditer(text):
        name = _name_of(token[0], names)
        if name is None or name in names:
            raise _no_format(text, field)
        names.append(name)
        between = text[end : token.start()]
        # Some write a blank before AM and PM, some none, also in one file.
        is_free = name == "half" and not between.strip()
        pattern += f"{_BLANK}*" if is_free else _literally(between)
        pattern += f"(?P<{name}>{_BY_NAME[name].pattern})"
        end = token.end()
    if not _is_whole(names):
        raise _no_format(text, field)
    return DateFormat(text, re.compile(pattern + _literally(text[end:]), re.ASCII))


def _name_of(token: str, before: list[str]) -> str | None:
    if token[0] == "%":
        part = _PERCENT.get(token)
    elif token.lower() in _MONTH_OR_MINUTE:
        return _MINUTE if _HOUR in before and _MINUTE not in before else _MONTH
    else:
        part = _LETTERS.get(token.lower())
    return None if part is None else part.name


def _is_whole(names: list[str]) -> bool:
    """Return whether there is one year, one month and a day, and minutes only with hours."""
    years = sum(name in names for name in (_YEAR, "short_year"))
    months = sum(name in names for name in (_MONTH, "month_name"))
    times = [name for name in ("second", _MINUTE, "half") if name in names]
    clock = not times or {_HOUR, _MINUTE} <= set(names)
    return years == 1 and months == 1 and _DAY in names and clock


def _literally(text: str) -> str:
    """Return a pattern for the text between parts; whitespace matches any whitespace."""
    return f"{_BLANK}+".join(re.escape(each) for each in re.split(r"\s+", text))


def _iso(found: Mapping[str, str]) -> str:
    day = datetime(_year(found), _month(found), int(found[_DAY]))  # noqa: DTZ001 -- a wall clock
    if _HOUR not in found:
        return day.date().isoformat()
    moment = day.replace(
        hour=_hour(found), minute=int(found.get(_MINUTE, 0)), second=int(found.get("second", 0))
    )
    return moment.isoformat()


def _year(found: Mapping[str, str]) -> int:
    if _YEAR in found:
        return int(found[_YEAR])
    short = int(found["short_year"])
    return short + (1900 if short >= _FIRST_SHORT_YEAR else 2000)


def _month(found: Mapping[str, str]) -> int:
    if _MONTH in found:
        return int(found[_MONTH])
    return _MONTHS.index(found["month_name"][:3].lower()) + 1


def _hour(found: Mapping[str, str]) -> int:
    hour = int(found[_HOUR])
    if "half" not in found:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if found["half"][0] in "Pp" else 0)


def _no_format(text: str, field: str) -> Exception:
    problem = (
        f"{shown(text)} is no format of dates; allowed are such as DD.MM.YYYY, MM/DD/YYYY, "
        "DD-MMM-YY or MM/DD/YYYY hh:mm A"
    )
    return bad_input(field, problem, "bad_date_format")
