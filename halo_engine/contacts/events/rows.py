"""The statement that writes events: rows, counts, ``last_seen``, signals (contract §2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from halo_engine.contacts.events.counts import count_events
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.contacts.sending_order import written_now
from halo_engine.domain.series.signals import SignalKind
from halo_engine.domain.times.instants import format_instant
from halo_engine.series.noting import note_happened
from halo_engine.sql.prepared import prepared
from halo_engine.tables import end_users, events, idempotency_keys, signals
from halo_engine.work import Work

#: An event that is older on arrival is history: series do not react to it (contract §2).
HISTORY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class CheckedEvent:
    """An event that passed all checks, and the answer to store under its idempotency key.

    ``user_id`` may be unknown; without one the event belongs to a session. ``contact_id`` is for
    reported events, whose contact has been looked up. ``left_out`` are the properties that an
    enrollment does not keep (``kept_properties``).
    """

    name: str
    user_id: str | None
    session_id: str | None
    properties: Mapping[str, Any]
    happened_at: datetime
    key: str | None
    fingerprint: str
    answer: Mapping[str, Any]
    contact_id: UUID | None = None
    left_out: Sequence[str] = ()


def write_events(
    work: Work, given_events: Mapping[int, CheckedEvent], *, reported: bool = False
) -> set[int]:
    """Write events in the order of their ordinals, in one statement; return which were written.

    The others are of unknown users, or their idempotency key was used before. Events that are
    ``reported`` name contacts by id, and do not bump ``last_seen``.
    """
    rows = [
        {
            **{name: getattr(each, name) for name in CheckedEvent.__slots__},
            "ordinal": ordinal,
            "happened_at": format_instant(each.happened_at),
            "left_out": list(each.left_out) or None,
            "contact_id": str(each.contact_id) if each.contact_id else None,
        }
        for ordinal, each in given_events.items()
    ]
    written = _statement(reported).rows(work.connection, values_of(work, rows))
    return {row["ordinal"] for row in written}


@prepared("write_events", reported=False)
def _statement(reported: bool) -> Select[Any]:
    given = given_rows(
        {
            "ordinal": Integer(),
            "user_id": Text(),
            "contact_id": Uuid(),
            "session_id": Text(),
            "name": Text(),
            "properties": JSONB(),
            "happened_at": DateTime(timezone=True),
            "key": Text(),
            "fingerprint": Text(),
            "answer": JSONB(),
            "left_out": ARRAY(Text()),
        }
    )
    name, whose = (
        (given.c.contact_id, end_users.c.id)
        if reported
        else (given.c.user_id, end_users.c.external_id)
    )
    known = _hold_contacts(name, whose)
    addressed = (
        select(given, known.c.id.label("end_user_id"))
        .select_from(given.outerjoin(known, known.c.named == name))
        .where(or_(name.is_(None), known.c.id.is_not(None)))
        .cte("addressed")
    )
    fresh = _claim_keys(addressed)
    written = _insert_events(fresh)
    seen = () if reported else (_see(written),)
    # History is counted, but no signal says so.
    is_silent = and_(~written.c.live, written.c.end_user_id.is_not(None))
    counted = select(written.c.end_user_id).where(is_silent)
    noted = note_happened(ORG_ID, counted, "noted")
    beside = (count_events(ORG_ID, written), *seen, _signal(written), noted)
    return select(fresh.c.ordinal).add_cte(*beside)


def _hold_contacts(name: ColumnElement[Any], whose: ColumnElement[Any]) -> CTE:
    """Lock the contacts in order of id, so that two batches do not deadlock."""
    return (
        select(end_users.c.id, whose.label("named"))
        .where(end_users.c.org_id == ORG_ID, whose.in_(select(name)))
        .order_by(end_users.c.id)
        .with_for_update(key_share=True)
        .cte("known")
    )


def _claim_keys(addressed: FromClause) -> CTE:
    """Take the idempotency keys, and return the events whose key was free, or that have none.

    If another transaction took the key first, this waits for it. Of several events with one key the
    first counts.
    """
    rank = func.row_number().over(partition_by=addressed.c.key, order_by=addressed.c.ordinal)
    ranked = select(addressed, or_(addressed.c.key.is_(None), rank == 1).label("is_first")).cte(
        "ranked"
    )
    table = idempotency_keys
    claims = (
        select(
            ORG_ID,
            ranked.c.key,
            ranked.c.fingerprint,
            ranked.c.answer,
            ranked.c.end_user_id,
            NOW,
        )
        .where(ranked.c.key.is_not(None), ranked.c.is_first)
        .order_by(ranked.c.key)
    )
    claimed = (
        insert(table)
        .from_select([column.name for column in table.c], claims)
        .on_conflict_do_nothing()
        .returning(table.c.key)
        .cte("claimed")
    )
    return (
        select(ranked)
        .select_from(ranked.outerjoin(claimed, claimed.c.key == ranked.c.key))
        .where(
            ranked.c.is_first,
            or_(ranked.c.key.is_(None), claimed.c.key.is_not(None)),
        )
        .cte("fresh")
    )


def _insert_events(fresh: FromClause) -> CTE:
    is_live = and_(
        fresh.c.end_user_id.is_not(None),
        fresh.c.happened_at >= NOW - literal(HISTORY),
    )
    rows = select(
        ORG_ID,
        fresh.c.end_user_id,
        fresh.c.session_id,
        fresh.c.name,
        fresh.c.properties,
        fresh.c.happened_at,
        NOW,
        is_live,
        fresh.c.left_out,
    ).order_by(fresh.c.ordinal)
    columns = [
        "org_id",
        "end_user_id",
        "session_id",
        "name",
        "properties",
        "happened_at",
        "created_at",
        "live",
        "left_out",
    ]
    return (
        insert(events)
        .from_select(columns, rows, include_defaults=False)
        .returning(
            events.c.id, events.c.end_user_id, events.c.name, events.c.happened_at, events.c.live
        )
        .cte("written")
    )


def _see(written: FromClause) -> CTE:
    return (
        update(end_users)
        .where(end_users.c.org_id == ORG_ID, end_users.c.id.in_(select(written.c.end_user_id)))
        .values(
            last_seen=func.greatest(end_users.c.last_seen, NOW),
            updated_at=written_now(end_users.c.updated_at),
        )
        .returning(end_users.c.id)
        .cte("seen")
    )


def _signal(written: FromClause) -> CTE:
    """Write signals in order of arrival, but none for anonymous events and history (§2)."""
    rows = (
        select(
            ORG_ID,
            literal(SignalKind.EVENT.value, Text()),
            written.c.end_user_id,
            written.c.name,
            written.c.id,
            written.c.happened_at,
            NOW,
        )
        .where(written.c.live)
        .order_by(written.c.id)
    )
    columns = ["org_id", "kind", "end_user_id", "event_name", "event_id", "happened_at"]
    columns.append("created_at")
    return (
        insert(signals)
        .from_select(columns, rows, include_defaults=False)
        .returning(signals.c.id)
        .cte("signalled")
    )
