"""How an organisation's rows are read and written in a move: all of a table, or those noted."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    Delete,
    Select,
    Table,
    TextClause,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql

from halo_engine.sql.statements import statement
from halo_engine.tables import end_users, moved_rows

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]

#: A count and a sum of hashes: equal for equal sets of rows.
Sum = tuple[int, int]


def _columns(table: Table) -> str:
    """Return the columns that are written; PostgreSQL computes the others."""
    return ", ".join(each.name for each in table.c if each.computed is None)


def _keyed(table: Table, org_id: UUID, columns: str) -> str:
    """Return the noted rows of ``table`` as they are now, each once.

    The keys are looked up one by one: their number is unknown to the planner.
    """
    return (
        f"SELECT {columns} FROM ({_notes(table, org_id)}) AS noted CROSS JOIN LATERAL"
        f" (SELECT * FROM {table.name} WHERE {_is_noted(table, org_id)} OFFSET 0) AS row"
    )


def _notes(table: Table, org_id: UUID) -> str:
    return (
        "SELECT DISTINCT key FROM moved_rows"
        f" WHERE org_id = '{org_id}' AND table_name = '{table.name}'"
    )


def _is_noted(table: Table, org_id: UUID) -> str:
    same = [
        f"{table.name}.{each.name} = CAST(noted.key ->> '{each.name}' AS {_type(each)})"
        for each in table.primary_key
        if each.name != "org_id"
    ]
    return " AND ".join([f"{table.name}.org_id = '{org_id}'", *same])


def _type(column: Column[Any]) -> str:
    return column.type.compile(dialect=_DIALECT)


@statement("copy_table_out", table=end_users)
def copying_out(org_id: UUID, table: Table) -> TextClause:
    """Read all rows of a table."""
    rows = f"SELECT {_columns(table)} FROM {table.name} WHERE org_id = '{org_id}'"
    return text(f"COPY ({rows}) TO STDOUT (FORMAT binary)")


@statement("copy_noted_out", table=end_users)
def copying_noted_out(org_id: UUID, table: Table) -> TextClause:
    """Read the rows of a table that were noted."""
    return text(f"COPY ({_keyed(table, org_id, _columns(table))}) TO STDOUT (FORMAT binary)")


@statement("copy_table_in", table=end_users)
def copying_in(table: Table) -> TextClause:
    """Write rows of a table."""
    return text(f"COPY {table.name} ({_columns(table)}) FROM STDIN (FORMAT binary)")


@statement("delete_noted", table=end_users)
def deleting_noted(org_id: UUID, table: Table) -> TextClause:
    """Delete the rows of a table that were noted: their new versions come."""
    notes = _notes(table, org_id)
    return text(
        f"DELETE FROM {table.name} USING ({notes}) AS noted WHERE {_is_noted(table, org_id)}"
    )


def noted_tables(connection: Connection, org_id: UUID) -> dict[str, int]:
    """Return how many notes there are of each table."""
    rows = connection.execute(_count_notes(org_id))
    return {row.table_name: row.notes for row in rows}


@statement("count_notes")
def _count_notes(org_id: UUID) -> Select[Any]:
    notes = moved_rows
    counted = select(notes.c.table_name, func.count().label("notes"))
    return counted.where(notes.c.org_id == org_id).group_by(notes.c.table_name)


def forget_notes(connection: Connection, org_id: UUID) -> int:
    """Delete the notes that this transaction sees; return how many."""
    return connection.execute(_forget_notes(org_id)).rowcount


@statement("forget_notes")
def _forget_notes(org_id: UUID) -> Delete:
    return delete(moved_rows).where(moved_rows.c.org_id == org_id)


def sum_of_table(connection: Connection, org_id: UUID, table: Table) -> Sum:
    """Return the count of a table's rows, and the sum of their hashes."""
    count, total = connection.execute(_sum_table(org_id, table)).one()
    return count, int(total)


@statement("sum_table", table=end_users)
def _sum_table(org_id: UUID, table: Table) -> TextClause:
    hashed = ", ".join(each.name for each in table.c)
    return text(
        "SELECT count(*),"
        f" coalesce(sum(CAST(hash_record_extended(ROW({hashed}), 0) AS numeric)), 0)"
        f" FROM {table.name} WHERE org_id = '{org_id}'"
    )


def sum_of_noted(connection: Connection, org_id: UUID, table: Table) -> Sum:
    """Return the same of the rows that were noted."""
    count, total = connection.execute(_sum_noted(org_id, table)).one()
    return count, int(total)


@statement("sum_noted", table=end_users)
def _sum_noted(org_id: UUID, table: Table) -> TextClause:
    hashed = ", ".join(f"row.{each.name}" for each in table.c)
    rows = _keyed(table, org_id, f"hash_record_extended(ROW({hashed}), 0) AS hash")
    return text(f"SELECT count(*), coalesce(sum(CAST(hash AS numeric)), 0) FROM ({rows}) AS rows")
