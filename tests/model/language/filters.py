"""Filters: groups of AND joined by OR (contract §3)."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from tests.model.language.clock import parse_duration, parse_instant, parse_relative
from tests.model.language.fields import field_type
from tests.model.language.refusals import RefusedError, refuse_unless

Item = TypeVar("Item")

COMPARISONS = {
    "is": operator.eq,
    "is_not": operator.ne,
    "gt": operator.gt,
    "lt": operator.lt,
    "gte": operator.ge,
    "lte": operator.le,
}
ANY_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
OPERATORS = {
    "string": ("is", "is_not", "contains"),
    "number": ("is", "gt", "lt", "gte", "lte"),
    "boolean": ("is",),
    "date": ("before", "after"),
}
EMPTINESS = ("is_set", "is_empty")
#: Fields that are never missing, and what they take; where a contact can stand in a series (§22).
MEMBERSHIPS = ("list:", "series:")
OF_MEMBERSHIPS = ("is", "is_not")
STAGES = ("never", "active", "completed", "exited", "not_met")


def is_number(value: object) -> bool:
    """Say whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def date_of(value: object, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Read a stored date or a filter's date, absolute or relative to now; None if it is none."""
    if isinstance(value, datetime):
        return value
    offset = parse_relative(value)
    if offset is not None:
        return now + offset
    try:
        return parse_instant(value, zone)
    except ValueError:
        return None


def value_type(value: object) -> str:
    """Return the type of a JSON value: string, number, boolean, or `none` of these."""
    if isinstance(value, bool):
        return "boolean"
    if is_number(value):
        return "number"
    return "string" if isinstance(value, str) else "none"


def is_empty(stored: object) -> bool:
    """Say whether there is nothing: no value, blank text, an empty list or object (§22)."""
    return stored is None or stored in ([], {}) or (isinstance(stored, str) and not stored.strip())


@dataclass(frozen=True)
class Filter:
    """One comparison of a field with a value; `kind` is the type it compares as (contract §3).

    `within` is the span in which events are counted, None for all that ever fired (§22).
    """

    field: str
    operator: str
    value: Any
    kind: str
    within: timedelta | None = None

    def passes(self, stored: Any, now: datetime, zone: ZoneInfo) -> bool:
        """Say whether a stored value passes; one that is missing never does."""
        if self.operator in EMPTINESS:
            return self.lacks(stored, zone) is (self.operator == "is_empty")
        if self.lacks(stored, zone):
            return False
        if self.kind == "date":
            left, right = date_of(stored, now, zone), date_of(self.value, now, zone)
            assert left is not None
            assert right is not None
            return left < right if self.operator == "before" else left >= right
        if self.operator == "contains":
            return bool(self.value.lower() in stored.lower())
        return bool(COMPARISONS[self.operator](stored, self.value))

    def lacks(self, stored: Any, zone: ZoneInfo) -> bool:
        """Say whether the value is missing; one of the wrong type is (contract §3)."""
        if self.operator in EMPTINESS:
            return is_empty(stored)
        if self.kind == "date":
            if isinstance(stored, str) and parse_relative(stored) is not None:
                return True
            return date_of(stored, ANY_INSTANT, zone) is None
        return value_type(stored) != self.kind


def _kind(kind: str, verb: str, value: Any) -> str:
    if kind != "custom":
        return kind
    return "date" if verb in OPERATORS["date"] else value_type(value)


def make_filter(field: Any, verb: Any, value: Any, declared: str | None = None) -> Filter:
    """Return a checked filter; raises `RefusedError` with field, operator, what is allowed (§3).

    `declared` is the type of a field that is none of §3's.
    """
    type_ = declared or field_type(field)
    if declared is None and field.startswith(MEMBERSHIPS):
        is_stage = field.startswith("list:") or value in STAGES
        fits = verb in OF_MEMBERSHIPS and value_type(value) == type_ and is_stage
        refuse_unless(fits, 400, f"{field} {verb}: takes {OF_MEMBERSHIPS}, and one of its values")
        return Filter(field, verb, value, type_)
    if verb in EMPTINESS:
        refuse_unless(value is None, 400, f"{field} {verb}: takes no value")
        return Filter(field, verb, None, type_)
    kind = _kind(type_, verb, value)
    allowed = OPERATORS.get(kind, ())
    refuse_unless(verb in allowed, 400, f"{field} {verb}: {kind} takes {allowed}")
    if kind == "date":
        usable = date_of(value, ANY_INSTANT, ZoneInfo("UTC")) is not None
    else:
        usable = value_type(value) == kind
    refuse_unless(usable, 400, f"{field} {verb}: the value must be a {kind}")
    return Filter(field, verb, value, kind)


def read_groups(raw: Any, name: str, read: Callable[[Any], Item]) -> list[list[Item]]:
    """Read a list of groups, or a flat list as one group; raises `RefusedError` (contract §3)."""
    refuse_unless(isinstance(raw, list), 400, f"{name} must be a list")
    flat = bool(raw) and all(isinstance(each, dict) for each in raw)
    groups = []
    for group in [raw] if flat else raw:
        refuse_unless(isinstance(group, list) and group, 400, f"{name}: an empty group")
        groups.append([read(each) for each in group])
    return groups


def parse_filters(raw: Any, name: str) -> list[list[Filter]]:
    """Read groups of filters on contacts (contract §3)."""
    return read_groups(raw, name, lambda each: _with_span(each, name))


def make_event_filter(raw: Any, name: str) -> Filter:
    """Read a filter on a property of an event (contract §21)."""
    field, verb, value = _parts(raw, name)
    named = isinstance(field, str) and field.startswith("event.") and field.strip() != "event."
    refuse_unless(named, 400, f"{name}: a field is event.NAME")
    return make_filter(field, verb, value, "custom")


def _parts(raw: Any, name: str) -> tuple[Any, Any, Any]:
    keys = {"field", "operator"}
    if not isinstance(raw, dict) or set(raw) - {"value"} != keys:
        raise RefusedError(400, f"{name}: a filter is field, operator, value")
    return raw["field"], raw["operator"], raw.get("value")


def _with_span(raw: Any, name: str) -> Filter:
    """Read a filter on contacts, which may count events within a span (contract §22)."""
    is_counted = isinstance(raw, dict) and raw.get("within") is not None
    plain = {key: each for key, each in raw.items() if key != "within"} if is_counted else raw
    made = make_filter(*_parts(plain, name))
    if not is_counted:
        return made
    counts = made.field.startswith("event:") and made.operator not in EMPTINESS
    refuse_unless(counts, 400, f"{name}: only counts have a span")
    try:
        within = parse_duration(raw["within"])
    except ValueError as error:
        raise RefusedError(400, f"{name}.within: {error}") from error
    fits = timedelta(0) < within <= timedelta(days=36_500)
    refuse_unless(fits, 400, f"{name}: a span of 0, or of more than 36,500 days")
    return replace(made, within=within)
