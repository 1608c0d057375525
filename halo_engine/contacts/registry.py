"""The registry of custom fields: what pickers offer, with the type that was seen (contract §2)."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from sqlalchemy import CTE, FromClause, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import distinct_on, insert

from halo_engine.contacts.parameters import NOW, ORG_ID
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields import Entity
from halo_engine.domain.instants import parse_instant
from halo_engine.tables import audience_fields


def seen_types(custom: Mapping[str, object], zone: ZoneInfo) -> dict[str, str]:
    """Return the type of each custom field as the registry words it; ISO 8601 text is a date."""
    return {name: _seen_type(value, zone) for name, value in custom.items()}


def register_fields(entity: Entity, written: FromClause) -> CTE:
    """Register the ``field_types`` of ``written``: the CTE to add to the statement that wrote them.

    A field keeps the type that it was first seen with; only one seen as null so far learns its own.
    """
    types = func.jsonb_each_text(written.c.field_types).table_valued("key", "value", name="each")
    seen = (
        select(types.c.key, types.c.value.label("type"))
        .ext(distinct_on(types.c.key))
        .select_from(written.join(types, literal(True)))
        .order_by(types.c.key, types.c.value == "null", written.c.place)
        .cte("seen_fields")
    )
    table = audience_fields
    # Known fields are passed over here: a conflict would lock the row for everybody's next call.
    is_known = exists().where(
        table.c.org_id == ORG_ID,
        table.c.entity == literal(entity.value),
        table.c.key == seen.c.key,
        or_(table.c.type != "null", seen.c.type == "null"),
    )
    new = insert(table).from_select(
        ["org_id", "entity", "key", "type", "first_seen_at"],
        select(ORG_ID, literal(entity.value), seen.c.key, seen.c.type, NOW)
        .where(~is_known)
        .order_by(seen.c.key),
    )
    return (
        new.on_conflict_do_update(
            index_elements=["org_id", "entity", "key"],
            set_={"type": new.excluded.type},
            where=table.c.type == "null",
        )
        .returning(table.c.key)
        .cte("registered")
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
