"""The parameters of statements about contacts: organisation, instant, and any number of rows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    TableValuedAlias,
    column,
    func,
    select,
)
from sqlalchemy.types import TypeEngine

from halo_engine.sql.parameters import parameter
from halo_engine.work import Work

ORG_ID: ColumnElement[UUID] = parameter("org_id")
#: The call's instant, or the statement's own clock if none is given.
NOW: ColumnElement[datetime] = func.coalesce(parameter("now"), func.statement_timestamp())
_GIVEN: ColumnElement[Any] = parameter("given_rows")


def given_rows(
    columns: Mapping[str, TypeEngine[Any]],
    *,
    only: Callable[[TableValuedAlias], ColumnElement[bool]] | None = None,
) -> CTE:
    """Return the CTE ``given``: the rows of ``values_of`` with these columns.

    If ``only`` is given, they are those for which it holds.
    """
    rows = func.jsonb_to_recordset(_GIVEN).table_valued(
        *[column(name, type_) for name, type_ in columns.items()]
    )
    given = rows.render_derived(name="given", with_types=True)
    chosen = select(given)
    return (chosen if only is None else chosen.where(only(given))).cte("given")


def values_of(work: Work, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of all parameters; ``rows`` are JSON, any number of them."""
    return {"org_id": work.org_id, "now": work.now, "given_rows": rows}
