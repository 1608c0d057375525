"""The parameters of statements that are built once: whose, when, and what is given.

They are named unlike any column: SQLAlchemy would set a column of an UPDATE to the parameter of its
name.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Double,
    bindparam,
    column,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from halo_engine.tables.metadata import OrganizationId
from halo_engine.work import Work

ORG_ID: ColumnElement[UUID] = bindparam("work_org_id", type_=OrganizationId())
#: The call's instant, or the statement's own clock if none is given.
NOW: ColumnElement[datetime] = func.coalesce(
    bindparam("work_now", type_=DateTime(timezone=True)), func.statement_timestamp()
)
#: The version of the organisation as it is known.
KNOWN_VERSION: ColumnElement[int] = bindparam("known_version", type_=BigInteger())
#: From when on the caller's token proves nothing, in seconds since 1970.
PROVEN_UNTIL: ColumnElement[float] = bindparam("proven_until", type_=Double())
_GIVEN: ColumnElement[Any] = bindparam("given_rows", type_=JSONB())


def given_rows(
    columns: Mapping[str, TypeEngine[Any]], *, only: ColumnElement[bool] | None = None
) -> CTE:
    """Return the CTE ``given``: the rows of ``values_of`` with these columns.

    If ``only`` is given and does not hold, there are none.
    """
    rows = func.jsonb_to_recordset(_GIVEN).table_valued(
        *[column(name, type_) for name, type_ in columns.items()]
    )
    given = select(rows.render_derived(name="given", with_types=True))
    return (given if only is None else given.where(only)).cte("given")


def values_of(work: Work, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of all parameters; ``rows`` are JSON, any number of them."""
    return {"work_org_id": work.org_id, "work_now": work.now, "given_rows": rows}
