"""What an organisation's filters can name beside columns: custom fields, and events (§2, §3)."""

from uuid import UUID

from sqlalchemy import Connection, func, select

from halo_engine.tables import audience_fields, event_counts

#: Of names that never end (with an ID in each, say), those that fire most.
MOST_EVENTS = 1_000
_PREFIXES = {"contact": "custom:", "company": "company.custom:"}


def registered_fields(connection: Connection, org_id: UUID) -> dict[str, str]:
    """Return the custom fields that were ever seen, by name, each with the type seen first."""
    table = audience_fields
    rows = connection.execute(
        select(table.c.entity, table.c.key, table.c.type).where(table.c.org_id == org_id)
    )
    return {f"{_PREFIXES[row.entity]}{row.key}": row.type for row in rows}


def event_names(connection: Connection, org_id: UUID) -> list[str]:
    """Return the names of the events that ever fired for a contact, most frequent first."""
    counts = event_counts
    return list(
        connection.scalars(
            select(counts.c.name)
            .where(counts.c.org_id == org_id)
            .group_by(counts.c.name)
            .order_by(func.sum(counts.c.count).desc(), counts.c.name)
            .limit(MOST_EVENTS)
        )
    )
