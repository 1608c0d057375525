"""Conditions of joins between an organisation's tables."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_


def refers(table: FromClause, other: FromClause, **columns: str) -> ColumnElement[bool]:
    """Return whether rows belong together: each named column equals the one named of ``other``."""
    equal = [table.c[name] == other.c[theirs] for name, theirs in columns.items()]
    return and_(table.c.org_id == other.c.org_id, *equal)


def has_values(table: FromClause, org_id: UUID, **values: Any) -> ColumnElement[bool]:
    """Return whether a row of ``table`` is the organisation's and has these values."""
    equal = [table.c[name] == value for name, value in values.items()]
    return and_(table.c.org_id == org_id, *equal)
