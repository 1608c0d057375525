"""The order of sending: a call that comes late undoes nothing (contract §2, decision 27).

Contacts and companies keep notes in ``field_times``. The key of a note names all fields that a call
gave (``fields_said``); its value is when the latest such call was sent, in microseconds since 1970.
A late call changes only fields that no later call gave.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.contacts.parameters import NOW
from halo_engine.domain.times.instants import parse_instant
from halo_engine.work import Organization

#: How long notes are kept. A call that comes even later only fills in missing values.
HORIZON: Final = timedelta(days=7)
#: In bytes; larger notes are cleared, and only the time of that is kept.
LARGEST_NOTES: Final = 4_000
#: In characters; a call with longer names is noted as if it gave any field.
_LONGEST_NAMES: Final = 2_000
#: The key of the note for any field: up to its time, every field may have been given.
_ANYTHING: Final = ""


def sending_time(org: Organization, sent_at: str | None) -> datetime | None:
    """Return when a call was sent, by its ``sent_at``; a 400 if that is no instant."""
    return None if sent_at is None else parse_instant(sent_at, org.zone, "sent_at")


def fields_said(
    columns: Iterable[str] = (), custom_fields: Iterable[str] = (), context: Iterable[str] = ()
) -> str | None:
    """Return the key of a call's note: the names of its fields, by where they are kept, or None."""
    return _fields_said(tuple(columns), tuple(custom_fields), tuple(context))


@lru_cache(maxsize=1024)
def _fields_said(
    columns: tuple[str, ...], custom_fields: tuple[str, ...], context: tuple[str, ...]
) -> str | None:
    # Most calls of an application give the same fields.
    given = {"columns": columns, "custom_fields": custom_fields, "context": context}
    named = {where: sorted(names) for where, names in given.items() if names}
    said = json.dumps(named, separators=(",", ":"), ensure_ascii=False)
    if len(said) > _LONGEST_NAMES:
        return _ANYTHING
    return said if named else None


def said_at(sent_at: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """Return when a call was sent, by our clock: a clock that is ahead of ours means now."""
    return func.least(sent_at, NOW)


def written_now(before: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the ``updated_at`` of a row that is written now and had ``before``.

    It never goes back: a transaction that waited for the row may have begun before the last write.
    """
    return func.greatest(before, NOW)


def notes_of_both(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """Merge the ``field_times`` of two rows: of equal keys the later instant counts."""
    notes = [
        func.jsonb_each_text(each).table_valued("key", "value", name=name)
        for each, name in ((one, "one"), (other, "other"))
    ]
    both = union_all(
        *[select(each.c.key, cast(each.c.value, BigInteger).label("at")) for each in notes]
    ).subquery("both_notes")
    latest = (
        select(both.c.key, func.max(both.c["at"]).label("at"))
        .group_by(both.c.key)
        .subquery("latest_notes")
    )
    joined = func.jsonb_object_agg(latest.c.key, latest.c["at"])
    return func.coalesce(select(joined).scalar_subquery(), literal_column("'{}'::jsonb"))


@dataclass(frozen=True, slots=True)
class SendingOrder:
    """When a call was sent (NULL if unknown), and a row's notes to compare that with.

    ``noted`` is the row's ``field_times``, ``written_at`` its ``updated_at``; both are NULL for a
    new row.
    """

    sent_at: ColumnElement[datetime]
    noted: ColumnElement[Any]
    written_at: ColumnElement[datetime]

    @property
    def is_late(self) -> ColumnElement[bool]:
        """Whether the row was written after the call was sent."""
        was_sent_before = said_at(self.sent_at) < self.written_at
        return func.coalesce(and_(self.sent_at.is_not(None), was_sent_before), False)

    def taken(
        self, where: str, given: ColumnElement[Any], *, stored: ColumnElement[Any]
    ) -> ColumnElement[Any]:
        """Return the fields of ``given`` that the call may write: all, unless the call is late.

        ``where`` names where the fields are kept; ``stored`` are those that have a value there.
        """
        rest = given.op("-")(func.coalesce(self._said_since(where), literal_column("'{}'::text[]")))
        late = case((self._is_forgotten, given.concat(stored)), else_=rest)
        return case((self.is_late, late), else_=given)

    def noting(self, fields: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the row's ``field_times`` with a note of this call, whose key is ``fields``."""
        before = cast(self.noted[fields].astext, BigInteger)
        mine = func.jsonb_build_object(fields, func.greatest(before, self._at))
        anything = func.jsonb_build_object(
            literal_column(f"'{_ANYTHING}'"), _micros(self.written_at)
        )
        are_too_large = func.octet_length(cast(self.noted, Text)) > LARGEST_NOTES
        return case(
            (fields.is_(None), func.coalesce(self.noted, literal_column("'{}'::jsonb"))),
            # There are no notes, or all of them are too old to matter.
            (or_(self.noted.is_(None), self.written_at < NOW - literal(HORIZON)), mine),
            # ``fields`` may be _ANYTHING too: then the later of the two instants stays.
            (and_(are_too_large, self.is_late), mine.concat(anything)),
            (are_too_large, anything.concat(mine)),
            else_=self.noted.concat(mine),
        )

    def gives_way(
        self, where: str, field: str | ColumnElement[str], *, has_value: ColumnElement[bool]
    ) -> Any:
        """Return whether the call is late and must leave one field alone.

        It must if a later call gave the field. If the notes do not reach back that far, it must if
        the field has a value.
        """
        note, fields = self._notes(where)
        said = (
            select(note.c.key)
            .where(fields.has_key(field), cast(note.c.value, BigInteger) > self._at)
            .exists()
        )
        return and_(self.is_late, or_(said, and_(self._is_forgotten, has_value)))

    def _notes(self, where: str) -> tuple[Any, ColumnElement[Any]]:
        """Return the notes as rows of ``key`` and ``value``, and the fields of one note."""
        note = func.jsonb_each_text(self.noted).table_valued("key", "value", name="note")
        return note, cast(func.nullif(note.c.key, _ANYTHING), JSONB)[where]

    def _said_since(self, where: str) -> ColumnElement[Any]:
        """Return the names of the fields kept there that later calls gave."""
        note, fields = self._notes(where)
        names = func.jsonb_array_elements_text(fields).table_valued("value", name="name")
        return (
            select(func.array_agg(names.c.value))
            .select_from(note.join(names, literal(True)))
            .where(cast(note.c.value, BigInteger) > self._at)
            .scalar_subquery()
        )

    @property
    def _is_forgotten(self) -> ColumnElement[bool]:
        """Whether the notes do not reach back to when the call was sent."""
        anything = cast(self.noted[_ANYTHING].astext, BigInteger)
        is_too_old = said_at(self.sent_at) < NOW - literal(HORIZON)
        return or_(is_too_old, func.coalesce(anything > self._at, False))

    @property
    def _at(self) -> ColumnElement[int]:
        return _micros(said_at(self.sent_at))


def _micros(instant: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(func.extract("epoch", instant) * 1_000_000, BigInteger)
