"""Check that JSON values can be stored and compared safely (contract §2).

PostgreSQL keeps neither NUL nor lone surrogates, and one number beyond int64 or double poisons
every statement that reads its row.
"""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from halo_engine.domain.errors import bad_input, shown

DEEPEST: Final = 32

#: Made once: ``json.dumps`` makes an encoder in each call.
_compact: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def is_storable_text(text: str) -> bool:
    """Return whether ``text`` has no NUL and no lone surrogates, so that it can be stored."""
    return _UNSTORABLE.search(text) is None


def check_text(text: str, where: str) -> None:
    """Raise a 400 about ``where`` if ``text`` holds NUL or a lone surrogate."""
    if not is_storable_text(text):
        problem = f"{shown(text)} cannot be stored; allowed is text without NUL or lone surrogates"
        raise bad_input(where, problem, "bad_text")


def is_storable(number: float) -> bool:
    """Return whether ``number`` is an int64 or a finite double."""
    if isinstance(number, int):
        return -(2**63) <= number < 2**63
    return math.isfinite(number)


def read_back(number: float) -> float:
    """Return a number from stored JSON as it was written.

    PostgreSQL writes ``1e19`` with all its digits; such an integer becomes a double again. Any
    other integer beyond int64 is returned unchanged.
    """
    if is_storable(number):
        return number
    try:
        double = float(number)
    except OverflowError:
        return number
    return double if math.isfinite(double) and Decimal(repr(double)) == number else number


def check_number(number: float, where: str) -> None:
    """Raise a 400 about ``where`` unless ``number`` is an int64 or a finite double."""
    if not is_storable(number):
        problem = f"{shown(number)} cannot be stored; allowed are int64 and finite doubles"
        raise bad_input(where, problem, "bad_number")


def check_json(value: object, where: str, depth: int = 1) -> None:
    """Raise a 400 with the path of the first part of ``value`` that cannot be stored.

    This checks keys and values: text, numbers, nesting deeper than 32 levels (the outermost object
    is level 1), and anything that is not JSON.
    """
    match value:
        case None | bool():
            return
        case str():
            check_text(value, where)
        case int() | float():
            check_number(value, where)
        case dict() | list() if depth > DEEPEST:
            problem = f"nests deeper than allowed; the limit is {DEEPEST} levels"
            raise bad_input(where, problem, "too_deep")
        case dict():
            for key, item in value.items():
                _check_key(key, where)
                check_json(item, f"{where}.{key}", depth + 1)
        case list():
            for index, item in enumerate(value):
                check_json(item, f"{where}[{index}]", depth + 1)
        case _:
            raise bad_input(where, f"{shown(value)} is not JSON", "bad_json")


def compact_size(document: Mapping[str, object]) -> int:
    """Return the size of ``document`` in bytes, written as compact JSON in UTF-8."""
    return len(_compact(document).encode())


def _check_key(key: object, where: str) -> None:
    if not isinstance(key, str):
        raise bad_input(where, f"the key {shown(key)} is not text", "bad_json")
    check_text(key, f"{where}, in a key")
