"""Merge fields: ``{{ name }}`` and ``{{ signed_up_at|recently }}`` in the texts of an email (§9).

Neither Jinja2 nor Liquid: the braces hold a field of §3 or a property of the event that began the
run (``event.NAME``, §21), optionally a format for a date, and optionally a fallback. Two names are
no fields but parts of a mail: ``footer`` and ``unsubscribe_url`` (§15).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, Self
from zoneinfo import ZoneInfo

from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields.catalogue import Field, FieldType, resolve_in_run
from halo_engine.domain.times.instants import clock_shows, parse_instant

MERGE_FIELD: Final = re.compile(r"(?<!\{)\{\{([^{}]*)\}\}(?!\})")
_DOUBLE_BRACES: Final = re.compile(r"\{\{|\}\}")
_SHOWN_FROM_THE_BRACES: Final = 30

#: The parts of a mail that a body can place: the organisation's footer, the link to unsubscribe.
FOOTER: Final = "footer"
UNSUBSCRIBE_URL: Final = "unsubscribe_url"
MAIL_PARTS: Final = frozenset({FOOTER, UNSUBSCRIBE_URL})


def _day(shown_at: datetime) -> str:
    return shown_at.date().isoformat()


def _time(shown_at: datetime) -> str:
    return shown_at.time().isoformat("minutes")


def _day_and_time(shown_at: datetime) -> str:
    return f"{_day(shown_at)} {_time(shown_at)}"


#: The formats of a date: ``{{ custom:starts_at:time }}``.
FORMATS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "date": _day,
    "time": _time,
    "datetime": _day_and_time,
}


@dataclass(frozen=True, slots=True)
class MergeField:
    """A field in a template; ``named`` is how it is written there, ``format`` is only for dates."""

    named: str
    field: Field
    format: str | None = None

    @classmethod
    def of(cls, named: str) -> Self:
        """Return the merge field of that name.

        Raises a 400 for an unknown field, and for a format on a field that is never a date.
        """
        name, _, format_ = named.rpartition(":")
        if format_ not in FORMATS or not name:
            return cls(named, resolve_in_run(named))
        field = resolve_in_run(name)
        if field.type not in (None, FieldType.DATE):
            what = f"{shown(named)} is refused: {shown(name)} is a {field.type}"
            problem = f"{what}; allowed are dates"
            raise bad_input("merge field", problem, "bad_merge_field")
        return cls(named, field, format_)

    def text_of(self, value: object, zone: ZoneInfo) -> str:
        """Return a stored value as text for a reader in ``zone``; a missing value is blank.

        Numbers have no trailing zeros after the point, booleans are ``true`` or ``false``, objects
        and lists are blank. A date is its day (``2026-05-27``) or as ``format`` says, and so is a
        date that a custom field holds as text. With a format, anything but a date is blank.
        """
        instant = self._instant_of(value, zone)
        if instant is not None:
            return FORMATS[self.format or "date"](clock_shows(instant, zone))
        return "" if self.format else _plain_text(value)

    def _instant_of(self, value: object, zone: ZoneInfo) -> datetime | None:
        if isinstance(value, datetime):
            return value
        if not self.field.custom or not isinstance(value, str):
            return None
        with suppress(Refusal):
            return parse_instant(value, zone)
        return None


@dataclass(frozen=True, slots=True)
class Blank:
    """A gap in a template, filled with a value or, if that is missing, with the fallback.

    ``field`` is None for a part of the mail.
    """

    named: str
    field: MergeField | None
    fallback: str

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text that stands in the gap."""
        value = values.get(self.named, "")
        return value if value.strip() else self.fallback


def fields_of(template: str) -> frozenset[MergeField]:
    """Return the merge fields of ``template`` (contract §9).

    Raises a 400 for an unknown field, and for double braces that are no merge field.
    """
    blanks = (part for part in parts_of(template) if isinstance(part, Blank))
    return frozenset(blank.field for blank in blanks if blank.field is not None)


@lru_cache(maxsize=1024)
def mail_parts_of(template: str) -> frozenset[str]:
    """Return which of ``MAIL_PARTS`` stand in ``template``; raises what ``fields_of`` raises."""
    return MAIL_PARTS & {part.named for part in parts_of(template) if isinstance(part, Blank)}


def render(template: str, values: Mapping[str, str]) -> str:
    """Return ``template`` with its merge fields filled from ``values``, keyed by ``named``.

    For an absent or blank value the fallback is filled in, or nothing. The result is text: escape
    it before it goes into HTML. Raises what ``fields_of`` raises.
    """
    return "".join(
        [part if isinstance(part, str) else part.filled(values) for part in parts_of(template)]
    )


def _plain_text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() | Decimal():
            return _number(value)
        case str():
            return value
    return ""


@lru_cache(maxsize=1024)
def parts_of(template: str) -> Sequence[str | Blank]:
    """Return the texts and blanks of a template, in order; raises what ``fields_of`` raises."""
    parts: list[str | Blank] = []
    end = 0
    for found in MERGE_FIELD.finditer(template):
        parts += [_plain(template, end, found.start()), _blank(found[1])]
        end = found.end()
    return (*parts, _plain(template, end, len(template)))


def _plain(template: str, start: int, end: int) -> str:
    stray = _DOUBLE_BRACES.search(template, start, end)
    if stray is None:
        return template[start:end]
    excerpt = template[stray.start() : stray.start() + _SHOWN_FROM_THE_BRACES]
    problem = (
        "is not a merge field; allowed are {{ name }} and {{ name|fallback }}, without other braces"
    )
    raise bad_input("merge field", f"{shown(excerpt)} {problem}", "bad_merge_field")


def _blank(inside: str) -> Blank:
    before, _, fallback = inside.partition("|")
    name = before.strip()
    field = None if name in MAIL_PARTS else MergeField.of(name)
    return Blank(name, field, fallback.strip())


def _number(value: float | Decimal) -> str:
    text = repr(value) if isinstance(value, float) else format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
