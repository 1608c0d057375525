"""Python values as rows of a FROM clause: how a statement takes a set of any size.

Each column is one bound array, so the text of the statement, and with it the plan and SQLAlchemy's
cached compilation, does not depend on how many rows there are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Integer,
    TableValuedAlias,
    Uuid,
    bindparam,
    column,
    func,
    literal,
)
from sqlalchemy.types import TypeEngine, UserDefinedType


class ArrayText(str):
    """An array as PostgreSQL reads it; ``len`` of the text tells a long one from a short."""

    __slots__ = ()


def array_text(items: Iterable[str]) -> ArrayText:
    """Return an array of items that need no quotes."""
    return ArrayText("{" + ",".join(items) + "}")


def instants_text(instants: Iterable[datetime]) -> ArrayText:
    """Return an array of instants."""
    return array_text(map(datetime.isoformat, instants))


def _uuid(value: UUID) -> str:
    return f"{value.int:032x}"


#: What values are called in SQL, and how they are written: as text that an array need not quote.
_WRITTEN: Final[Mapping[type[TypeEngine[Any]], tuple[str, Callable[[Any], str]]]] = {
    Uuid: ("UUID", _uuid),
    Integer: ("INTEGER", str),
    BigInteger: ("BIGINT", str),
    DateTime: ("TIMESTAMP WITH TIME ZONE", datetime.isoformat),
}


class _WrittenArray(UserDefinedType[Sequence[Any]]):
    """An array that is sent as one text; the driver's own way converts every element by itself."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, item_type: type[TypeEngine[Any]]) -> None:
        self.item_type = item_type

    def get_col_spec(self, **_: Any) -> str:
        """Return the name of the type in SQL."""
        return f"{_WRITTEN[self.item_type][0]}[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], ArrayText]:  # noqa: ARG002
        """Return the function that writes the values."""
        _, written = _WRITTEN[self.item_type]

        def process(values: Iterable[Any]) -> ArrayText:
            return array_text("NULL" if value is None else written(value) for value in values)

        return process


def rows_of(
    name: str,
    columns: Mapping[str, tuple[TypeEngine[Any], Sequence[Any] | ColumnElement[Any]]],
) -> TableValuedAlias:
    """Return ``unnest(…) AS name(…)`` over the given columns: each a type and its values, all of
    one length, or a parameter of ``array_of`` that type.
    """
    types = {key: type_ for key, (type_, _) in columns.items()}
    arrays = [
        values if isinstance(values, ColumnElement) else literal(list(values), array_of(type_))
        for type_, values in columns.values()
    ]
    return _unnested(name, types, arrays)


def rows_asked(
    name: str, columns: Mapping[str, TypeEngine[Any]], *, place: str | None = None
) -> TableValuedAlias:
    """Return the same for a cached statement: each execution passes ``asked_values``.

    With a ``place``, a further column of that name numbers the rows.
    """
    return _unnested(
        name,
        columns,
        [bindparam(f"{name}_{key}", type_=array_of(type_)) for key, type_ in columns.items()],
        place,
    )


def asked_values(name: str, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Return the values of ``rows_asked`` rows, by the names of their parameters."""
    return {f"{name}_{key}": values for key, values in columns.items()}


def _unnested(
    name: str,
    types: Mapping[str, TypeEngine[Any]],
    arrays: Iterable[ColumnElement[Any]],
    place: str | None = None,
) -> TableValuedAlias:
    columns = [column(key, type_) for key, type_ in types.items()]
    rows = func.unnest(*arrays)
    if place is None:
        return rows.table_valued(*columns, name=name).render_derived()
    return rows.table_valued(*columns, name=name, with_ordinality=place).render_derived()


def array_of(item_type: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type of an array of these, written by ourselves where that is faster."""
    return _WrittenArray(type(item_type)) if type(item_type) in _WRITTEN else ARRAY(item_type)
