"""What the contract says of filters, in plain Python that knows no engine and no SQL (§3, §5).

Instants are whole microseconds since the year 1, so that no offset leads out of the calendar.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.language.clock import instant_of_wall

_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,6})?)?)?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_SYMBOLS = {
    str: {"=": "is", "!=": "is_not", "contains": "contains", "<": "before", ">=": "after"},
    int: {"=": "is", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"},
    bool: {"=": "is"},
    datetime: {"<": "before", ">=": "after"},
}


def _folded(text: str) -> str:
    def fold(letter: str) -> str:
        return next(x for x in (letter.casefold(), letter.lower(), letter) if len(x) == 1)

    return "".join(map(fold, text))


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "is": operator.eq,
    "is_not": operator.ne,
    "contains": lambda stored, value: _folded(value) in _folded(stored),
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


@dataclass(frozen=True)
class Person:
    """A contact, or a company: columns and custom fields by name, ``stripe:`` before Stripe's.

    ``events`` says how often each fired, ``fired`` when the kept ones did.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    events: Mapping[str, int] = field(default_factory=dict)
    company: "Person | None" = None
    fired: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Clock:
    """Now, and the organisation's zone."""

    now: datetime
    zone: str


def passes(person: Person, item: Mapping[str, Any], clock: Clock) -> bool:
    """Whether the person passes a filter, ``{field, operator, value}``."""
    if item["operator"] in ("is_set", "is_empty"):
        is_of_leads = item["field"].startswith("lead:")
        is_asked = not is_of_leads or person.columns["external_id"] is None
        return is_asked and lacks(person, item, clock) is (item["operator"] == "is_empty")
    if lacks(person, item, clock):
        return False
    stored, word, value = value_of(person, item["field"]), item["operator"], item["value"]
    if "within" in item:
        fired = person.fired.get(item["field"].removeprefix("event:"), ())
        stored = sum(at > clock.now - _length(item["within"]) for at in fired)
    if word in ("before", "after"):
        when, bound = _instant(stored, clock), _bound(value, clock)
        assert when is not None
        return when < bound if word == "before" else when >= bound
    return _COMPARISONS[word](_comparable(stored), _comparable(value))


def _length(written: str) -> timedelta:
    return int(written[:-1]) * _UNITS[written[-1]]


def lacks(person: Person, item: Mapping[str, Any], clock: Clock) -> bool:
    """Whether the value that the filter compares is missing; one of another type is (§3)."""
    stored = value_of(person, item["field"])
    if item["operator"] in ("is_set", "is_empty"):
        return stored in (None, [], {}) or (isinstance(stored, str) and not stored.strip())
    if item["operator"] in ("before", "after"):
        return _instant(stored, clock) is None
    return stored is None or _type(stored) is not _type(item["value"])


def holds(person: Person, expression: tuple[str, str, str], clock: Clock) -> bool:
    """Whether ``key symbol text`` holds: a custom field compares as the type that is stored."""
    key, symbol, text = expression
    type_ = _type(value_of(person, key))
    word = _SYMBOLS.get(type_, {}).get(symbol)
    if word is None:
        return False
    value = _read(text, type_, word, clock)
    item = {"field": key, "operator": word, "value": value}
    return value is not None and passes(person, item, clock)


def value_of(person: Person, name: str) -> Any:
    """Return the stored value of a field, None when it is missing."""
    prefix, _, rest = name.partition(":")
    if prefix == "lead":
        return value_of(person, rest) if person.columns["external_id"] is None else None
    if prefix == "event":
        return person.events.get(rest, 0)
    if prefix == "custom" or name in ("role", "plan", "avatar"):
        return person.custom.get(rest or name)
    if name.startswith("company."):
        rest = name.removeprefix("company.")
        return value_of(person.company, rest) if person.company else None
    return person.columns.get(name)


def _type(value: Any) -> type:
    if isinstance(value, float):
        return int
    known = (bool, int, str, datetime)
    return next((each for each in known if isinstance(value, each)), type(None))


def _comparable(value: Any) -> Any:
    return Decimal(repr(value)) if _type(value) is int else value


def _instant(value: Any, clock: Clock) -> int | None:
    if isinstance(value, datetime):
        return _microseconds(value.astimezone(UTC).replace(tzinfo=None))
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found[3] and not found[2]):
        return None
    try:
        wall = datetime.fromisoformat(found[1] + (found[2] or ""))
        offset = datetime.fromisoformat("2000-01-01T00:00" + (found[3] or "Z")).utcoffset()
    except ValueError:
        return None
    if found[3] is None:
        return _instant(instant_of_wall(wall, ZoneInfo(clock.zone)), clock)
    assert offset is not None
    return _microseconds(wall) - offset // timedelta(microseconds=1)


def _microseconds(naive: datetime) -> int:
    return (naive - datetime.fromisoformat("0001-01-01")) // timedelta(microseconds=1)


def _bound(value: str, clock: Clock) -> int:
    relative = re.fullmatch(r"([+-]\d+)([dhm])", value)
    if relative:
        found = _instant(clock.now + int(relative[1]) * _UNITS[relative[2]], clock)
    else:
        found = _instant(value, clock)
    assert found is not None
    return found


def _read(text: str, type_: type, word: str, clock: Clock) -> Any:
    if type_ is str or type_ is datetime:
        is_date = re.fullmatch(r"[+-]\d+[dhm]", text) or _instant(text, clock) is not None
        return text if is_date or word not in ("before", "after") else None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    fits = value is not None and _type(value) is type_ and isfinite(value)
    return value if fits else None
