"""The reading half of the statement that writes contacts: merge what was found, compare (§2)."""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    TableValuedAlias,
    Text,
    and_,
    case,
    cast,
    column,
    false,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import array

from halo_engine.contacts.parameters import NOW, ORG_ID
from halo_engine.contacts.sending_order import SendingOrder, said_at
from halo_engine.contacts.writing.bounds import oversize
from halo_engine.contacts.writing.found import constant, given_people, locked_before, part
from halo_engine.contacts.writing.sources import (
    BY_ADDRESS,
    DOCUMENTS,
    FIELD_TIMES,
    Source,
    field_key,
)
from halo_engine.domain.fields.catalogue import CONTACT_TYPE_KEY
from halo_engine.tables import end_users


def merged_contacts(source: Source, *, as_known: bool = False, dated: bool = False) -> CTE:
    """Return ``merged``: the given contacts, locked, one row each.

    With ``as_known`` each person is given with an organisation, as the caller knows it: there is no
    row if that is stale, because the organisation's version is not ``org_version``, or
    ``proven_until`` has passed. A source that finds by address has no row for a person whose
    contact was deleted or changed while this waited for its lock: another contact may match, which
    only a newer snapshot shows.

    With ``dated`` the call's sending time is known. A late call changes only fields that no later
    call gave; with ``as_known`` it has no row, so that the caller goes the usual way.

    ``ordinal`` is the person's index. ``fresh`` is the whole row (``part``) after the merge; the
    columns that Halo manages come beside it. ``created`` and ``promoted`` say what becomes of the
    contact. ``changed`` holds the keys of the fields that differ from what is stored;
    ``rest_changed`` says whether the context or the source's links, which are no fields, differ.
    ``oversize`` is the size of documents that are too large: such a contact must not be written.
    """
    given = given_people(as_known=as_known)
    org_id = given.c.org_id if as_known else ORG_ID
    locked = locked_before(source, given, org_id)
    stored = locked.c.stored
    is_new = part(stored, "id").is_(None)
    is_still_there = or_(locked.c.ordinal.is_(None), ~is_new)
    promoted = _promoted(source, given, stored)
    order = SendingOrder(given.c.sent_at, part(stored, FIELD_TIMES), part(stored, "updated_at"))
    patch = _patch(source, given, stored, order, may_be_late=dated and not as_known)
    fresh = func.jsonb_populate_record(stored, patch).table_valued(
        *[column(each.name, each.type) for each in end_users.c], name="fresh"
    )
    first_seen, last_seen = _seen(source, given, stored)
    return (
        select(
            given.c.ordinal,
            org_id.label("org_id"),
            given.c.field_types,
            func.coalesce(part(stored, "id"), func.uuid7()).label("id"),
            fresh.table_valued().label("fresh"),
            func.coalesce(part(stored, "created_at"), NOW).label("created_at"),
            first_seen.label("first_seen"),
            last_seen.label("last_seen"),
            is_new.label("created"),
            promoted.label("promoted"),
            _changed(source, given, stored, fresh, promoted).label("changed"),
            _rest_changed(source, fresh, stored).label("rest_changed"),
            _oversize(source, fresh, stored).label("oversize"),
        )
        .select_from(
            given.join(locked, locked.c.ordinal == given.c.ordinal, isouter=source.creates).join(
                fresh, true()
            )
        )
        .where(is_still_there if source.finds in BY_ADDRESS else true())
        .where(~order.is_late if dated and as_known else true())
        # Ids are made in this order, so contacts that are created together are ordered as given.
        .order_by(given.c.ordinal)
        .cte("merged")
    )


def _promoted(source: Source, given: CTE, stored: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether a lead becomes the user of the given external ID."""
    if not source.promotes:
        return false()
    is_lead = and_(part(stored, "id").is_not(None), part(stored, "external_id").is_(None))
    return and_(is_lead, given.c.external_id.is_not(None))


def _seen(
    source: Source, given: CTE, stored: ColumnElement[Any]
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return when the contact was first and last seen: a new one at the call, or at its sign-up."""
    seen = said = said_at(given.c.sent_at)
    if source.seen_at_signup:
        seen = func.coalesce(given.c.signed_up_at, said)
    first_seen, last_seen = part(stored, "first_seen"), part(stored, "last_seen")
    if source.bumps_last_seen:
        first_seen, last_seen = func.least(first_seen, said), func.greatest(last_seen, said)
    is_new = part(stored, "id").is_(None)
    return case((is_new, seen), else_=first_seen), case((is_new, seen), else_=last_seen)


def _patch(
    source: Source,
    given: CTE,
    stored: ColumnElement[Any],
    order: SendingOrder,
    *,
    may_be_late: bool,
) -> ColumnElement[Any]:
    """Return the values to write over the stored row; a key that is not given stays."""
    is_new = part(stored, "id").is_(None)
    taken: dict[str, ColumnElement[Any]] = {name: given.c[name] for name in ("columns", *DOCUMENTS)}
    if may_be_late and source.notes_order:
        known = {name: part(stored, name) for name in DOCUMENTS}
        known["columns"] = func.jsonb_strip_nulls(func.to_jsonb(stored))
        taken = {name: order.taken(name, each, stored=known[name]) for name, each in taken.items()}
    columns = taken["columns"]
    kept = [name for name in source.columns if name not in source.merges]
    if kept:
        names: array[Any] = array([constant(name) for name in kept])
        columns = case((is_new, columns), else_=columns.op("-")(names))
    documents = []
    for name in DOCUMENTS:
        before = part(stored, name)
        laid_over = before.concat(taken[name]) if name in source.merges else before
        documents += [constant(name), func.coalesce(laid_over, given.c[name])]
    external_id: ColumnElement[Any] = func.coalesce(
        part(stored, "external_id"), given.c.external_id
    )
    if not source.promotes:
        external_id = case((is_new, given.c.external_id), else_=part(stored, "external_id"))
    times = order.noting(given.c.fields)
    if not source.notes_order:
        times = case((is_new, times), else_=order.noted)
    managed = [constant("external_id"), external_id, constant(FIELD_TIMES), times]
    return columns.concat(func.jsonb_build_object(*documents, *managed))


def _rest_changed(
    source: Source, fresh: TableValuedAlias, stored: ColumnElement[Any]
) -> ColumnElement[bool]:
    """Return whether the context or the source's links change, which are no fields."""
    rest = ("context", *source.links)
    return or_(*[fresh.c[name].is_distinct_from(part(stored, name)) for name in rest])


def _oversize(
    source: Source, fresh: TableValuedAlias, stored: ColumnElement[Any]
) -> ColumnElement[int | None]:
    if not set(DOCUMENTS) & set(source.merges):
        return cast(null(), Integer)
    return oversize(
        [fresh.c[name] for name in DOCUMENTS], [part(stored, name) for name in DOCUMENTS]
    )


def _changed(
    source: Source,
    given: CTE,
    stored: ColumnElement[Any],
    fresh: TableValuedAlias,
    promoted: ColumnElement[bool],
) -> ColumnElement[Any]:
    """Return an array of the keys (``domain.fields``) of the fields that change."""
    keys: list[ColumnElement[str | None]] = [
        case((fresh.c[name].is_distinct_from(part(stored, name)), constant(field_key(name))))
        for name in source.columns
    ]
    if source.promotes:
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
