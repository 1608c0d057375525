"""The statement that writes contacts: upsert, changes, signals and registered fields at once (§2).

It takes a set of any size; one contact is a set of one. Contacts are locked in order of id, and
changes are written together with their signals. If two transactions create the same contact, a
unique index makes one of them fail; it is run again
(``database.run_in_transaction``), and then finds the contact.
"""

import math
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

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

from halo_engine.contacts.consent.address_hashes import hash_parameters, suppress_again
from halo_engine.contacts.parameters import NOW
from halo_engine.contacts.sending_order import written_now
from halo_engine.contacts.writing.address_locks import holding_addresses
from halo_engine.contacts.writing.found import constant, part
from halo_engine.contacts.writing.merge import merged_contacts
from halo_engine.contacts.writing.people import Person, as_json
from halo_engine.contacts.writing.registry import (
    Registration,
    are_unsure,
    register_fields,
    seen_types,
)
from halo_engine.contacts.writing.sources import (
    BY_ADDRESS,
    DOCUMENTS,
    FIELD_TIMES,
    IDENTIFY,
    Source,
)
from halo_engine.contacts.writing.written import STORED, WrittenContact, read_written
from halo_engine.database import LostRace
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.series.signals import EVERYTHING, SignalKind
from halo_engine.sql.prepared import BoundStatement, prepared
from halo_engine.tables import end_users, signals, subscription_members, subscriptions
from halo_engine.work import Organization, Work

#: The columns that Halo manages; ``merged`` has them beside the row.
_SEEN = ("first_seen", "last_seen")
_MANAGED = ("created_at", *_SEEN)


def write_contacts(
    work: Work,
    source: Source,
    people: Sequence[Person],
    *,
    with_stored: bool = False,
) -> list[WrittenContact]:
    """Write ``people`` from ``source`` in one statement; the answer is in their order (§2).

    A late call changes only fields that no later call gave (``sending_order``). If the source
    creates no contacts, unknown people are left out of the answer. One that finds contacts by
    address locks the addresses first (``address_locks``). Raises ``LostRace`` when a contact found
    by address changed meanwhile: the transaction is run again.
    """
    members = [Member(work.org, each) for each in people]
    calls = _calls(source, work.org, members, work.now, with_stored=with_stored, as_known=False)
    *_, rows = [call.rows(work.connection) for call in calls]
    if source.creates and len(rows) < len(people):
        raise LostRace
    return read_written(rows, with_stored=with_stored)


class Member(NamedTuple):
    """A person of an organisation.

    If it is given as it is known, nothing is written once it has changed, or after
    ``proven_until``, in seconds since 1970.
    """

    org: Organization
    person: Person
    proven_until: float = math.inf


def may_go_together(org: Organization, custom: Collection[str]) -> bool:
    """Return whether people with these ``custom`` fields may be written with people of other
    organisations: nothing is to be registered, no suppression to be restored, no list to be joined.
    """
    if org.address_key is not None or org.has_default_lists:
        return False
    return org.known_fields.issuperset(custom)


def writing(
    source: Source,
    members: Sequence[Member],
    now: datetime | None,
    *,
    with_stored: bool = False,
) -> list[BoundStatement]:
    """Return the statements that write people of organisations as they are known;
    ``read_written`` reads the rows of the last one.

    If they are of several, ``may_go_together`` holds for each. Without ``now`` the statements read
    the database's clock. If the source creates contacts, a person without a row has lost a race,
    or the organisation has changed.
    """
    org = members[0].org
    return _calls(source, org, members, now, with_stored=with_stored, as_known=True)


def _calls(
    source: Source,
    org: Organization,
    members: Sequence[Member],
    now: datetime | None,
    *,
    with_stored: bool,
    as_known: bool,
) -> list[BoundStatement]:
    """``org`` is that of all members, unless they ``may_go_together``: then it is not asked for."""
    registers = any(are_unsure(each.org, each.person.custom) for each in members)
    values: dict[str, Any] = {
        "org_id": org.id,
        "now": now,
        "given_rows": [
            _as_json(ordinal, member, registers=registers, as_known=as_known)
            for ordinal, member in enumerate(members)
        ],
    }
    if org.address_key is not None:
        values |= hash_parameters(org.address_key)
    statement = _statement(
        source,
        with_stored,
        with_hashes=org.address_key is not None,
        with_lists=source.creates and org.has_default_lists,
        as_known=as_known,
        registers=registers,
        dated=any(each.person.sent_at is not None for each in members),
    )
    emails = [
        (each.org.id, each.person.columns.get("email"))
        for each in members
        if source.finds in BY_ADDRESS
    ]
    return [*holding_addresses(emails), BoundStatement(statement, values)]


def _as_json(ordinal: int, member: Member, *, registers: bool, as_known: bool) -> dict[str, object]:
    org, person, until = member
    row = as_json(ordinal, person)
    if registers:
        row["field_types"] = seen_types({**person.custom, **person.registered_by}, org.zone)
    if as_known:
        row["org_id"] = str(org.id)
        row["org_version"] = org.version
        row["proven_until"] = until if math.isfinite(until) else None
    return row


@prepared(
    "write_contacts",
    source=IDENTIFY,
    with_stored=False,
    with_hashes=False,
    with_lists=False,
    as_known=True,
    registers=True,
    dated=False,
)
def _statement(
    source: Source,
    with_stored: bool,
    *,
    with_hashes: bool,
    with_lists: bool,
    as_known: bool,
    registers: bool,
    dated: bool,
) -> Select[Any]:
    """Build the statement.

    ``with_hashes`` it restores suppressions of erased addresses; ``with_lists`` new contacts join
    the default lists; if it ``registers``, it registers new custom fields.
    """
    merged = merged_contacts(source, as_known=as_known, dated=dated)
    fresh = merged.c.fresh
    before = part(fresh, "updated_at")
    updated_at = case((_writes(source, merged), written_now(before)), else_=before)
    rest = ("external_id", "last_contacted_at", *(STORED if with_stored else ()))
    upserted = _upserted(source, merged)
    beside = [upserted, _signaled(source, merged)]
    if with_hashes:
        beside += suppress_again(upserted)
    if with_lists:
        beside.append(_joined_lists(merged))
    left_out: ColumnElement[Any] = null()
    if registers:
        registration = _registration(source, merged)
        beside += registration.ctes
        left_out = registration.left_out
    said = ("ordinal", "id", "created", "promoted", "changed", "oversize")
    answer: Select[Any] = (
        select(
            *[merged.c[name] for name in said],
            left_out.label("left_out"),
            *[merged.c[name] for name in _MANAGED],
            updated_at.label("updated_at"),
            *[part(fresh, name).label(name) for name in rest],
        )
        .order_by(merged.c.ordinal)
        .add_cte(*beside)
    )
    return answer


def _writes(source: Source, merged: CTE) -> ColumnElement[bool]:
    """Return whether the contact's row is written at all."""
    fits = merged.c.oversize.is_(None)
    if source.bumps_last_seen:
        return fits
    changed = func.cardinality(merged.c.changed) > 0
    return and_(fits, or_(merged.c.created, changed, merged.c.rest_changed))


def _upserted(source: Source, merged: CTE) -> CTE:
    laid_over = ("external_id", *source.columns, *source.links, *DOCUMENTS, FIELD_TIMES)
    rows = (
        select(
            merged.c.org_id,
            literal(source.name),
            written_now(part(merged.c.fresh, "updated_at")),
            merged.c.id,
            *[merged.c[name] for name in _MANAGED],
            *[part(merged.c.fresh, name) for name in laid_over],
        )
        .where(_writes(source, merged))
        .order_by(merged.c.id)
    )
    columns = ["org_id", "source", "updated_at", "id", *_MANAGED, *laid_over]
    writing = insert(end_users).from_select(columns, rows, include_defaults=False)
    overwritten = ["external_id", *source.merges, *source.links, "updated_at", *_SEEN]
    if source.notes_order:
        overwritten.append(FIELD_TIMES)
    upserting = writing.on_conflict_do_update(
        index_elements=["org_id", "id"],
        set_={name: writing.excluded[name] for name in overwritten},
    )
    return upserting.returning(end_users.c.address).cte("upserted")


def _joined_lists(merged: CTE) -> CTE:
    """Put each contact that is created on the organisation's default lists (contract §16)."""
    lists = subscriptions
    is_theirs = and_(lists.c.org_id == merged.c.org_id, lists.c.is_default)
    rows = (
        select(merged.c.org_id, merged.c.id, lists.c.id, NOW)
        .select_from(merged.join(lists, is_theirs))
        .where(merged.c.created, merged.c.oversize.is_(None))
        .order_by(merged.c.id, lists.c.id)
    )
    columns = ["org_id", "end_user_id", "subscription_id", "subscribed_at"]
    return insert(subscription_members).from_select(columns, rows).cte("joined_lists")


def _signaled(source: Source, merged: CTE) -> CTE:
    """Write a signal for each change, in the order given; its kind is the source's."""
    kind = case(
        (merged.c.created, constant(source.on_created)),
        (merged.c.promoted, constant(source.on_promoted)),
        else_=constant(source.on_changed),
    )
    changed: ColumnElement[Any] = merged.c.changed
    if source.on_created is SignalKind.CREATED:
        news = [constant(EVERYTHING)] if source.created_is_changed else []
        changed = case((merged.c.created, array(news, type_=Text)), else_=changed)
    rows = (
        select(merged.c.org_id, kind, merged.c.id, changed, NOW, NOW)
        .where(
            merged.c.oversize.is_(None),
            or_(merged.c.created, func.cardinality(merged.c.changed) > 0),
        )
        .order_by(merged.c.ordinal)
    )
    # The id is the table's own default, made row by row in this order.
    columns = ["org_id", "kind", "end_user_id", "changed", "happened_at", "created_at"]
    return insert(signals).from_select(columns, rows, include_defaults=False).cte("signaled")


def _registration(source: Source, merged: CTE) -> Registration:
    """Register the custom fields of the contacts that were written with them."""
    written = select(merged).where(merged.c.oversize.is_(None))
    if "custom_fields" not in source.merges:
        written = written.where(merged.c.created)
    return register_fields(Entity.CONTACT, written.subquery("written"))
