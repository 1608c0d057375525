"""Planner statistics: collected after a large load, since autovacuum comes a minute too late."""

from typing import Final

from sqlalchemy import Connection, bindparam, text

from halo_engine.tables.metadata import metadata

#: Tables without statistics. Those of one page need none: they are read whole anyway.
_UNKNOWN: Final = text("""
    SELECT relname FROM pg_class
    WHERE oid = ANY(ARRAY(
            SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS named (name)))
        AND pg_relation_size(oid) > 8192
        AND NOT EXISTS (
            SELECT FROM pg_stats
            WHERE schemaname = CAST(CAST(relnamespace AS regnamespace) AS text)
                AND tablename = relname)
    ORDER BY relname
""").bindparams(bindparam("tables", list(metadata.tables)))


def analyze_unknown(connection: Connection) -> None:
    """Analyze tables that never were, before statements that read many of their rows.

    Autovacuum does it too, a minute later; until then the planner expects an organisation to have
    half a percent of a table. A table is analyzed here once in its life.
    """
    for name in connection.scalars(_UNKNOWN):
        # Do not wait for another session that is analyzing it.
        connection.execute(text(f"ANALYZE (SKIP_LOCKED) {name}"))
