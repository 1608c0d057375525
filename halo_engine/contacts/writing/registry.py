"""The registry of custom fields: pickers offer them, with the type first seen (contract §2)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on, insert

from halo_engine.contacts.parameters import NOW, ORG_ID
from halo_engine.contacts.writing.found import first_of
from halo_engine.domain.errors import Refusal, shown
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.times.instants import parse_instant
from halo_engine.tables import audience_field_counts, audience_fields
from halo_engine.work import Organization

#: How many custom fields an organisation registers, of contacts and companies together.
MOST_FIELDS: Final = 5_000
#: How many registered fields a process caches for each organisation.
_MOST_KNOWN: Final = 1_000
#: How many fields a warning names: as many as one call can hold.
_MOST_NAMED: Final = 2_500


class Registration(NamedTuple):
    """CTEs that register fields, to add to a statement, and an array of the fields left out."""

    ctes: tuple[CTE, ...]
    left_out: ColumnElement[Sequence[str] | None]


def seen_types(custom: Mapping[str, object], zone: ZoneInfo) -> dict[str, str]:
    """Return the registry's type of each custom field; ISO 8601 text is a date."""
    return {name: _seen_type(value, zone) for name, value in custom.items()}


def register_fields(entity: Entity, written: FromClause) -> Registration:
    """Register the ``field_types`` of ``written`` in the statement that wrote them.

    A field keeps the type that it was first seen with; one that has only been null takes its type
    now. Once ``MOST_FIELDS`` are registered, a new one is left out. A call without a new field only
    looks up its own fields.
    """
    unsettled = _unsettled(entity, written)
    room = _room(unsettled)
    fits = unsettled.c.rank <= room
    table = audience_fields
    new = insert(table).from_select(
        ["org_id", "entity", "key", "type", "first_seen_at"],
        select(ORG_ID, literal(entity.value), unsettled.c.key, unsettled.c.type, NOW)
        .where(or_(~unsettled.c.is_new, fits))
        .order_by(unsettled.c.key),
    )
    registered = (
        new.on_conflict_do_update(
            index_elements=["org_id", "entity", "key"],
            set_={"type": new.excluded.type},
            where=table.c.type == "null",
        )
        .returning(table.c.key)
        .cte("registered")
    )
    left_out = func.array_agg(aggregate_order_by(unsettled.c.key, unsettled.c.key))
    return Registration(
        (registered, *_counted(unsettled, registered)),
        select(left_out).where(unsettled.c.is_new, ~fits).scalar_subquery(),
    )


def are_unsure(org: Organization, custom: Mapping[str, object]) -> bool:
    """Return whether some of a contact's custom fields are not known to be registered."""
    return not custom.keys() <= org.known_fields


def note_registered(
    org: Organization, custom: Mapping[str, object], left_out: Sequence[str] | None
) -> None:
    """Cache that a contact's custom fields are registered, once that is committed.

    Later calls need not look them up: a registered field stays registered. A field that is null or
    ``left_out`` is not cached: it may still get a type, or be registered.
    """
    if len(org.known_fields) < _MOST_KNOWN and are_unsure(org, custom):
        org.known_fields.update(
            name
            for name, value in custom.items()
            if value is not None and name not in (left_out or ())
        )


def left_out_of(
    custom: Mapping[str, object], left_out: Sequence[str] | None
) -> Sequence[str] | None:
    """Return which of one call's custom fields are among those of its set that were left out."""
    return left_out and [name for name in left_out if name in custom]


def not_registered(names: Sequence[str] | None, prefix: str = "custom:") -> tuple[str, ...]:
    """Return the warning about fields that were left out, if there are any."""
    if not names:
        return ()
    named = ", ".join(shown(f"{prefix}{name}") for name in names[:_MOST_NAMED])
    rest = len(names) - _MOST_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return (
        f"{named}{more}: kept, but not registered; an organisation registers {MOST_FIELDS} fields",
    )


def _unsettled(entity: Entity, written: FromClause) -> CTE:
    """Return the fields seen that are not registered, or are registered without a type.

    ``rank`` numbers the new ones in the order of the calls. Registered fields are left out here,
    since an upsert would lock their rows against other calls.
    """
    types = func.jsonb_each_text(written.c.field_types).table_valued("key", "value", name="each")
    seen = (
        select(
            types.c.key,
            types.c.value.label("type"),
            func.min(written.c.ordinal).over(partition_by=types.c.key).label("ordinal"),
        )
        .ext(distinct_on(types.c.key))
        .select_from(written.join(types, literal(True)))
        .order_by(types.c.key, types.c.value == "null", written.c.ordinal)
        .cte("seen_fields")
    )
    table = audience_fields
    # Looked up one by one, so that no plan reads the whole registry.
    known = first_of(
        select(table.c.type).where(
            table.c.org_id == ORG_ID,
            table.c.entity == literal(entity.value),
            table.c.key == seen.c.key,
        )
    )
    by_call = [seen.c.ordinal, seen.c.key]
    is_new = known.c.type.is_(None)
    learns_type = and_(known.c.type == "null", seen.c.type != "null")
    return (
        select(
            seen.c.key,
            seen.c.type,
            is_new.label("is_new"),
            func.count().filter(is_new).over(order_by=by_call).label("rank"),
        )
        .select_from(seen.outerjoin(known, true()))
        .where(or_(is_new, learns_type))
        .cte("unsettled_fields")
    )


def _room(unsettled: CTE) -> ColumnElement[Any]:
    """Return how many more fields may be registered, by the count.

    A call with new fields locks the count until the commit, unless the registry is full; so two
    calls at once cannot both take the same room.
    """
    count = select(audience_field_counts.c.registered).where(
        audience_field_counts.c.org_id == ORG_ID
    )
    seen = func.coalesce(count.scalar_subquery(), 0)
    asks = first_of(select(unsettled.c.key).where(unsettled.c.is_new, seen < MOST_FIELDS))
    # No condition on the count itself: after the wait for the lock its latest value must be read.
    locked = count.with_for_update().lateral("locked")
    latest = select(locked.c.registered).select_from(asks.join(locked, true())).cte("room")
    return literal(MOST_FIELDS) - func.coalesce(select(latest.c.registered).scalar_subquery(), seen)


def _counted(unsettled: CTE, registered: CTE) -> tuple[CTE, CTE]:
    """Count the new fields that were registered: the first ones with a new row.

    Without a row there was nothing to lock. Of calls that race for an organisation's first fields
    one makes the row; the others fail by its key, run again (``database.run_in_transaction``) and
    find it.
    """
    table = audience_field_counts
    newly = (
        select(func.count().label("number"))
        .select_from(registered.join(unsettled, unsettled.c.key == registered.c.key))
        .where(unsettled.c.is_new)
        .cte("newly_registered")
    )
    is_first = ~exists().where(table.c.org_id == ORG_ID)
    rows = select(ORG_ID, newly.c.number).where(newly.c.number > 0, is_first)
    number = select(newly.c.number).scalar_subquery()
    counting = (
        update(table)
        .where(table.c.org_id == ORG_ID, number > 0)
        .values(registered=table.c.registered + number)
    )
    return (
        insert(table).from_select(["org_id", "registered"], rows).cte("first_counted"),
        counting.cte("counted_fields"),
    )


def _seen_type(value: object, zone: ZoneInfo) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "date" if _is_date(value, zone) else "string"
        case list():
            return "array"
        case _:
            return "object"


def _is_date(text: str, zone: ZoneInfo) -> bool:
    try:
        parse_instant(text, zone)
    except Refusal:
        return False
    return True
