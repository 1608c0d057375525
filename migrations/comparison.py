"""Compare the tables that the migrations made with those that the code declares.

Alembic's own comparison ignores CHECK constraints and the predicates of indexes. So the code's
tables are made a second time, in a schema of their own, and PostgreSQL describes both; then the
transaction is rolled back.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

from halo_engine.tables import metadata

_MIGRATED: Final = "public"
_DECLARED: Final = "declared"

#: The tables of one schema, for the queries below.
_TABLES: Final = """
    SELECT oid, relname, relpersistence, reloptions, reltoastrelid FROM pg_class
    WHERE relnamespace = CAST(:schema AS regnamespace) AND relkind IN ('r', 'p')
        AND relname <> 'alembic_version' AND NOT relispartition
"""

#: The kinds of things that are compared, each with a query for their names and properties.
_QUERIES: Final = {
    "table": """
        SELECT relname, concat_ws(' ', 'persistence', relpersistence, pg_get_partkeydef(oid))
        FROM tables
    """,
    "storage parameters of": """
        SELECT relname, string_agg(option, ', ' ORDER BY option)
        FROM (
            SELECT relname, unnest(reloptions) FROM tables
            UNION ALL
            SELECT tables.relname, 'toast.' || unnest(toast.reloptions)
            FROM tables JOIN pg_class toast ON toast.oid = tables.reltoastrelid
        ) AS options (relname, option)
        GROUP BY relname
    """,
    # The order does not count: a migration can only add a column at the end.
    "column": """
        SELECT relname || '.' || attname, concat_ws(' ',
            format_type(atttypid, atttypmod),
            CASE WHEN attcollation <> typcollation
                THEN 'COLLATE ' || CAST(CAST(attcollation AS regcollation) AS text) END,
            'STORAGE', attstorage,
            CASE WHEN attnotnull THEN 'NOT NULL' END,
            CASE WHEN attidentity <> '' THEN concat('IDENTITY ', attidentity) END,
            CASE WHEN attgenerated <> '' THEN concat('GENERATED ', attgenerated) END,
            CASE WHEN adbin IS NOT NULL THEN 'DEFAULT ' || pg_get_expr(adbin, adrelid) END)
        FROM tables
            JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0 AND NOT attisdropped
            JOIN pg_type ON pg_type.oid = atttypid
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    """,
    # Without NOT NULL (n), which is a property of the column.
    "constraint": """
        SELECT relname || '.' || conname, pg_get_constraintdef(pg_constraint.oid)
        FROM tables JOIN pg_constraint ON conrelid = tables.oid AND contype <> 'n'
    """,
    "index": """
        SELECT relname || '.' || CAST(CAST(indexrelid AS regclass) AS text),
            pg_get_indexdef(indexrelid, 0, true) || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END
        FROM tables JOIN pg_index ON indrelid = tables.oid
    """,
    "trigger": """
        SELECT relname || '.' || tgname, pg_get_triggerdef(pg_trigger.oid, true)
        FROM tables JOIN pg_trigger ON tgrelid = tables.oid AND NOT tgisinternal
    """,
    # Without the sequence for ids on older servers, which only the migrations make.
    "sequence": """
        SELECT relname, concat_ws(' ', format_type(seqtypid, NULL), 'START', seqstart,
            'INCREMENT', seqincrement, 'MINVALUE', seqmin, 'MAXVALUE', seqmax, 'CACHE', seqcache,
            CASE WHEN seqcycle THEN 'CYCLE' END)
        FROM pg_class JOIN pg_sequence ON seqrelid = pg_class.oid
        WHERE relnamespace = CAST(:schema AS regnamespace) AND relname <> 'uuid7_turns'
    """,
}


def differences(connection: Connection) -> list[str]:
    """Say what differs between the migrated database and the tables of the code.

    Each text names what differs, what the tables say of it, and what the migrations made. Nothing
    is changed; the connection must have no transaction open.
    """
    with connection.begin() as transaction:
        connection.execute(text(f"SET LOCAL search_path = {_MIGRATED}"))
        migrated = _properties(connection, _MIGRATED)
        connection.execute(text(f"CREATE SCHEMA {_DECLARED}"))
        # The function that makes ids is in the other schema, since only the migrations make it.
        connection.execute(text(f"SET LOCAL search_path = {_DECLARED}, {_MIGRATED}"))
        metadata.create_all(connection, checkfirst=False)
        declared = _properties(connection, _DECLARED)
        transaction.rollback()
    return [
        f"{name}\n    the tables say:      {declared.get(name, 'nothing')}"
        f"\n    the migrations make: {migrated.get(name, 'nothing')}"
        for name in sorted(declared.keys() | migrated.keys())
        if declared.get(name) != migrated.get(name)
    ]


def _properties(connection: Connection, schema: str) -> Mapping[str, str]:
    return {
        f"{kind} {name}": properties
        for kind, query in _QUERIES.items()
        for name, properties in connection.execute(
            text(f"WITH tables AS ({_TABLES}) {query}"), {"schema": schema}
        )
    }
