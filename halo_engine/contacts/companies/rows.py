"""The statement that writes companies: upsert, changes, membership and signals at once (§2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    Select,
    Text,
    Uuid,
    and_,
    cast,
    literal,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import array, insert

from halo_engine.contacts.companies.merge import COMPANY_TRAITS, merged_companies
from halo_engine.contacts.parameters import NOW, ORG_ID, values_of
from halo_engine.contacts.sending_order import SendingOrder, fields_said, written_now
from halo_engine.contacts.writing.registry import register_fields, seen_types
from halo_engine.domain.fields.catalogue import MEMBERSHIP_KEY, Entity
from halo_engine.domain.fields.traits import Traits
from halo_engine.domain.series.signals import SignalKind
from halo_engine.domain.times.instants import format_instant
from halo_engine.sql.prepared import prepared
from halo_engine.tables import companies, end_users, signals
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class GivenCompany:
    """A company as a call gives it, the user who joins it, if any, and when the call was sent, if
    that is known.
    """

    external_id: str
    traits: Traits
    user_id: str | None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WrittenCompany:
    """A company as it stands after the statement; ``ordinal`` is the account's index in the set.

    ``left_out`` are custom fields of the set that were not registered. With an ``oversize``, that
    of its custom fields, nothing was written.
    """

    ordinal: int
    id: UUID
    created: bool
    created_at: datetime
    updated_at: datetime
    oversize: int | None
    left_out: Sequence[str] | None


def write_companies(work: Work, accounts: Sequence[GivenCompany]) -> list[WrittenCompany]:
    """Write ``accounts`` in one statement; the answer, in their order, lacks those of unknown
    users.

    No two of them may be the same company, nor name the same user. If two transactions create the
    same company, a unique index makes one of them fail; it is run again.
    """
    given = [_as_json(work, ordinal, account) for ordinal, account in enumerate(accounts)]
    rows = _statement().rows(work.connection, values_of(work, given))
    return [WrittenCompany(**row) for row in rows]


def _as_json(work: Work, ordinal: int, account: GivenCompany) -> Mapping[str, object]:
    columns = {
        name: format_instant(value) if isinstance(value, datetime) else value
        for name, value in account.traits.columns.items()
    }
    return {
        "ordinal": ordinal,
        "external_id": account.external_id,
        "user_id": account.user_id,
        "columns": columns,
        "custom_fields": account.traits.custom,
        "field_types": seen_types(account.traits.custom, work.org.zone),
        "fields": fields_said(account.traits.columns, account.traits.custom),
        "sent_at": format_instant(account.sent_at) if account.sent_at else None,
    }


@prepared("write_companies")
def _statement() -> Select[Any]:
    merged = merged_companies()
    names = ("ordinal", "id", "created", "created_at", "updated_at", "oversize")
    sound = select(merged).where(merged.c.oversize.is_(None)).cte("fitting")
    moved = _move(sound)
    registration = register_fields(Entity.COMPANY, sound)
    return (
        select(*[merged.c[name] for name in names], registration.left_out.label("left_out"))
        .order_by(merged.c.ordinal)
        .add_cte(_upsert(sound), _signal(sound, moved), *registration.ctes)
    )


def _upsert(merged: CTE) -> CTE:
    kept = ("id", "external_id", "created_at")
    overwritten = (*COMPANY_TRAITS, "custom_fields", "field_times", "updated_at")
    rows = (
        select(ORG_ID, *[merged.c[name] for name in (*kept, *overwritten)])
        .where(merged.c.writes)
        .order_by(merged.c.id)
    )
    new = insert(companies).from_select(
        ["org_id", *kept, *overwritten], rows, include_defaults=False
    )
    return new.on_conflict_do_update(
        index_elements=["org_id", "id"],
        set_={name: new.excluded[name] for name in overwritten},
    ).cte("upserted")


def _move(merged: CTE) -> CTE:
    """Move the named users into their companies, and note when the call was sent."""
    order = SendingOrder(merged.c.sent_at, end_users.c.field_times, end_users.c.updated_at)
    moved = literal(fields_said((MEMBERSHIP_KEY,)), Text())
    return (
        update(end_users)
        .where(
            end_users.c.org_id == ORG_ID,
            end_users.c.id == merged.c.mover_id,
            merged.c.left_id.is_distinct_from(merged.c.id),
            ~merged.c.stays,
        )
        .values(
            company_id=merged.c.id,
            field_times=order.noting(moved),
            updated_at=written_now(end_users.c.updated_at),
        )
        .returning(merged.c.ordinal, end_users.c.id)
        .cte("moved")
    )


def _signal(merged: CTE, moved: CTE) -> CTE:
    """Write a signal for each contact that moves, then one for each company that changes.

    A new company has no other contact than the one that moves there.
    """
    moves = select(
        moved.c.ordinal,
        literal(SignalKind.CHANGED.value).label("kind"),
        moved.c.id.label("end_user_id"),
        cast(null(), Uuid()).label("company_id"),
        array([literal(MEMBERSHIP_KEY, Text())]).label("changed"),
    )
    changes = select(
        merged.c.ordinal,
        literal(SignalKind.COMPANY_CHANGED.value),
        cast(null(), Uuid()),
        merged.c.id,
        merged.c.changed,
    ).where(and_(~merged.c.created, merged.c.writes))
    notes = union_all(moves, changes).subquery("notes")
    rows = select(
        ORG_ID,
        *[notes.c[name] for name in ("kind", "end_user_id", "company_id", "changed")],
        NOW,
        NOW,
    ).order_by(notes.c.ordinal, notes.c.company_id.is_not(None))
    columns = ["org_id", "kind", "end_user_id", "company_id", "changed"]
    return (
        insert(signals)
        .from_select([*columns, "happened_at", "created_at"], rows, include_defaults=False)
        .cte("signalled")
    )
