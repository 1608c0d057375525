"""Planner statistics: collected where a table has none, or was counted before its rows came."""

from typing import Final

from sqlalchemy import Connection, TextClause, bindparam, text

from halo_engine.sql.metadata import metadata
from halo_engine.sql.statements import named, statement

#: Tables that one page of a wide signal fills, and the next one reads.
_FILLED: Final = ("automation_enrollments", "automation_recipients")
#: Tables without statistics, and filled ones that were counted while their rows were not committed
#: yet, so that nothing seems to be in them. Tables of one page need none: they are read whole.
_UNKNOWN: Final = named(
    "find_tables_without_statistics",
    text("""
    SELECT relname FROM pg_class
    WHERE oid = ANY(ARRAY(
            SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS named (name)))
        AND pg_relation_size(oid) > 8192
        AND (
            (reltuples = 0 AND relname = ANY(CAST(:filled AS text[])))
            OR NOT EXISTS (
                SELECT FROM pg_stats
                WHERE schemaname = CAST(CAST(relnamespace AS regnamespace) AS text)
                    AND tablename = relname))
    ORDER BY relname
""").bindparams(bindparam("tables", list(metadata.tables)), bindparam("filled", list(_FILLED))),
)


def analyze_unknown(connection: Connection) -> None:
    """Analyze tables that were never analyzed, before statements that read many of their rows.

    Autovacuum does it too, a minute later; until then the planner expects an organisation to have
    half a percent of a table. If it came while an activation wrote the first rows, it counted none:
    then any index seems as good as the right one, and each look-up reads the whole organisation.
    """
    for name in connection.scalars(_UNKNOWN):
        # Do not wait for another session that is analyzing it.
        connection.execute(_analyzing(name))


@statement("analyze_table", table="end_users")
def _analyzing(table: str) -> TextClause:
    return text(f"ANALYZE (SKIP_LOCKED) {table}")
