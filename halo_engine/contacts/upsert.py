"""The statement that writes contacts: upsert, changes, signals and registered fields at once (§2).

It takes a set of any size; one contact is a set of one. Contacts are locked in order of id, and
changes are written together with their signals. If two transactions create the same contact, a
unique index makes one of them fail; it is run again
(``database.run_in_transaction``), and then finds the contact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import array, insert

from halo_engine.contacts.address_hashes import hash_parameters, suppress_again
from halo_engine.contacts.bounds import too_large
from halo_engine.contacts.doors import BY_ADDRESS, DOCUMENTS, FIELD_TIMES, TRAIT_COLUMNS, Door
from halo_engine.contacts.doubles import holding_addresses
from halo_engine.contacts.merge import constant, merged_contacts, part
from halo_engine.contacts.parameters import NOW, ORG_ID
from halo_engine.contacts.people import Person
from halo_engine.contacts.registry import Registration, are_unsure, register_fields, seen_types
from halo_engine.contacts.sending import fields_said, written_now
from halo_engine.database import LostRace
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields import Entity
from halo_engine.domain.instants import format_instant
from halo_engine.domain.signals import EVERYTHING, SignalKind
from halo_engine.prepared import Call, Prepared, Rows
from halo_engine.tables import end_users, signals
from halo_engine.work import Organization, Work

_OUTCOME = ("place", "id", "external_id", "created", "promoted", "changed", "left_out", "oversize")
_INSTANTS = ("created_at", "updated_at", "first_seen", "last_seen", "last_contacted_at")
_STORED = (*TRAIT_COLUMNS, *DOCUMENTS)
#: The columns that Halo manages; ``merged`` has them beside the row.
_SEEN = ("first_seen", "last_seen")
_MANAGED = ("created_at", *_SEEN)


@dataclass(frozen=True, slots=True)
class Written:
    """A contact as it stands after the statement; ``place`` is the person's index in the set.

    ``changed`` holds the keys of the fields that differ from before; ``stored`` the traits,
    ``custom_fields`` and ``context``, where they were asked for. ``left_out`` are custom fields of
    the set that were not registered. With an ``oversize`` nothing was written (``refusal``).
    """

    place: int
    id: UUID
    external_id: str | None
    created: bool
    promoted: bool
    changed: Sequence[str]
    left_out: Sequence[str] | None
    oversize: int | None
    instants: Mapping[str, datetime | None]
    stored: Mapping[str, Any]

    @property
    def refusal(self) -> Refusal | None:
        """Why nothing was written, if so: the contact's documents would be too large (§2)."""
        if self.oversize is None:
            return None
        return too_large("custom_fields and context together", self.oversize)


def write_contacts(
    work: Work,
    door: Door,
    people: Sequence[Person],
    *,
    sent_at: datetime | None = None,
    with_stored: bool = False,
) -> list[Written]:
    """Write ``people`` through ``door`` in one statement; the answer is in their order (§2).

    A late call changes only what was not said since it was sent (``sending``).

    At a door that creates no contacts, unknown people are left out of the answer. A door that finds
    contacts by address locks the addresses first (``doubles``). Raises ``LostRace`` when a contact
    found by address changed meanwhile: the transaction is run again.
    """
    calls = writing(work.org, door, people, work.now, sent_at=sent_at, with_stored=with_stored)
    *_, rows = [call.rows(work.connection) for call in calls]
    if door.creates and len(rows) < len(people):
        raise LostRace
    return read_written(rows, with_stored=with_stored)


def writing(
    org: Organization,
    door: Door,
    people: Sequence[Person],
    now: datetime | None,
    *,
    sent_at: datetime | None = None,
    with_stored: bool = False,
    proven_until: float | None = None,
) -> list[Call]:
    """Return the calls that write ``people``; ``read_written`` reads the rows of the last one.

    Without ``now`` they read the database's clock. ``sent_at`` is when the call was sent, if that
    is known. With ``proven_until``, in seconds since 1970, they write nothing and answer nothing
    after that instant, or if ``org`` has changed. At a door that creates contacts, a person without
    an answer has lost a race.
    """
    registers = any(are_unsure(org, person.custom) for person in people)
    given = [_as_json(place, person, sent_at) for place, person in enumerate(people)]
    if registers:
        for row, person in zip(given, people, strict=True):
            row["field_types"] = seen_types({**person.custom, **person.registered_by}, org.zone)
    values: dict[str, Any] = {
        "work_org_id": org.id,
        "work_now": now,
        "given_rows": given,
        "known_version": org.version,
        "proven_until": proven_until,
    }
    if org.address_key is not None:
        values |= hash_parameters(org.address_key)
    statement = _statement(
        door,
        with_stored,
        with_hashes=org.address_key is not None,
        as_known=proven_until is not None,
        registers=registers,
        dated=sent_at is not None,
    )
    emails = [each.columns.get("email") for each in people if door.finds in BY_ADDRESS]
    return [*holding_addresses(org.id, emails), Call(statement, values)]


def read_written(rows: Rows, *, with_stored: bool = False) -> list[Written]:
    """Return the contacts that the rows are about."""
    return [
        Written(
            **{name: row[name] for name in _OUTCOME},
            instants={name: row[name] for name in _INSTANTS},
            stored={name: row[name] for name in _STORED if with_stored},
        )
        for row in rows
    ]


def _as_json(place: int, person: Person, sent_at: datetime | None) -> dict[str, object]:
    signed_up_at = person.signed_up_at
    return {
        "place": place,
        "signed_up_at": format_instant(signed_up_at) if signed_up_at else None,
        "contact_id": str(person.contact_id) if person.contact_id else None,
        "external_id": person.external_id,
        "columns": {
            name: format_instant(value) if isinstance(value, datetime) else value
            for name, value in person.columns.items()
        },
        "custom_fields": person.custom,
        "context": person.context,
        "sent_at": format_instant(sent_at) if sent_at else None,
        "fields": fields_said(person.columns, person.custom, person.context),
    }


@lru_cache(maxsize=128)
def _statement(
    door: Door,
    with_stored: bool,
    *,
    with_hashes: bool,
    as_known: bool,
    registers: bool,
    dated: bool,
) -> Prepared:
    """Build the statement.

    ``with_hashes`` it restores suppressions of erased addresses; if it ``registers``, it registers
    new custom fields.
    """
    merged = merged_contacts(door, as_known=as_known, dated=dated)
    fresh = merged.c.fresh
    before = part(fresh, "updated_at")
    updated_at = case((_writes(door, merged), written_now(before)), else_=before)
    rest = ("external_id", "last_contacted_at", *(_STORED if with_stored else ()))
    upserted = _upserted(door, merged)
    beside = [upserted, _signaled(door, merged)]
    if with_hashes:
        beside += suppress_again(upserted)
    left_out: ColumnElement[Any] = null()
    if registers:
        registration = _registration(door, merged)
        beside += registration.ctes
        left_out = registration.left_out
    said = ("place", "id", "created", "promoted", "changed", "oversize")
    answer: Select[Any] = (
        select(
            *[merged.c[name] for name in said],
            left_out.label("left_out"),
            *[merged.c[name] for name in _MANAGED],
            updated_at.label("updated_at"),
            *[part(fresh, name).label(name) for name in rest],
        )
        .order_by(merged.c.place)
        .add_cte(*beside)
    )
    return Prepared(answer)


def _writes(door: Door, merged: CTE) -> ColumnElement[bool]:
    """Return whether the contact's row is written at all."""
    fits = merged.c.oversize.is_(None)
    if door.bumps_last_seen:
        return fits
    changed = func.cardinality(merged.c.changed) > 0
    return and_(fits, or_(merged.c.created, changed, merged.c.rest_changed))


def _upserted(door: Door, merged: CTE) -> CTE:
    laid_over = ("external_id", *door.columns, *door.links, *DOCUMENTS, FIELD_TIMES)
    rows = (
        select(
            ORG_ID,
            literal(door.source),
            written_now(part(merged.c.fresh, "updated_at")),
            merged.c.id,
            *[merged.c[name] for name in _MANAGED],
            *[part(merged.c.fresh, name) for name in laid_over],
        )
        .where(_writes(door, merged))
        .order_by(merged.c.id)
    )
    columns = ["org_id", "source", "updated_at", "id", *_MANAGED, *laid_over]
    writing = insert(end_users).from_select(columns, rows, include_defaults=False)
    overwritten = ["external_id", *door.merges, *door.links, "updated_at", *_SEEN]
    if door.notes_order:
        overwritten.append(FIELD_TIMES)
    upserting = writing.on_conflict_do_update(
        index_elements=["org_id", "id"],
        set_={name: writing.excluded[name] for name in overwritten},
    )
    return upserting.returning(end_users.c.address).cte("upserted")


def _signaled(door: Door, merged: CTE) -> CTE:
    """Write a signal for each change, in the order given; its kind is the door's."""
    kind = case(
        (merged.c.created, constant(door.on_created)),
        (merged.c.promoted, constant(door.on_promoted)),
        else_=constant(door.on_changed),
    )
    changed: ColumnElement[Any] = merged.c.changed
    if door.on_created is SignalKind.CREATED:
        news = [constant(EVERYTHING)] if door.created_is_changed else []
        changed = case((merged.c.created, array(news, type_=Text)), else_=changed)
    rows = (
        select(ORG_ID, kind, merged.c.id, changed, NOW, NOW)
        .where(
            merged.c.oversize.is_(None),
            or_(merged.c.created, func.cardinality(merged.c.changed) > 0),
        )
        .order_by(merged.c.place)
    )
    # The id is the table's own default, made row by row in this order.
    columns = ["org_id", "kind", "end_user_id", "changed", "happened_at", "created_at"]
    return insert(signals).from_select(columns, rows, include_defaults=False).cte("signaled")


def _registration(door: Door, merged: CTE) -> Registration:
    """Register the custom fields of the contacts that were written with them."""
    written = select(merged).where(merged.c.oversize.is_(None))
    if "custom_fields" not in door.merges:
        written = written.where(merged.c.created)
    return register_fields(Entity.CONTACT, written.subquery("written"))
