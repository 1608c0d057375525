"""Versions of rows: they tell whether a row has changed since it was read.

PostgreSQL's ``xmin`` is the number of the transaction that last wrote a row. It differs after every
change, and nobody has to keep count.
"""

from sqlalchemy import BigInteger, ColumnElement, Table, Text, cast, literal_column


def row_version(table: Table) -> ColumnElement[int]:
    """Return the version of a row of ``table``."""
    return cast(cast(literal_column(f"{table.name}.xmin"), Text), BigInteger)
