"""The statement that writes companies: upsert, changes, membership and signals at once (§2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
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

from halo_engine.contacts.company_merge import COMPANY_TRAITS, merged_companies
from halo_engine.contacts.parameters import NOW, ORG_ID, values_of
from halo_engine.contacts.registry import register_fields, seen_types
from halo_engine.contacts.sending import Order, fields_said, written_now
from halo_engine.domain.fields import MEMBERSHIP_KEY, Entity
from halo_engine.domain.instants import format_instant
from halo_engine.domain.signals import SignalKind
from halo_engine.domain.traits import Traits
from halo_engine.tables import companies, end_users, signals
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class Account:
    """A company as it comes to the door, and the user who belongs to it from now on, if any."""

    external_id: str
    traits: Traits
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Written:
    """A company as it stands after the statement; ``place`` is the account's index in the set.

    ``left_out`` are custom fields of the set that were not registered. With an ``oversize``, that
    of its custom fields, nothing was written.
    """

    place: int
    id: UUID
    created: bool
    created_at: datetime
    updated_at: datetime
    oversize: int | None
    left_out: Sequence[str] | None


def write_companies(
    work: Work, accounts: Sequence[Account], *, sent_at: datetime | None = None
) -> list[Written]:
    """Write ``accounts`` in one statement; the answer, in their order, lacks whose user is unknown.

    No two of them may be the same company, nor name the same user. If two transactions create the
    same company, a unique index makes one of them fail; it is run again.
    """
    given = [
        {**_as_json(work, place, account), "sent_at": format_instant(sent_at) if sent_at else None}
        for place, account in enumerate(accounts)
    ]
    rows = work.connection.execute(_statement(), values_of(work, given)).mappings()
    return [Written(**row) for row in rows]


def _as_json(work: Work, place: int, account: Account) -> Mapping[str, object]:
    columns = {
        name: format_instant(value) if isinstance(value, datetime) else value
        for name, value in account.traits.columns.items()
    }
    return {
        "place": place,
        "external_id": account.external_id,
        "user_id": account.user_id,
        "columns": columns,
        "custom_fields": account.traits.custom,
        "field_types": seen_types(account.traits.custom, work.org.zone),
        "fields": fields_said(account.traits.columns, account.traits.custom),
    }


@lru_cache(maxsize=1)
def _statement() -> Select[Any]:
    merged = merged_companies()
    names = ("place", "id", "created", "created_at", "updated_at", "oversize")
    sound = select(merged).where(merged.c.oversize.is_(None)).cte("fitting")
    moved = _move(sound)
    registration = register_fields(Entity.COMPANY, sound)
    return (
        select(*[merged.c[name] for name in names], registration.left_out.label("left_out"))
        .order_by(merged.c.place)
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
    """Move the users named into their companies, out of any other; note when the call was sent."""
    order = Order(merged.c.sent_at, end_users.c.field_times, end_users.c.updated_at)
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
        .returning(merged.c.place, end_users.c.id)
        .cte("moved")
    )


def _signal(merged: CTE, moved: CTE) -> CTE:
    """Write a signal for each contact that moves, then one for each company that changes.

    A new company has no contact but the one that moves there.
    """
    moves = select(
        moved.c.place,
        literal(SignalKind.CHANGED.value).label("kind"),
        moved.c.id.label("end_user_id"),
        cast(null(), Uuid()).label("company_id"),
        array([literal(MEMBERSHIP_KEY, Text())]).label("changed"),
    )
    changes = select(
        merged.c.place,
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
    ).order_by(notes.c.place, notes.c.company_id.is_not(None))
    columns = ["org_id", "kind", "end_user_id", "company_id", "changed"]
    return (
        insert(signals)
        .from_select([*columns, "happened_at", "created_at"], rows, include_defaults=False)
        .cte("signalled")
    )
