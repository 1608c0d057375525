"""Whether there is a value at all: missing, or blank text, is empty (contract §22)."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Text, and_, case, func, literal, literal_column
from sqlalchemy.dialects.postgresql import JSONB

#: What Python's ``str.strip`` takes away; PostgreSQL's idea of it differs by locale.
_BLANKS: Final = "".join(
    letter
    for letter in map(chr, (*range(0x100), 0x1680, *range(0x2000, 0x3001)))
    if letter.isspace()
)
_NOTHING_IN_IT: Final = ("[]", "{}")


def is_written(text: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether ``text`` is there and not blank; never NULL."""
    return (func.btrim(text, literal(_BLANKS, Text())) != "").is_(True)


def is_filled(value: ColumnElement[Any], written: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether JSON says something: no blank text, ``null``, ``[]`` or ``{}``; never NULL.

    ``written`` is the value as text, NULL for ``null``.
    """
    nothing = [literal_column(f"'{each}'::jsonb", JSONB()) for each in _NOTHING_IN_IT]
    # Text may say ``[]`` too: then it is not blank. Only what looks like it is compared as JSON.
    has_content = case(
        (written.in_([literal(each, Text()) for each in _NOTHING_IN_IT]), value.not_in(nothing)),
        else_=literal_column("true"),
    )
    return and_(is_written(written), has_content)
