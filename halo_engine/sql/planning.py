"""Which plans PostgreSQL uses for statements: for any values, or for those at hand."""

from typing import Any, Final, Self

import psycopg
from sqlalchemy import Connection, Select, func, select

from halo_engine.sql.rows import ArrayText
from halo_engine.sql.statements import statement

#: A statement with an array of more elements, or of more text, is planned for it.
_FEW: Final = 50
_SHORT: Final = 1_500


class Cursor(psycopg.RawCursor[Any]):
    """A cursor that lets the server keep plans only for small sets.

    A cached plan assumes that every array has ten elements: one such plan compared each of 2,000
    due rows with each of 2,000 contacts. ``plan_cache_mode = force_custom_plan`` does not help:
    foreign keys would be planned row by row.
    """

    planned_anew = False

    def execute(
        self,
        query: Any,
        params: Any = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """Run the query; do not prepare it if an array is long, or if it is to be planned anew."""
        if self.planned_anew or (params is not None and any(map(_is_long, params))):
            prepare = False
        return super().execute(query, params, prepare=prepare, binary=binary)


#: Selected by the first statement of a transaction that handles given rows: the statements after it
#: use generic plans, since statistics may be older than the rows (decision 28).
PLANNED_WITHOUT_VALUES: Final = func.set_config("plan_cache_mode", "force_generic_plan", True)


def plan_without_values(connection: Connection) -> None:
    """Use generic plans for the later statements of this transaction."""
    connection.execute(_planning_without_values())


@statement("plan_without_values")
def _planning_without_values() -> Select[Any]:
    return select(PLANNED_WITHOUT_VALUES)


def plan_anew(connection: Connection) -> None:
    """Plan every later statement of this transaction for its own values.

    For statements over a range of rows: a cached plan assumes a third of the table.
    """
    connection.execution_options(planned_anew=True)
    connection.execute(_planning_anew())


@statement("plan_anew")
def _planning_anew() -> Select[Any]:
    return select(func.set_config("plan_cache_mode", "auto", True))


def tell_cursor(connection: Connection, cursor: Cursor, *_: object) -> None:
    """Tell the cursor of a statement whether it is to be planned anew."""
    cursor.planned_anew = connection.get_execution_options().get("planned_anew", False)


def _is_long(value: object) -> bool:
    if type(value) is ArrayText:
        return len(value) > _SHORT
    return type(value) is list and (len(value) > _FEW or any(map(_is_long, value)))
