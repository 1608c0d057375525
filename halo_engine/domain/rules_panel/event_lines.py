"""Filters on an event as lines of text: one filter a line, an empty line for "or" (§17, §21).

``event.amount gte 100``, ``event.note is_set`` and ``same order_id``. A value is JSON where it can
be read as such, else it is text: 100 is a number, "100" is text, pro is text.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from halo_engine.domain.fields.event_filters import SAME, EventGroups, EventItem, SameProperty
from halo_engine.domain.fields.filters import EMPTINESS, Operator, Value

_OPERATORS: Final = "|".join(
    sorted((each for each in Operator if each not in EMPTINESS), key=len, reverse=True)
)
_ALONE: Final = re.compile(rf"(\S.*?)\s+({'|'.join(EMPTINESS)})")
_FILTER: Final = re.compile(rf"(\S.*?)\s+({_OPERATORS})\s+(.*)")
_SAME: Final = re.compile(rf"{SAME}\s+(\S.*)")


def lines_of(groups: EventGroups) -> str:
    """Return the filters as lines."""
    return "\n\n".join("\n".join(map(_line, group)) for group in groups)


def read_lines(text: str) -> list[list[dict[str, Any]]]:
    """Return what the lines write, right or wrong."""
    groups: list[list[dict[str, Any]]] = [[]]
    for line in text.splitlines():
        if line.strip():
            groups[-1].append(_item(line.strip()))
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if group]


def _line(item: EventItem) -> str:
    if isinstance(item, SameProperty):
        return f"{SAME} {item.same}"
    if item.value is None:
        return f"{item.field} {item.operator}"
    return f"{item.field} {item.operator} {_written(item.value)}"


def _item(line: str) -> dict[str, Any]:
    if same := _SAME.fullmatch(line):
        return {SAME: same[1]}
    if alone := _ALONE.fullmatch(line):
        return {"field": alone[1], "operator": alone[2]}
    if found := _FILTER.fullmatch(line):
        return {"field": found[1], "operator": found[2], "value": _read(found[3])}
    # Refused when it is saved, by its name.
    return {"field": line, "operator": Operator.IS.value, "value": ""}


def _read(text: str) -> Value:
    return next(_as_json(text), text)


def _as_json(text: str) -> Iterator[Value]:
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, bool | int | float | str):
            yield value


def _written(value: Value) -> str:
    if isinstance(value, str) and value.isprintable() and value and value == value.strip():
        is_read_as_text = next(_as_json(value), None) is None
        return value if is_read_as_text else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)
