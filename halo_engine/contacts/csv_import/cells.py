"""Read a cell of a CSV file: text, numbers, booleans, dates and addresses (contract §2).

A cell has no blanks around it and is not empty.
"""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from halo_engine.contacts.csv_import.mapping import CellType, Column
from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields.traits import check_email
from halo_engine.domain.times.instants import parse_instant

_YES: Final = ("true", "yes", "t", "y", "1")
_NO: Final = ("false", "no", "f", "n", "0")
#: As Excel writes them in German, French, Spanish, Italian, Portuguese and Dutch.
_EXCELS: Final = {
    **dict.fromkeys(("wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar"), True),
    **dict.fromkeys(("falsch", "faux", "falso", "onwaar"), False),
}
_BOOLEANS: Final = {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False), **_EXCELS}

_LONGEST_NUMBER: Final = 400
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
#: A number as JSON writes it, without an exponent.
_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?")
_STARTS_NUMBER: Final = "-0123456789"
_LARGEST: Final = 2**63 - 1
_JSON_BOOLEANS: Final = {"true": True, "false": False}

#: Unix time, by its number of digits: how many units make a second.
_UNIX: Final = {10: 1, 13: 1000}
#: A blank before the offset: Rails and BigQuery (`UTC`), Ruby, Snowflake, Go (`+0000 UTC`).
_OFFSET_APART: Final = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.,]*) "
    r"(?P<offset>UTC|GMT|Z|[+-]\d\d(?::?\d\d)?)(?:(?<=[+-]0000) UTC)?",
    re.ASCII,
)
#: Separators between several addresses in a cell: Google's own, and those that people write.
_ADDRESS_SIGNS: Final = (":::", ";", ",")
_BETWEEN_ADDRESSES: Final = re.compile(r"\s*(?::::|[;,])\s*")
#: The registry's type for text.
STRING: Final = "string"

SEVERAL_ADDRESSES: Final = "traits.email: of several addresses in a cell the first is taken"


def read_cell(column: Column, cell: str, zone: ZoneInfo, registered: str | None) -> object:
    """Return the cell's value as its column's type; raise a 400 if it is none of that type.

    ``registered`` is the type that a custom field has in the registry. Dates are returned as ISO
    8601 text; dates of recognised traits are checked later, with the traits.
    """
    match column.type:
        case CellType.AUTO:
            value = None if registered == STRING else canonical(cell)
            return cell if value is None else value
        case CellType.DATE:
            return _date(column, cell, zone)
        case CellType.NUMBER:
            return _number(cell, f"traits.{column.key}")
        case CellType.BOOLEAN:
            return read_boolean(cell, f"traits.{column.key}")
        case CellType.EMAIL:
            return first_address(cell)
        case CellType.TEXT:
            return cell


def wants_no_mail(column: Column, cell: str, zone: ZoneInfo) -> bool:
    """Return whether a cell of an opt-out column says yes; a date means yes."""
    if column.date_format is not None:
        column.date_format.read(cell, column.key)
        return True
    word = _BOOLEANS.get(cell.casefold())
    if word is not None:
        return word
    try:
        parse_instant(_as_iso(cell), zone)
    except Refusal:
        problem = f"{shown(cell)} is refused; allowed are {_allowed()}, and a date for yes"
        raise bad_input(column.key, problem, "bad_trait") from None
    return True


def first_address(cell: str) -> str:
    """Return the address in a cell; of several addresses the first one."""
    if not any(map(cell.__contains__, _ADDRESS_SIGNS)):
        return cell
    # Outlook ends a list with a separator.
    found = [each for each in _BETWEEN_ADDRESSES.split(cell) if each]
    return found[0] if found and all(map(_is_address, found)) else cell


def canonical(cell: str) -> float | bool | None:
    """Return the number or boolean that JSON writes exactly like the cell, or None.

    ``1.50`` and ``1e5`` give None, since writing the number back would not give the cell.
    """
    if cell in _JSON_BOOLEANS:
        return _JSON_BOOLEANS[cell]
    if cell[0] not in _STARTS_NUMBER or len(cell) > _LONGEST_NUMBER:
        return None
    match = _JSON_NUMBER.fullmatch(cell)
    if match is None:
        return None
    number = float(cell) if match["fraction"] else int(cell)
    return number if str(number) == cell and abs(number) <= _LARGEST else None


def _number(cell: str, where: str) -> float:
    if _NUMBER.fullmatch(cell) and len(cell) <= _LONGEST_NUMBER:
        return int(cell) if _WHOLE.fullmatch(cell) else float(cell)
    problem = f"{shown(cell)} is refused; allowed is a number, such as 4900 or 12.5"
    raise bad_input(where, problem, "bad_trait")


def read_boolean(cell: str, where: str) -> bool:
    """Return what a cell says in any case: yes or no; else raise a 400 about ``where``."""
    value = _BOOLEANS.get(cell.casefold())
    if value is None:
        raise bad_input(where, f"{shown(cell)} is refused; allowed are {_allowed()}", "bad_trait")
    return value


def _allowed() -> str:
    return f"{', '.join(_YES)} and {', '.join(_NO)}"


def _date(column: Column, cell: str, zone: ZoneInfo) -> str:
    if column.date_format is not None:
        return column.date_format.read(cell, f"traits.{column.key}")
    written = _as_iso(cell)
    if not column.is_recognised:
        parse_instant(written, zone, f"traits.{column.key}")
    return written


def _as_iso(cell: str) -> str:
    """Return unix time, and a time with its offset apart, as ISO 8601; anything else as it is."""
    apart = _OFFSET_APART.fullmatch(cell)
    if apart is not None:
        return apart["at"] + (apart["offset"] if apart["offset"][0] in "+-" else "Z")
    unit = _UNIX.get(len(cell))
    if unit is None or not (cell.isascii() and cell.isdigit()):
        return cell
    seconds, rest = divmod(int(cell), unit)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * (1_000_000 // unit))
    return moment.isoformat()


def _is_address(text: str) -> bool:
    try:
        check_email(text)
    except Refusal:
        return False
    return True
