"""Python values as rows of a FROM clause: how a statement takes a set of any size.

Each column is one bound array, so the text of the statement, and with it the plan and SQLAlchemy's
cached compilation, does not depend on how many rows there are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, TableValuedAlias, column, func, literal
from sqlalchemy.types import TypeEngine


def rows_of(
    name: str, columns: Mapping[str, tuple[TypeEngine[Any], Sequence[Any]]]
) -> TableValuedAlias:
    """Return ``unnest(…) AS name(…)`` over the given columns: each a type and its values, all of
    one length.
    """
    arrays = [literal(list(values), ARRAY(type_)) for type_, values in columns.values()]
    return (
        func.unnest(*arrays)
        .table_valued(*[column(key, type_) for key, (type_, _) in columns.items()], name=name)
        .render_derived()
    )
