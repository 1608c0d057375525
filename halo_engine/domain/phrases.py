"""How answers word filters, values and instants: plain sentences for people (contract §10)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from halo_engine.domain.errors import printable, shown
from halo_engine.domain.fields.catalogue import FieldType
from halo_engine.domain.fields.filters import Filter, date_bound
from halo_engine.domain.fields.operators import Operator
from halo_engine.domain.fields.results import FilterResult
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.instants import clock_shows


@dataclass(frozen=True, slots=True)
class OperatorWords:
    """An operator in words: as a ``label`` in the panel, and as a ``wish`` that follows "is".

    They differ where a missing value decides: what is not there is not ‘x’, and does not match.
    """

    label: str
    wish: str


OPERATOR_WORDS: Final[Mapping[Operator, OperatorWords]] = MappingProxyType(
    {
        Operator.IS: OperatorWords("is", ""),
        Operator.IS_NOT: OperatorWords("is not", "something other than "),
        Operator.CONTAINS: OperatorWords("contains", "text that contains "),
        Operator.GT: OperatorWords("is more than", "more than "),
        Operator.LT: OperatorWords("is less than", "less than "),
        Operator.GTE: OperatorWords("is at least", "at least "),
        Operator.LTE: OperatorWords("is at most", "at most "),
        Operator.BEFORE: OperatorWords("is before", "before "),
        Operator.AFTER: OperatorWords("is on or after", "at or after "),
        Operator.IS_SET: OperatorWords("is set", "set"),
        Operator.IS_EMPTY: OperatorWords("is empty", "empty"),
    }
)
#: What a value of each type is called.
KINDS: Final = {
    FieldType.STRING: "text",
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "true or false",
    FieldType.DATE: "a date",
}


#: How much of an event's properties a sentence has, and of the value of each.
_MOST_PROPERTIES: Final = 20
_LONGEST_PROPERTY: Final = 80


def properties_in_short(properties: Mapping[str, object]) -> str:
    """Return what an event said, names with values as JSON: ``amount 100, plan "pro"``; what is
    long is cut.
    """
    said = [
        f"{printable(name, _LONGEST_PROPERTY)} {printable(_as_json(value), _LONGEST_PROPERTY)}"
        for name, value in properties.items()
    ]
    more = len(said) - _MOST_PROPERTIES
    return ", ".join(said[:_MOST_PROPERTIES]) + (f", and {more} more" if more > 0 else "")


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def on_the_clock(instant: datetime, zone: ZoneInfo) -> str:
    """Return the instant as the clock in ``zone`` shows it, to the minute."""
    return f"{clock_shows(instant, zone):%Y-%m-%d %H:%M %Z}"


def needed(item: Filter, zone: ZoneInfo, now: datetime) -> str:
    """Return what must be true for the filter to hold; relative dates are computed."""
    value = "" if item.value is None else shown(item.value)
    if item.type is FieldType.DATE:
        value = on_the_clock(date_bound(str(item.value), zone, now), zone)
    return f"{item.field} is {OPERATOR_WORDS[item.operator].wish}{value}{_span(item)}"


def described(item: Filter) -> str:
    """Return the filter as it was written: ``custom:role is ‘owner’``, ``plan is_set``."""
    value = "" if item.value is None else f" {shown(item.value)}"
    return f"{item.field} {item.operator}{value}{_span(item)}"


def _span(item: Filter) -> str:
    return f" within {format_duration(item.within)}" if item.within else ""


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
    if seen.filter.within is not None:
        return f"{seen.filter.field} is {shown(seen.value)}{_span(seen.filter)}"
    if isinstance(seen.value, datetime):
        return f"{seen.filter.field} is {on_the_clock(seen.value, zone)}"
    wanted = seen.filter.type
    other_type = f", which is not {KINDS[wanted]}" if seen.missing and wanted else ""
    return f"{seen.filter.field} is {shown(seen.value)}{other_type}"
