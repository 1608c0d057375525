"""What an organisation's filters can name beside columns: custom fields, and events (§2, §3)."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, func, select

from halo_engine.sql.statements import statement
from halo_engine.tables import audience_fields, event_counts

#: There may be very many names, for example with an ID in each: then the most frequent are
#: returned.
MOST_EVENTS = 1_000
_PREFIXES = {"contact": "custom:", "company": "company.custom:"}


def registered_fields(connection: Connection, org_id: UUID) -> dict[str, str]:
    """Return the custom fields that were ever seen, by name, each with the type seen first."""
    rows = connection.execute(_read_registered_fields(org_id))
    return {f"{_PREFIXES[row.entity]}{row.key}": row.type for row in rows}


@statement("read_registered_fields")
def _read_registered_fields(org_id: UUID) -> Select[Any]:
    table = audience_fields
    return select(table.c.entity, table.c.key, table.c.type).where(table.c.org_id == org_id)


def event_names(connection: Connection, org_id: UUID) -> list[str]:
    """Return the names of the events that ever fired for a contact, most frequent first."""
    return list(connection.scalars(_read_event_names(org_id)))


@statement("read_event_names")
def _read_event_names(org_id: UUID) -> Select[Any]:
    counts = event_counts
    return (
        select(counts.c.name)
        .where(counts.c.org_id == org_id)
        .group_by(counts.c.name)
        .order_by(func.sum(counts.c.count).desc(), counts.c.name)
        .limit(MOST_EVENTS)
    )
