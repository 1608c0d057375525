"""How answers word filters, values and instants: plain sentences for people (contract §10)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from halo_engine.answers.filter_results import FilterResult
from halo_engine.domain.errors import shown
from halo_engine.domain.fields import FieldType
from halo_engine.domain.filters import Filter, Operator, date_bound
from halo_engine.domain.instants import clock_shows
from halo_engine.work import Work

_WISHES: Final = {
    Operator.IS: "",
    Operator.IS_NOT: "something other than ",
    Operator.CONTAINS: "text that contains ",
    Operator.GT: "more than ",
    Operator.LT: "less than ",
    Operator.GTE: "at least ",
    Operator.LTE: "at most ",
    Operator.BEFORE: "before ",
    Operator.AFTER: "at or after ",
}
#: What a value of each type is called.
KINDS: Final = {
    FieldType.STRING: "text",
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "true or false",
    FieldType.DATE: "a date",
}


def on_the_clock(instant: datetime, zone: ZoneInfo) -> str:
    """Return the instant as the clock in ``zone`` shows it, to the minute."""
    return f"{clock_shows(instant, zone):%Y-%m-%d %H:%M %Z}"


def needed(item: Filter, work: Work) -> str:
    """Return what must be true for the filter to hold; relative dates are computed."""
    value = shown(item.value)
    if item.type is FieldType.DATE:
        bound = date_bound(str(item.value), work.org.zone, work.now)
        value = on_the_clock(bound, work.org.zone)
    return f"{item.field} is {_WISHES[item.operator]}{value}"


def described(item: Filter) -> str:
    """Return the filter as it was written: ``custom:role is ‘owner’``."""
    return f"{item.field} {item.operator} {shown(item.value)}"


def counted_contacts(number: int) -> str:
    """Return ``1 contact``, or ``7 contacts``."""
    return "1 contact" if number == 1 else f"{number} contacts"


def listed(values: Sequence[object]) -> str:
    """Return values as a choice: ``‘a’, ‘b’ or ‘c’``."""
    *others, last = map(shown, values)
    return f"{', '.join(others)} or {last}" if others else last


def kind_of(value: object) -> FieldType | None:
    """Return the filter type of a JSON value; text for a date, None if it cannot be compared."""
    match value:
        case bool():
            return FieldType.BOOLEAN
        case int() | float():
            return FieldType.NUMBER
        case str():
            return FieldType.STRING
    return None


def found(seen: FilterResult, zone: ZoneInfo) -> str:
    """Return the field and the value that the filter saw."""
    if seen.value is None:
        return f"{seen.filter.field} is missing"
    if isinstance(seen.value, datetime):
        return f"{seen.filter.field} is {on_the_clock(seen.value, zone)}"
    other_type = f", which is not {KINDS[seen.filter.type]}" if seen.missing else ""
    return f"{seen.filter.field} is {shown(seen.value)}{other_type}"
