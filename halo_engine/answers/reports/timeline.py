"""What happened to one contact, in order: events, runs, mails, refusals, and signals that wait."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import (
    Integer,
    Select,
    Table,
    Text,
    Uuid,
    cast,
    literal,
    null,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from halo_engine.answers.joins import has_values
from halo_engine.domain.answer import PAGE, Answer
from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.times.instants import Instant, format_instant, parse_instant
from halo_engine.domain.times.retention import History
from halo_engine.series.histories import complete_since
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_enrollments,
    automation_steps,
    automations,
    enrollment_refusals,
    events,
    messages,
    signals,
)
from halo_engine.work import Work


class What(StrEnum):
    """What an entry of a timeline is about."""

    EVENT = "event"
    ENTERED = "entered"
    CONVERTED = "converted"
    LEFT = "left"
    REFUSED = "refused"
    MAIL_INTENDED = "mail_intended"
    MAIL_SENT = "mail_sent"
    MAIL_FAILED = "mail_failed"
    MAIL_UNKNOWN = "mail_unknown"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    MACHINE_OPENED = "machine_opened"
    MACHINE_CLICKED = "machine_clicked"
    SIGNAL_WAITS = "signal_waits"


class Entry(Answer):
    """One thing that happened; ``series`` and ``step`` are keys, ``number`` is the run's.

    ``said`` is the event's name, the exit reason, the reason code, why a mail failed, or the kind
    of the signal. ``properties`` are the event's.
    """

    at: Instant
    what: What
    id: int
    series: str | None
    step: str | None
    number: int | None
    said: str | None
    properties: JsonValue


class Timeline(Answer):
    """A page of entries, the latest first; ``next`` is the ``after`` of the page that follows.

    On the last page ``complete_since`` says that events, refusals or mails from before are not kept
    any more (§24).
    """

    items: tuple[Entry, ...]
    next: str | None
    complete_since: Instant | None = None


class _Source(NamedTuple):
    """The rows of ``table`` that are entries: those with an instant ``at``, and in ``state``."""

    what: What
    table: Table
    at: str
    id: str = "id"
    said: str = ""
    number: str = "number"
    state: str | None = None


_MAIL: Final[Mapping[str, str]] = {"id": "recipient_id", "number": "enrollment_number"}
_SOURCES: Final = (
    _Source(What.EVENT, events, "happened_at", said="name"),
    _Source(What.ENTERED, automation_enrollments, "created_at"),
    _Source(What.CONVERTED, automation_enrollments, "converted_at"),
    _Source(What.LEFT, automation_enrollments, "ended_at", said="exit_reason"),
    _Source(What.REFUSED, enrollment_refusals, "refused_at", id="arrival", said="code"),
    _Source(What.MAIL_INTENDED, messages, "intended_at", state="intended", **_MAIL),
    _Source(What.MAIL_SENT, messages, "sent_at", **_MAIL),
    _Source(What.MAIL_FAILED, messages, "intended_at", said="error", state="failed", **_MAIL),
    _Source(What.MAIL_UNKNOWN, messages, "intended_at", state="unknown", **_MAIL),
    _Source(What.OPENED, messages, "opened_at", **_MAIL),
    _Source(What.CLICKED, messages, "clicked_at", **_MAIL),
    _Source(What.REPLIED, messages, "replied_at", **_MAIL),
    _Source(What.MACHINE_OPENED, messages, "machine_opened_at", **_MAIL),
    _Source(What.MACHINE_CLICKED, messages, "machine_clicked_at", **_MAIL),
    _Source(What.SIGNAL_WAITS, signals, "created_at", said="kind"),
)
_KEPT_FOR_A_TIME: Final = (History.EVENTS, History.REFUSALS, History.MAILS)
#: Columns that only some sources have; NULL in the others.
_KNOWN_TO_SOME: Final[Mapping[str, TypeEngine[Any]]] = {
    "automation_id": Uuid(),
    "step_id": Uuid(),
    "number": Integer(),
    "said": Text(),
    "properties": JSONB(),
}


def timeline(
    work: Work, contact_id: UUID, *, after: str | None = None, size: int = PAGE
) -> Timeline:
    """Return a page of what happened to a contact, in one statement; the last page in two.

    Raises 400 for an ``after`` that is no cursor of this answer.
    """
    position = None if after is None else _position_of(work, after)
    rows = work.connection.execute(_page_timeline(work, contact_id, position, size + 1)).mappings()
    entries = [Entry.model_validate(dict(row)) for row in rows]
    goes_on = len(entries) > size
    return Timeline(
        items=tuple(entries[:size]),
        next=_cursor(entries[size - 1]) if goes_on else None,
        complete_since=None if goes_on else complete_since(work, *_KEPT_FOR_A_TIME),
    )


@statement("page_timeline", position=None)
def _page_timeline(
    work: Work, contact_id: UUID, position: tuple[datetime, int, str] | None, limit: int
) -> Select[Any]:
    parts = [_entries(work, contact_id, source) for source in _SOURCES]
    each, series, steps = union_all(*parts).subquery("each"), automations, automation_steps
    asked = select(each, series.c.key.label("series"), steps.c.key.label("step")).select_from(
        each.outerjoin(series, has_values(series, work.org_id, id=each.c.automation_id)).outerjoin(
            steps, has_values(steps, work.org_id, id=each.c.step_id)
        )
    )
    if position is not None:
        asked = asked.where(tuple_(each.c.at, each.c.id, each.c.what) < tuple_(*position))
    ordered = asked.order_by(each.c.at.desc(), each.c.id.desc(), each.c.what.desc())
    return ordered.limit(limit)


def _entries(work: Work, contact_id: UUID, source: _Source) -> Select[Any]:
    columns = source.table.c
    names = {"number": source.number, "said": source.said}
    rest = []
    for name, type_ in _KNOWN_TO_SOME.items():
        known = columns.get(names.get(name, name))
        rest.append((cast(null(), type_) if known is None else known).label(name))
    entries = select(
        literal(source.what.value, Text()).label("what"),
        columns[source.at].label("at"),
        columns[source.id].label("id"),
        *rest,
    ).where(
        has_values(source.table, work.org_id, end_user_id=contact_id),
        columns[source.at].is_not(None),
    )
    return entries if source.state is None else entries.where(columns.state == source.state)


def _cursor(last: Entry) -> str:
    return f"{format_instant(last.at)}/{last.id}/{last.what}"


def _position_of(work: Work, cursor: str) -> tuple[datetime, int, str]:
    """Return instant, id and kind of the entry that a cursor names."""
    try:
        at, number, what = cursor.split("/")
        return parse_instant(at, work.org.zone, "after"), int(number), What(what).value
    except (Refusal, ValueError):
        problem = f"{shown(cursor)} is no cursor; allowed is the `next` of a page of this timeline"
        raise bad_input("after", problem, "bad_cursor") from None
