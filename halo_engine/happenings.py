"""Write down what happens to contacts in series, in the statement that makes it happen (§14).

An organisation whose endpoints ask for none of these kinds writes no row: its statements are built
without this part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    cast,
    insert,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.types import TypeEngine

from halo_engine.domain.fields.catalogue import PREFIXES, Entity
from halo_engine.domain.series.happenings import Happening, Kinds
from halo_engine.domain.series.signals import SignalKind
from halo_engine.sql.metadata import INSTANT
from halo_engine.tables import (
    automations,
    signals,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)


@dataclass(frozen=True, slots=True, eq=False)
class Happened:
    """Rows of a statement to which a ``kind`` of happening happened ``at`` an instant.

    They have ``end_user_id`` and ``automation_id``. ``given`` are further columns of the event, by
    name: ``enrollment_number``, ``step_id``, ``recipient_id``, ``reason``.
    """

    kind: Happening
    rows: FromClause
    at: ColumnElement[Any] | datetime
    given: Mapping[str, ColumnElement[Any]]
    where: ColumnElement[bool] | None = None


_GIVEN: Final[Mapping[str, TypeEngine[Any]]] = {
    "enrollment_number": Integer(),
    "step_id": Uuid(),
    "recipient_id": BigInteger(),
    "reason": Text(),
}


def happened_to_mails(kind: Happening, mails: FromClause, at: ColumnElement[Any]) -> Happened:
    """Return what happened to mails; ``mails`` are rows of the ledger."""
    names = ("enrollment_number", "step_id", "recipient_id")
    return Happened(kind, mails, at, {name: mails.c[name] for name in names})


def note_happenings(
    org_id: UUID | ColumnElement[UUID], kinds: Kinds, *happened: Happened
) -> tuple[CTE, ...]:
    """Return the CTEs that write events and address them to endpoints; none if none are asked for.

    Of one contact, what is given first happened first.
    """
    asked = [each for each in happened if each.kind in kinds]
    if not asked:
        return ()
    told = _told(org_id, asked)
    return told, _addressed(org_id, told)


def _told(org_id: UUID | ColumnElement[UUID], asked: Sequence[Happened]) -> CTE:
    each = union_all(*[_rows(ordinal, one) for ordinal, one in enumerate(asked)]).subquery(
        "happened"
    )
    events = webhook_events
    names = ["kind", "end_user_id", "automation_id", *_GIVEN, "at"]
    rows = select(cast(org_id, Uuid), *[each.c[name] for name in names]).order_by(each.c.ordinal)
    return (
        insert(events)
        .from_select(["org_id", *names], rows, include_defaults=False)
        .returning(
            events.c.id, events.c.kind, events.c.end_user_id, events.c.automation_id, events.c.at
        )
        .cte("happenings")
    )


def _rows(ordinal: int, each: Happened) -> Select[Any]:
    rows: Select[Any] = select(
        literal(ordinal, Integer()).label("ordinal"),
        literal(each.kind.value, Text()).label("kind"),
        each.rows.c.end_user_id.label("end_user_id"),
        each.rows.c.automation_id.label("automation_id"),
        *[cast(each.given.get(name, null()), type_).label(name) for name, type_ in _GIVEN.items()],
        cast(each.at, INSTANT).label("at"),
    )
    return rows if each.where is None else rows.where(each.where)


def _addressed(org_id: UUID | ColumnElement[UUID], told: CTE) -> CTE:
    endpoint = webhook_endpoints
    rows = select(
        endpoint.c.org_id, endpoint.c.id, told.c.id, told.c.end_user_id, told.c.at
    ).select_from(told.join(endpoint, and_(endpoint.c.org_id == org_id, is_asked_for(told))))
    names = ["org_id", "endpoint_id", "event_id", "end_user_id", "due_at"]
    deliveries = insert(webhook_deliveries).from_select(names, rows, include_defaults=False)
    return deliveries.cte("addressed")


def is_asked_for(event: FromClause) -> ColumnElement[bool]:
    """Return whether an endpoint's filter lets an event through."""
    endpoint = webhook_endpoints
    return and_(
        or_(endpoint.c.kinds.is_(None), event.c.kind == any_(endpoint.c.kinds)),
        or_(endpoint.c.series_ids.is_(None), event.c.automation_id == any_(endpoint.c.series_ids)),
    )


def announce(
    org_id: UUID | ColumnElement[UUID],
    keys: Sequence[str] | ColumnElement[Any],
    runs: FromClause,
    now: ColumnElement[Any] | datetime,
) -> CTE:
    """Return the CTE that writes a signal for each of the ``runs``, which began or ended, whose
    series is one of ``keys``: its ``series:KEY`` has changed (contract §22).
    """
    of = automations
    is_its = and_(of.c.org_id == org_id, of.c.id == runs.c.automation_id)
    asked = keys if isinstance(keys, ColumnElement) else literal([*keys], ARRAY(Text()))
    rows = (
        select(
            cast(org_id, Uuid),
            literal(SignalKind.CHANGED.value, Text()),
            runs.c.end_user_id,
            array([literal(PREFIXES[Entity.SERIES], Text()) + of.c.key]),
            cast(now, INSTANT),
            cast(now, INSTANT),
        )
        .select_from(runs.join(of, is_its))
        .where(of.c.key == any_(asked))
        .order_by(runs.c.end_user_id, of.c.created_at)
    )
    columns = ["org_id", "kind", "end_user_id", "changed", "happened_at", "created_at"]
    return insert(signals).from_select(columns, rows, include_defaults=False).cte("announced")
