"""Silent signals: exits, conditions and goals react, but nobody enters (contract §2). Who joins or
leaves a list may enter what names the list, though (contract §22).
"""

from sqlalchemy import (
    CTE,
    FromClause,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, array, insert

from halo_engine.contacts.parameters import NOW, ORG_ID
from halo_engine.domain.fields.catalogue import PREFIXES, Entity
from halo_engine.domain.series.signals import SignalKind
from halo_engine.tables import signals, subscriptions


def tell(concerned: FromClause, *changed: str) -> CTE:
    """Write a silent signal for each contact: the CTE to add to the statement that changes it.

    ``concerned`` has ``ordinal`` and ``contact_id``. The signals are in the order of the ordinals,
    and of the ids, which are time-ordered.
    """
    keys = array([literal(key, Text()) for key in changed])
    kind = literal(SignalKind.SILENT.value, Text())
    rows = select(ORG_ID, kind, concerned.c.contact_id, keys, NOW, NOW).order_by(
        concerned.c.ordinal, concerned.c.contact_id
    )
    columns = ["org_id", "kind", "end_user_id", "changed", "happened_at", "created_at"]
    return (
        insert(signals)
        .from_select(columns, rows, include_defaults=False)
        .returning(signals.c.id)
        .cte("told")
    )


def tell_of_lists(concerned: FromClause, moved: FromClause, *changed: str) -> CTE:
    """Write a signal for each contact, as ``tell`` does; it is not silent for those who ``moved``.

    ``moved`` has ``end_user_id`` and ``subscription_id`` of each membership that began or ended.
    """
    of = subscriptions
    is_its = and_(of.c.org_id == ORG_ID, of.c.id == moved.c.subscription_id)
    key = literal(PREFIXES[Entity.LIST], Text()) + of.c.key
    # One group for each contact, not a join of both sides: its plan would compare all with all.
    said = union_all(
        select(concerned.c.contact_id, concerned.c.ordinal, null().label("list_key")),
        select(moved.c.end_user_id, null(), key).select_from(moved.join(of, is_its)),
    ).subquery("said")
    every, keys = (
        func.array_agg(aggregate_order_by(each, each)).filter(each.is_not(None))
        for each in (said.c.ordinal, said.c.list_key)
    )
    named = (
        select(said.c.contact_id, every.label("ordinals"), keys.label("list_keys"))
        .group_by(said.c.contact_id)
        .subquery("named_lists")
    )
    kind = case(
        (named.c.list_keys.is_(None), literal(SignalKind.SILENT.value, Text())),
        else_=literal(SignalKind.CHANGED.value, Text()),
    )
    changed_keys = func.array_cat(
        array([literal(key, Text()) for key in changed]),
        func.coalesce(named.c.list_keys, cast(array([], type_=Text()), ARRAY(Text()))),
    )
    ordinals = func.unnest(named.c.ordinals).table_valued("ordinal").render_derived()
    rows = (
        select(ORG_ID, kind, named.c.contact_id, changed_keys, NOW, NOW)
        .select_from(named.join(ordinals, true()))
        .order_by(ordinals.c.ordinal, named.c.contact_id)
    )
    columns = ["org_id", "kind", "end_user_id", "changed", "happened_at", "created_at"]
    return insert(signals).from_select(columns, rows, include_defaults=False).cte("told")
