"""The reading half of the statement that writes companies: find, lock, merge (contract §2)."""

from itertools import chain
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, array

from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows
from halo_engine.contacts.sending_order import SendingOrder, written_now
from halo_engine.contacts.writing.bounds import oversize
from halo_engine.contacts.writing.found import constant
from halo_engine.domain.fields.catalogue import MEMBERSHIP_KEY
from halo_engine.tables import companies, end_users

#: The recognised traits of a company, each a column (contract §2).
COMPANY_TRAITS: Final = (
    "name",
    "signed_up_at",
    "renewal_date",
    "renewal_status",
    "contract_term",
    "payment_terms",
    "on_contract",
    "mrr",
    "arr",
)

_OF_THE_CALL: Final = ("ordinal", "external_id", "mover_id", "left_id", "stays", "sent_at")


def merged_companies() -> CTE:
    """Return ``merged``: the companies of the given rows after the merge, locked, one row each.

    ``changed`` holds the keys of the fields that differ from what is stored; ``writes`` is false if
    no field differs. ``mover_id`` is the user named, ``left_id`` the company that the user is in;
    it ``stays`` there if it was moved after the call was sent. A row whose user is unknown is left
    out. ``oversize`` is the size of custom fields that are too large: such a company must not be
    written.
    """
    laid = _laid_over(*_found())
    is_new = laid.c.stored_id.is_(None)
    changed = _changed(laid)
    is_other = or_(is_new, func.cardinality(changed) > 0)
    return (
        select(
            *[laid.c[name] for name in (*_OF_THE_CALL, *COMPANY_TRAITS)],
            *[laid.c[name] for name in ("custom_fields", "field_types", "field_times")],
            func.coalesce(laid.c.stored_id, func.uuid7()).label("id"),
            is_new.label("created"),
            changed.label("changed"),
            is_other.label("writes"),
            func.coalesce(laid.c.created_at, NOW).label("created_at"),
            case((is_other, written_now(laid.c.updated_at)), else_=laid.c.updated_at).label(
                "updated_at"
            ),
            oversize([laid.c.custom_fields], [laid.c.stored_custom_fields]).label("oversize"),
        )
        .order_by(laid.c.ordinal)
        .cte("merged")
    )


def _found() -> tuple[CTE, CTE]:
    """Return ``sound``, the rows whose user is known, and ``before``, the companies there are.

    Both are locked, users first, each in order of id.
    """
    given = given_rows(
        {
            "ordinal": Integer(),
            "external_id": Text(),
            "user_id": Text(),
            "columns": JSONB(),
            "custom_fields": JSONB(),
            "field_types": JSONB(),
            "fields": Text(),
            "sent_at": DateTime(timezone=True),
        }
    )
    read = ("id", "external_id", "company_id", "field_times", "updated_at")
    mover = (
        select(*[end_users.c[name] for name in read])
        .where(end_users.c.org_id == ORG_ID)
        .where(end_users.c.external_id.in_(select(given.c.user_id)))
        .order_by(end_users.c.id)
        .with_for_update(key_share=True)
        .cte("mover")
    )
    order = SendingOrder(given.c.sent_at, mover.c.field_times, mover.c.updated_at)
    is_member = mover.c.company_id.is_not(None)
    stays = order.gives_way("columns", MEMBERSHIP_KEY, has_value=is_member)
    sound = (
        select(
            given,
            mover.c.id.label("mover_id"),
            mover.c.company_id.label("left_id"),
            stays.label("stays"),
        )
        .select_from(given.outerjoin(mover, mover.c.external_id == given.c.user_id))
        .where(or_(given.c.user_id.is_(None), mover.c.id.is_not(None)))
        .cte("sound")
    )
    before = (
        select(sound.c.ordinal, companies)
        .select_from(sound.join(companies, companies.c.external_id == sound.c.external_id))
        .where(companies.c.org_id == ORG_ID)
        .order_by(companies.c.id)
        .with_for_update(key_share=True, of=companies)
        .cte("before")
    )
    return sound, before


def _taken(sound: CTE, before: CTE) -> CTE:
    """Return ``sound`` with the fields that each call may write (``SendingOrder.taken``)."""
    order = SendingOrder(sound.c.sent_at, before.c.field_times, before.c.updated_at)
    named = [(constant(name), before.c[name]) for name in COMPANY_TRAITS]
    known = func.jsonb_strip_nulls(func.jsonb_build_object(*chain.from_iterable(named)))
    custom = order.taken("custom_fields", sound.c.custom_fields, stored=before.c.custom_fields)
    kept = ("ordinal", "external_id", "mover_id", "left_id", "stays", "sent_at", "field_types")
    return (
        select(
            *[sound.c[name] for name in kept],
            order.taken("columns", sound.c.columns, stored=known).label("columns"),
            custom.label("custom_fields"),
            order.noting(sound.c.fields).label("field_times"),
        )
        .select_from(sound.outerjoin(before, before.c.ordinal == sound.c.ordinal))
        .cte("taken")
        # Else PostgreSQL works these out anew wherever they are used: some forty times.
        .prefix_with("MATERIALIZED")
    )


def _laid_over(sound: CTE, before: CTE) -> CTE:
    """Merge what is given into what is stored: a given key overwrites, a missing one stays (§2)."""
    sound = _taken(sound, before)
    columns = [
        case(
            (sound.c.columns.has_key(name), _given_value(sound, name)), else_=before.c[name]
        ).label(name)
        for name in COMPANY_TRAITS
    ]
    merged_fields = before.c.custom_fields.concat(sound.c.custom_fields)
    return (
        select(
            *[sound.c[name] for name in (*_OF_THE_CALL, "field_types", "field_times")],
            sound.c.custom_fields.label("given_custom_fields"),
            *columns,
            func.coalesce(merged_fields, sound.c.custom_fields).label("custom_fields"),
            *[before.c[name].label(f"stored_{name}") for name in ("id", *COMPANY_TRAITS)],
            before.c.custom_fields.label("stored_custom_fields"),
            before.c.created_at,
            before.c.updated_at,
        )
        .select_from(sound.outerjoin(before, before.c.ordinal == sound.c.ordinal))
        .cte("laid")
    )


def _given_value(sound: CTE, name: str) -> ColumnElement[Any]:
    return cast(sound.c.columns[name].astext, companies.c[name].type)


def _changed(laid: CTE) -> ColumnElement[Any]:
    keys: list[ColumnElement[Any]] = [
        case((laid.c[name].is_distinct_from(laid.c[f"stored_{name}"]), literal(f"company.{name}")))
        for name in COMPANY_TRAITS
    ]
    keys_of = func.jsonb_object_keys(laid.c.given_custom_fields)
    each = keys_of.table_valued("key", name="each").render_derived()
    custom = func.array(
        select(literal("company.custom:").concat(each.c.key))
        .where(
            laid.c.custom_fields[each.c.key].is_distinct_from(
                laid.c.stored_custom_fields[each.c.key]
            )
        )
        .order_by(each.c.key)
        .scalar_subquery(),
        type_=ARRAY(Text()),
    )
    return func.array_remove(array[Any](keys, type_=Text()), null()).concat(custom)
