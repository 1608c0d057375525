"""The reading half of the statement that writes contacts: find, lock, merge, compare (§2)."""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    case,
    cast,
    column,
    exists,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, array
from sqlalchemy.sql.selectable import LateralFromClause

from halo_engine.contacts.bounds import oversize
from halo_engine.contacts.doors import BY_ADDRESS, DOCUMENTS, FIELD_TIMES, Door, Finds, field_key
from halo_engine.contacts.parameters import (
    KNOWN_VERSION,
    NOW,
    ORG_ID,
    PROVEN_UNTIL,
    given_rows,
)
from halo_engine.contacts.sending import Order, said_at
from halo_engine.domain.fields import CONTACT_TYPE_KEY
from halo_engine.tables import end_users, organizations
from halo_engine.tables.versions import row_version


def merged_contacts(door: Door, *, as_known: bool = False, dated: bool = False) -> CTE:
    """Return ``merged``: the given contacts, locked, one row each.

    With ``as_known`` there are no rows if the caller's cache is stale: the organisation's version
    is not ``KNOWN_VERSION``, or ``PROVEN_UNTIL`` has passed. A door that finds contacts by address
    has no row for a person whose contact was deleted or changed while this waited for its lock:
    another contact may match, which only a newer snapshot shows.

    With ``dated`` the call's sending time is known. A late call changes only what was not said
    since; with ``as_known`` it has no row, so that the caller goes the usual way.

    ``place`` is the person's index. ``fresh`` is the whole row (``part``) after the merge; beside
    it stand the columns that Halo manages. ``created`` and ``promoted`` say what becomes of the
    contact. ``changed`` holds the keys of the fields that differ from what is stored;
    ``rest_changed`` says whether the context or the door's links, which are no fields, differ.
    ``oversize`` is the size of documents that are too large: such a contact must not be written.
    """
    given = given_rows(
        {
            "place": Integer(),
            "contact_id": Uuid(),
            "external_id": Text(),
            "signed_up_at": DateTime(timezone=True),
            "columns": JSONB(),
            "custom_fields": JSONB(),
            "context": JSONB(),
            "field_types": JSONB(),
            "fields": Text(),
            "sent_at": DateTime(timezone=True),
        },
        only=_is_as_known() if as_known else None,
    )
    before = _before(door, _matched(door, given))
    stored = before.c.stored
    is_new = part(stored, "id").is_(None)
    is_still_there = or_(before.c.place.is_(None), ~is_new)
    promoted: ColumnElement[bool] = false()
    if door.promotes:
        is_lead = and_(~is_new, part(stored, "external_id").is_(None))
        promoted = and_(is_lead, given.c.external_id.is_not(None))
    order = Order(given.c.sent_at, part(stored, FIELD_TIMES), part(stored, "updated_at"))
    patch = _patch(door, given, stored, order, may_be_late=dated and not as_known)
    fresh = func.jsonb_populate_record(stored, patch).table_valued(
        *[column(each.name, each.type) for each in end_users.c], name="fresh"
    )
    seen = said = said_at(given.c.sent_at)
    if door.seen_at_signup:
        seen = func.coalesce(given.c.signed_up_at, said)
    first_seen, last_seen = part(stored, "first_seen"), part(stored, "last_seen")
    if door.bumps_last_seen:
        first_seen, last_seen = func.least(first_seen, said), func.greatest(last_seen, said)
    return (
        select(
            given.c.place,
            given.c.field_types,
            func.coalesce(part(stored, "id"), func.uuid7()).label("id"),
            fresh.table_valued().label("fresh"),
            func.coalesce(part(stored, "created_at"), NOW).label("created_at"),
            case((is_new, seen), else_=first_seen).label("first_seen"),
            case((is_new, seen), else_=last_seen).label("last_seen"),
            is_new.label("created"),
            promoted.label("promoted"),
            _changed(door, given, stored, fresh, promoted).label("changed"),
            or_(
                *[
                    fresh.c[name].is_distinct_from(part(stored, name))
                    for name in ("context", *door.links)
                ]
            ).label("rest_changed"),
            _oversize(door, fresh, stored).label("oversize"),
        )
        .select_from(
            given.join(before, before.c.place == given.c.place, isouter=door.creates).join(
                fresh, true()
            )
        )
        .where(is_still_there if door.finds in BY_ADDRESS else true())
        .where(~order.is_late if dated and as_known else true())
        # Ids are made in this order: of contacts created together, the first given is the first.
        .order_by(given.c.place)
        .cte("merged")
    )


def part(row: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    """Return a column of ``row``, which is a contact's whole row carried as one value."""
    return literal_column(f"({row}).{name}", end_users.c[name].type)


def constant(text: str) -> ColumnElement[str]:
    """Return a name of ours, never of a caller's, as text in the statement."""
    return literal_column(f"'{text}'", Text)


def _is_as_known() -> ColumnElement[bool]:
    is_known = row_version(organizations) == KNOWN_VERSION
    is_proven = func.extract("epoch", NOW) < PROVEN_UNTIL
    return and_(exists().where(organizations.c.id == ORG_ID, is_known), is_proven)


def _matched(door: Door, given: CTE) -> CTE:
    """Return each person's contact, in order of id; with ``address`` if it was found by that."""
    known = end_users.alias("known")
    key = (
        known.c.id == given.c.contact_id
        if door.finds is Finds.ID
        else known.c.external_id == given.c.external_id
    )
    found = first_of(
        select(known.c.id, null().label("address")).where(known.c.org_id == ORG_ID, key)
    )
    if door.finds in (Finds.ID, Finds.EXTERNAL_ID):
        return (
            select(given.c.place, found.c.id, found.c.address)
            .select_from(given.join(found, true()))
            .order_by(found.c.id)
            .cte("matched")
        )
    first = _first_of_address(door, given, is_unknown=found.c.id.is_(None))
    contact_id = func.coalesce(found.c.id, first.c.id)
    return (
        select(given.c.place, contact_id.label("id"), first.c.address)
        .select_from(given.outerjoin(found, true()).outerjoin(first, true()))
        .where(contact_id.is_not(None))
        .order_by(contact_id)
        .cte("matched")
    )


def _first_of_address(
    door: Door, given: CTE, *, is_unknown: ColumnElement[bool]
) -> LateralFromClause:
    namesake = end_users.alias("namesake")
    found = select(namesake.c.id, namesake.c.address).where(
        is_unknown,
        namesake.c.org_id == ORG_ID,
        namesake.c.address == func.lower(given.c.columns[constant("email")].astext),
    )
    if door.finds is Finds.EXTERNAL_ID_ELSE_LEAD:
        found = found.where(namesake.c.external_id.is_(None))
    return first_of(found.order_by(namesake.c.created_at, namesake.c.id))


def first_of(found: Select[Any]) -> LateralFromClause:
    """Return the first row found, for each row of the join.

    Each is an index look-up of its own, so that no plan made for a small table reads all of it.
    """
    return found.limit(literal_column("1", Integer)).lateral()


def _before(door: Door, matched: CTE) -> CTE:
    """Lock the contacts found, in order of id, and read their latest version as whole rows.

    A contact may change while this waits for its lock: the lead is promoted, or gets another
    address. The row of a contact found by address is null then.
    """
    contact = end_users.alias("contact")
    is_still_it = contact.c.address == matched.c.address
    if door.finds is Finds.EXTERNAL_ID_ELSE_LEAD:
        is_still_it = and_(is_still_it, contact.c.external_id.is_(None))
    locked = (
        select(contact.table_valued().label("stored"))
        .where(
            contact.c.org_id == ORG_ID,
            contact.c.id == matched.c.id,
            or_(matched.c.address.is_(None), is_still_it),
        )
        .with_for_update()
        .lateral("locked")
    )
    return (
        select(matched.c.place, locked.c.stored)
        .select_from(matched.join(locked, true(), isouter=door.finds in BY_ADDRESS))
        .cte("before")
    )


def _patch(
    door: Door, given: CTE, stored: ColumnElement[Any], order: Order, *, may_be_late: bool
) -> ColumnElement[Any]:
    """Return what is written over the stored row: a given key overwrites, a missing one stays."""
    is_new = part(stored, "id").is_(None)
    taken: dict[str, ColumnElement[Any]] = {name: given.c[name] for name in ("columns", *DOCUMENTS)}
    if may_be_late and door.notes_order:
        known = {name: part(stored, name) for name in DOCUMENTS}
        known["columns"] = func.jsonb_strip_nulls(func.to_jsonb(stored))
        taken = {name: order.taken(name, each, stored=known[name]) for name, each in taken.items()}
    columns = taken["columns"]
    kept = [name for name in door.columns if name not in door.merges]
    if kept:
        names: array[Any] = array([constant(name) for name in kept])
        columns = case((is_new, columns), else_=columns.op("-")(names))
    documents = []
    for name in DOCUMENTS:
        before = part(stored, name)
        laid_over = before.concat(taken[name]) if name in door.merges else before
        documents += [constant(name), func.coalesce(laid_over, given.c[name])]
    external_id: ColumnElement[Any] = func.coalesce(
        part(stored, "external_id"), given.c.external_id
    )
    if not door.promotes:
        external_id = case((is_new, given.c.external_id), else_=part(stored, "external_id"))
    times = order.noting(given.c.fields)
    if not door.notes_order:
        times = case((is_new, times), else_=order.noted)
    managed = [constant("external_id"), external_id, constant(FIELD_TIMES), times]
    return columns.concat(func.jsonb_build_object(*documents, *managed))


def _oversize(
    door: Door, fresh: TableValuedAlias, stored: ColumnElement[Any]
) -> ColumnElement[int | None]:
    if not set(DOCUMENTS) & set(door.merges):
        return cast(null(), Integer)
    return oversize(
        [fresh.c[name] for name in DOCUMENTS], [part(stored, name) for name in DOCUMENTS]
    )


def _changed(
    door: Door,
    given: CTE,
    stored: ColumnElement[Any],
    fresh: TableValuedAlias,
    promoted: ColumnElement[bool],
) -> ColumnElement[Any]:
    """Return the keys (``domain.fields``) of what differs from what is stored: an array."""
    keys: list[ColumnElement[str | None]] = [
        case((fresh.c[name].is_distinct_from(part(stored, name)), constant(field_key(name))))
        for name in door.columns
    ]
    if door.promotes:
        keys += [case((promoted, constant(key))) for key in ("external_id", CONTACT_TYPE_KEY)]
    each = func.jsonb_each(given.c.custom_fields).table_valued("key", "value", name="each")
    custom = select(
        func.coalesce(func.array_agg(constant("custom:").concat(each.c.key)), array([], type_=Text))
    ).where(
        fresh.c.custom_fields[each.c.key].is_distinct_from(
            part(stored, "custom_fields")[each.c.key]
        )
    )
    changed: array[Any] = array(keys, type_=Text)
    return func.array_remove(changed, null()).concat(custom.scalar_subquery())
