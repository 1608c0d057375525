"""What PostgreSQL knows of a table's rows, and does not in the first minute after a large load."""

from typing import Final

from sqlalchemy import Connection, bindparam, text

from halo_engine.tables.metadata import metadata

#: Tables of which nothing was ever counted; those of one page are read whole anyway.
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
    """Have tables counted that never were, before everybody in them is looked at.

    Autovacuum does it too, a minute later; until then an organisation is taken for half a percent
    of a table. Once in a table's life: afterwards this only looks.
    """
    for name in connection.scalars(_UNKNOWN):
        # Whoever counts it already is not waited for.
        connection.execute(text(f"ANALYZE (SKIP_LOCKED) {name}"))
