"""Planner statistics: collected after a large load, since autovacuum comes a minute too late."""

from typing import Final

from sqlalchemy import Connection, TextClause, bindparam, text

from halo_engine.sql.metadata import metadata
from halo_engine.sql.statements import named, statement

#: Tables without statistics. Those of one page need none: they are read whole anyway.
_UNKNOWN: Final = named(
    "find_tables_without_statistics",
    text("""
    SELECT relname FROM pg_class
    WHERE oid = ANY(ARRAY(
            SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS named (name)))
        AND pg_relation_size(oid) > 8192
        AND NOT EXISTS (
            SELECT FROM pg_stats
            WHERE schemaname = CAST(CAST(relnamespace AS regnamespace) AS text)
                AND tablename = relname)
    ORDER BY relname
""").bindparams(bindparam("tables", list(metadata.tables))),
)


def analyze_unknown(connection: Connection) -> None:
    """Analyze tables that were never analyzed, before statements that read many of their rows.

    Autovacuum does it too, a minute later; until then the planner expects an organisation to have
    half a percent of a table. A table is analyzed here once in its life.
    """
    for name in connection.scalars(_UNKNOWN):
        # Do not wait for another session that is analyzing it.
        connection.execute(_analyzing(name))


@statement("analyze_table", table="end_users")
def _analyzing(table: str) -> TextClause:
    return text(f"ANALYZE (SKIP_LOCKED) {table}")
