"""The statement that writes contacts: upsert, changes, signals and registered fields at once (§2).

It takes a set of any size; one contact is a set of one. Contacts are locked in order of id, and
changes are written together with their signals. If two transactions create the same contact, a
unique index makes one of them fail; it is run again (``database.run_in_transaction``), and then
finds the contact.
"""

from typing import Any

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

from halo_engine.contacts.consent.address_hashes import suppress_again
from halo_engine.contacts.parameters import NOW
from halo_engine.contacts.sending_order import written_now
from halo_engine.contacts.writing.found import constant, part
from halo_engine.contacts.writing.merge import merged_contacts
from halo_engine.contacts.writing.registry import Registration, register_fields
from halo_engine.contacts.writing.sources import DOCUMENTS, FIELD_TIMES, IDENTIFY, Source
from halo_engine.contacts.writing.written import STORED
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.series.signals import EVERYTHING, SignalKind
from halo_engine.sql.prepared import prepared
from halo_engine.tables import end_users, signals, subscription_members, subscriptions

#: The columns that Halo manages; ``merged`` has them beside the row.
_SEEN = ("first_seen", "last_seen")
_MANAGED = ("created_at", *_SEEN)


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
def upsert_statement(
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
