"""Custom fields: JSON compared as the type of a filter's value, without ever raising (§3).

A stored value of another type counts as missing, and so does JSON ``null``. A jsonpath works in the
same way: it compares within one type only, and an error in it is no match.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Integer,
    Text,
    all_,
    and_,
    case,
    func,
    literal,
    literal_column,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.types import UserDefinedType

from halo_engine.audience.letters import contains
from halo_engine.domain.fields.catalogue import FieldType
from halo_engine.domain.fields.filters import Value
from halo_engine.domain.fields.operators import Operator

_MATCHES: custom_op[bool] = custom_op("@@", is_comparison=True, return_type=Boolean())
_SYMBOLS: Mapping[Operator, str] = {
    Operator.IS: "==",
    Operator.IS_NOT: "!=",
    Operator.GT: ">",
    Operator.LT: "<",
    Operator.GTE: ">=",
    Operator.LTE: "<=",
}
#: What PostgreSQL writes booleans as, and how it begins to write numbers, arrays and objects.
_NOT_TEXT_ALONE = ("true", "false")
_NOT_TEXT_ALONE_FROM = tuple("-0123456789[{")
_FIRST_LETTERS = sorted({ord(each[0]) for each in _NOT_TEXT_ALONE + _NOT_TEXT_ALONE_FROM})
_NOT_TEXT_ALONE_BEGINS: ColumnElement[Any] = literal_column(
    f"'{{{','.join(map(str, _FIRST_LETTERS))}}}'::int[]", ARRAY(Integer)
)


class _JSONPath(UserDefinedType[str]):
    """The type of a jsonpath parameter, rendered with its cast."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the name of the type in SQL."""
        return "JSONPATH"


def compare(
    fields: ColumnElement[Any], key: str, operator: Operator, value: Value
) -> ColumnElement[bool]:
    """Compare the field with ``value``; NULL or false for a missing value or another type."""
    if isinstance(value, str) and operator is Operator.CONTAINS:
        return contains(case((_is_text(fields, key), written(fields, key))), value)
    if isinstance(value, str) and operator is Operator.IS:
        return _is_same_text(fields, key, value)
    path = literal(_path(key, operator, value), _JSONPath())
    return fields.operate(_MATCHES, path)


def is_of_type(type_: FieldType, fields: ColumnElement[Any], key: str) -> ColumnElement[bool]:
    """Return whether the field holds a value that is stored as of that type; never NULL."""
    if type_ is FieldType.STRING:
        return _is_text(fields, key).is_(True)
    return func.jsonb_typeof(stored(fields, key)).is_not_distinct_from(literal_column(f"'{type_}'"))


def stored(fields: ColumnElement[Any], key: str) -> ColumnElement[Any]:
    """Return the field as ``jsonb``, NULL when there is none."""
    return fields.op("->", return_type=JSONB())(literal(key, Text()))


def written(fields: ColumnElement[Any], key: str) -> ColumnElement[str]:
    """Return the field as text, whatever its type; NULL when there is none, or JSON ``null``."""
    return fields.op("->>", return_type=Text())(literal(key, Text()))


def _is_same_text(fields: ColumnElement[Any], key: str, value: str) -> ColumnElement[bool]:
    """Compare text; check its type only if the text could also be, for example, a number."""
    same = written(fields, key) == literal(value, Text())
    if value in _NOT_TEXT_ALONE or value.startswith(_NOT_TEXT_ALONE_FROM):
        return and_(same, _is_text(fields, key))
    return same


def _is_text(fields: ColumnElement[Any], key: str) -> ColumnElement[bool]:
    """Check the type only if the text begins like another type; the check is slow."""
    begins = func.ascii(written(fields, key))
    of_type_text = func.jsonb_typeof(stored(fields, key)) == literal_column("'string'")
    return case((begins != all_(_NOT_TEXT_ALONE_BEGINS), true()), else_=of_type_text)


def _path(key: str, operator: Operator, value: Value) -> str:
    place, literal_value = (json.dumps(each, ensure_ascii=False) for each in (key, value))
    path = f"strict $.{place} {_SYMBOLS[operator]} {literal_value}"
    # In jsonpath null differs from every text.
    return f"{path} && $.{place} != null" if operator is Operator.IS_NOT else path
