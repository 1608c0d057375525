"""The reading half of the statement that writes contacts: find, lock, lay over, compare (§2)."""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    case,
    column,
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

from halo_engine.contacts.doors import DOCUMENTS, Door, Finds, field_key
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows
from halo_engine.domain.fields import CONTACT_TYPE_KEY
from halo_engine.tables import end_users

MANAGED = ("created_at", "updated_at", "first_seen", "last_seen", "last_contacted_at")


def merged_contacts(door: Door) -> CTE:
    """Return ``merged``: the given contacts as they are to be, locked, one row each.

    ``place`` is the person's index; ``created`` and ``promoted`` say what becomes of it;
    ``changed`` holds the keys of the fields that differ from what is stored, and
    ``context_changed`` is about the context, which is no field.
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
        }
    )
    laid = _laid_over(door, given, _before(door, _matched(door, given)))
    is_new = laid.c.stored_id.is_(None)
    seen = func.coalesce(laid.c.given_signed_up_at, NOW) if door.seen_at_signup else NOW
    last_seen = NOW if door.bumps_last_seen else laid.c.last_seen
    return (
        select(
            laid.c.place,
            func.coalesce(laid.c.stored_id, func.uuid7()).label("id"),
            laid.c.external_id,
            *[laid.c[name] for name in (*door.columns, *DOCUMENTS)],
            is_new.label("created"),
            laid.c.promoted,
            _changed(door, laid).label("changed"),
            laid.c.context.is_distinct_from(laid.c.stored_context).label("context_changed"),
            func.coalesce(laid.c.created_at, NOW).label("created_at"),
            func.coalesce(laid.c.updated_at, NOW).label("updated_at"),
            case((is_new, seen), else_=laid.c.first_seen).label("first_seen"),
            case((is_new, seen), else_=last_seen).label("last_seen"),
            laid.c.last_contacted_at,
            laid.c.field_types,
        )
        # Ids are made in this order: of contacts created together, the first given is the first.
        .order_by(laid.c.place)
        .cte("merged")
    )


def constant(text: str) -> ColumnElement[str]:
    """Return a name of ours, never of a caller's, as text in the statement."""
    return literal_column(f"'{text}'", Text)


def _matched(door: Door, given: CTE) -> CTE:
    """Return whom each person is, in order of id; with ``address`` if it was found by that."""
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
    """Return the first row found for each row joined.

    That is a look into an index, also where a plan made for a small table outlives its smallness.
    """
    return found.limit(literal_column("1", Integer)).lateral()


def _before(door: Door, matched: CTE) -> CTE:
    """Lock the contacts found, in order of id, and read their latest version.

    A contact that was waited for may no longer be whom we looked for: a lead promoted meanwhile,
    an address changed.
    """
    stored = end_users.alias("stored")
    is_still_it = stored.c.address == matched.c.address
    if door.finds is Finds.EXTERNAL_ID_ELSE_LEAD:
        is_still_it = and_(is_still_it, stored.c.external_id.is_(None))
    names = ("id", "external_id", *door.columns, *DOCUMENTS, *MANAGED)
    locked = (
        select(*[stored.c[name] for name in names])
        .where(
            stored.c.org_id == ORG_ID,
            stored.c.id == matched.c.id,
            or_(matched.c.address.is_(None), is_still_it),
        )
        .with_for_update()
        .lateral("locked")
    )
    return (
        select(matched.c.place, *locked.c).select_from(matched.join(locked, true())).cte("before")
    )


def _laid_over(door: Door, given: CTE, before: CTE) -> CTE:
    """Lay what is given over what is stored: a key given overwrites, a missing one stays.

    ``stored_*`` is what was there before, NULL throughout for a new contact.
    """
    typed = (
        func.jsonb_to_record(given.c.columns)
        .table_valued(*[column(name, end_users.c[name].type) for name in door.columns])
        .render_derived(name="typed", with_types=True)
    )
    is_new = before.c.id.is_(None)
    promoted: ColumnElement[bool] = false()
    if door.promotes:
        is_lead = and_(before.c.id.is_not(None), before.c.external_id.is_(None))
        promoted = and_(is_lead, given.c.external_id.is_not(None))
    external_id = case((or_(is_new, promoted), given.c.external_id), else_=before.c.external_id)

    def value(name: str) -> ColumnElement[Any]:
        if name in DOCUMENTS:
            joined = before.c[name].concat(given.c[name]) if name in door.merges else before.c[name]
            return func.coalesce(joined, given.c[name])
        is_given = given.c.columns.has_key(constant(name))
        is_taken = is_given if name in door.merges else and_(is_given, is_new)
        return case((is_taken, typed.c[name]), else_=before.c[name])

    names = (*door.columns, *DOCUMENTS)
    return (
        select(
            given.c.place,
            given.c.field_types,
            given.c.custom_fields.label("given_custom_fields"),
            given.c.signed_up_at.label("given_signed_up_at"),
            external_id.label("external_id"),
            promoted.label("promoted"),
            *[value(name).label(name) for name in names],
            *[before.c[name].label(f"stored_{name}") for name in ("id", *names)],
            *[before.c[name] for name in MANAGED],
        )
        .select_from(
            given.join(typed, true()).join(
                before, before.c.place == given.c.place, isouter=door.creates
            )
        )
        .cte("laid")
    )


def _changed(door: Door, laid: CTE) -> ColumnElement[Any]:
    """Return the keys (``domain.fields``) of what differs from what is stored: an array."""
    keys: list[ColumnElement[str | None]] = [
        case((laid.c[name].is_distinct_from(laid.c[f"stored_{name}"]), constant(field_key(name))))
        for name in door.columns
    ]
    keys += [case((laid.c.promoted, constant(key))) for key in ("external_id", CONTACT_TYPE_KEY)]
    each = func.jsonb_each(laid.c.given_custom_fields).table_valued("key", "value", name="each")
    custom = select(
        func.coalesce(func.array_agg(constant("custom:").concat(each.c.key)), array([], type_=Text))
    ).where(
        laid.c.custom_fields[each.c.key].is_distinct_from(laid.c.stored_custom_fields[each.c.key])
    )
    changed: array[Any] = array(keys, type_=Text)
    return func.array_remove(changed, null()).concat(custom.scalar_subquery())
