"""Merge fields: ``{{ name }}`` and ``{{ signed_up_at|recently }}`` in the texts of an email (§9).

Neither Jinja2 nor Liquid: a field of §3, perhaps a fallback, and nothing else between the braces.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.fields import Field, resolve
from halo_engine.domain.instants import clock_shows

_MERGE_FIELD: Final = re.compile(r"(?<!\{)\{\{([^{}]*)\}\}(?!\})")
_DOUBLE_BRACES: Final = re.compile(r"\{\{|\}\}")
_SHOWN_FROM_THE_BRACES: Final = 30


@dataclass(frozen=True, slots=True)
class _Blank:
    """A place in a template that a value fills, or the fallback when it is missing."""

    field: Field
    fallback: str


def fields_of(template: str) -> frozenset[Field]:
    """Return the fields that ``template`` names (contract §9).

    An unknown field, or double braces that are no merge field, are a 400 that shows what is wrong.
    """
    return frozenset(part.field for part in _parts(template) if isinstance(part, _Blank))


def render(template: str, values: Mapping[str, str]) -> str:
    """Return ``template`` with its merge fields filled from ``values``, by the field's name.

    A value that is absent or blank is missing: its field gives the fallback, else nothing. The
    result is text; whoever puts it into HTML escapes all of it. Raises what ``fields_of`` raises.
    """
    return "".join(
        part if isinstance(part, str) else _filled(part, values) for part in _parts(template)
    )


def text_of(value: object, zone: ZoneInfo) -> str:
    """Return a stored value as a reader sees it; what is missing or has no such form is blank.

    A date is its day on the calendar of ``zone`` (``2026-05-27``), a number loses zeros behind the
    point, a boolean is ``true`` or ``false``; objects and lists are blank.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() | Decimal():
            return _number(value)
        case datetime():
            return clock_shows(value, zone).date().isoformat()
        case str():
            return value
    return ""


def _filled(blank: _Blank, values: Mapping[str, str]) -> str:
    value = values.get(blank.field.name, "")
    return value if value.strip() else blank.fallback


@lru_cache(maxsize=1024)
def _parts(template: str) -> tuple[str | _Blank, ...]:
    """Cut a template into the texts and the blanks that it is made of."""
    parts: list[str | _Blank] = []
    end = 0
    for found in _MERGE_FIELD.finditer(template):
        parts += [_plain(template, end, found.start()), _blank(found[1])]
        end = found.end()
    return (*parts, _plain(template, end, len(template)))


def _plain(template: str, start: int, end: int) -> str:
    stray = _DOUBLE_BRACES.search(template, start, end)
    if stray is None:
        return template[start:end]
    excerpt = template[stray.start() : stray.start() + _SHOWN_FROM_THE_BRACES]
    problem = "is not one; allowed are {{ name }} and {{ name|fallback }}, without other braces"
    raise bad_input("merge field", f"{shown(excerpt)} {problem}", "bad_merge_field")


def _blank(inside: str) -> _Blank:
    name, _, fallback = inside.partition("|")
    return _Blank(resolve(name.strip()), fallback.strip())


def _number(value: float | Decimal) -> str:
    text = repr(value) if isinstance(value, float) else format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
