"""The expression of a ``user_property`` condition, ``key op value``, read as filters (contract §5).

A field of the catalogue has a type, so its expression is one filter. The type of a custom trait is
only known when it is evaluated, so its expression is one filter (a *reading*) for each type that
the value can be read as. A filter never holds for a value of another type, so only the reading of
the stored type can hold.
"""

import math
import re
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields.catalogue import Entity, Field, FieldType, resolve_trait
from halo_engine.domain.fields.event_filters import EventFilter
from halo_engine.domain.fields.filters import Filter, Value
from halo_engine.domain.fields.operators import Operator
from halo_engine.domain.times.instants import parse_date_value
from halo_engine.domain.values import is_storable

#: The symbols of each type's operators in an expression.
SYMBOLS: Final = {
    FieldType.STRING: {
        "=": Operator.IS,
        "!=": Operator.IS_NOT,
        "contains": Operator.CONTAINS,
    },
    FieldType.NUMBER: {
        "=": Operator.IS,
        ">": Operator.GT,
        ">=": Operator.GTE,
        "<": Operator.LT,
        "<=": Operator.LTE,
    },
    FieldType.BOOLEAN: {"=": Operator.IS},
    FieldType.DATE: {"<": Operator.BEFORE, ">=": Operator.AFTER},
}
_OF_MEMBERSHIP: Final = {"=": Operator.IS, "!=": Operator.IS_NOT}

_SYMBOL: Final = re.compile(r"!=|>=|<=|=|>|<|(?<=\s)contains(?=\s)")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SHAPE: Final = "KEY OPERATOR VALUE, the operator being =, !=, >, >=, <, <= or contains"
_WANTED: Final = {
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "true or false",
    FieldType.DATE: "an ISO 8601 date, or one relative to now such as -30d",
}


@dataclass(frozen=True, slots=True)
class Expression:
    """One parsed ``user_property`` expression (contract §5).

    It holds if any of its ``readings`` holds. It has none, and never holds, if no type has the
    operator for such a value (``custom > text``).
    """

    field: Field
    symbol: str
    value: str
    readings: tuple[Filter, ...]


def parse_expression(text: object) -> Expression:
    """Return the expression in ``text``, split at its first operator.

    ``KEY`` is a field of the catalogue or a bare custom trait. Spaces around the operator do not
    count; the value may contain operators. Raises a 400 for what is no expression, and if the type
    is known, for an operator or a value that does not fit it (check 9 of §8).
    """
    match = _SYMBOL.search(text) if isinstance(text, str) else None
    if not isinstance(text, str) or match is None:
        raise _malformed(text)
    key, symbol, rest = text[: match.start()].strip(), match[0], text[match.end() :]
    # A doubled `==` would compare with the text `=…`, which nobody means.
    if not key or not rest.strip() or rest.startswith("="):
        raise _malformed(text)
    field, value = resolve_trait(key), rest.strip()
    return Expression(field, symbol, value, _readings(field, symbol, value))


def _readings(field: Field, symbol: str, text: str) -> tuple[Filter, ...]:
    if field.type is not None:
        return (_reading(field, field.type, symbol, text),)
    return tuple(
        _reading(field, type_, symbol, text)
        for type_ in FieldType
        if symbol in SYMBOLS[type_] and _read(text, type_) is not None
    )


def _reading(field: Field, type_: FieldType, symbol: str, text: str) -> Filter:
    is_membership = field.entity in (Entity.LIST, Entity.SERIES)
    symbols = _OF_MEMBERSHIP if is_membership else SYMBOLS[type_]
    value = _read(text, type_)
    if symbol not in symbols:
        problem = f"operator {symbol} is not one of a {type_}'s; allowed are {', '.join(symbols)}"
        raise bad_input(field.name, problem, "bad_operator")
    if value is None:
        problem = f"{shown(text)} cannot be compared; allowed is {_WANTED[type_]}"
        raise bad_input(f"{field.name} {symbol}", problem, "bad_expression")
    form = EventFilter if field.entity is Entity.PROPERTY else Filter
    return form(field=field.name, operator=symbols[symbol], value=value)


def _read(text: str, type_: FieldType) -> Value | None:
    match type_:
        case FieldType.STRING:
            return text
        case FieldType.NUMBER:
            return _number(text)
        case FieldType.BOOLEAN:
            return {"true": True, "false": False}.get(text)
        case FieldType.DATE:
            return text if _is_date(text) else None


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    is_whole = text.lstrip("+-").isdigit()
    # Python refuses to read integers of more than 4,300 digits; so many fit no int64 anyway.
    number = (int(text) if len(text) < 30 else math.inf) if is_whole else float(text)
    return number if is_storable(number) else None


def _is_date(text: str) -> bool:
    try:
        parse_date_value(text, ZoneInfo("UTC"))
    except Refusal:
        return False
    return True


def _malformed(text: object) -> Refusal:
    problem = f"{shown(text)} is not an expression; allowed is {_SHAPE}"
    return bad_input("condition_value", problem, "bad_expression")
