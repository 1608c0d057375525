"""Versions of rows: how to tell whether one is still what was read of it before.

PostgreSQL's ``xmin`` is the number of the transaction that last wrote a row. Whoever changes the
row gives it another, one that was rolled back is never seen, and nobody has to keep count.
"""

from sqlalchemy import BigInteger, ColumnElement, Table, Text, cast, literal_column


def row_version(table: Table) -> ColumnElement[int]:
    """Return the version of a row of ``table``."""
    return cast(cast(literal_column(f"{table.name}.xmin"), Text), BigInteger)
