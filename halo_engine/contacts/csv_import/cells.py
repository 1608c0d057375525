"""Read a cell of a CSV file: text, numbers, booleans, dates and addresses (contract §2).

A cell has no blanks around it and is not empty.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from halo_engine.contacts.consent.service_words import Consent, consent_in
from halo_engine.contacts.csv_import.mapping import CellType, Column
from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields.traits import RENEWAL_STATUSES, TERMS, check_email
from halo_engine.domain.nearness import letters_of
from halo_engine.domain.times.instants import parse_instant

_YES: Final = ("true", "yes", "t", "y", "1")
_NO: Final = ("false", "no", "f", "n", "0")
#: As Excel writes them, and people, in German, French, Spanish, Italian, Portuguese, Dutch, Swedish
#: and Polish; in Danish, Norwegian, Finnish, Czech, Hungarian, Turkish, Russian, Chinese, Japanese.
_YES_ELSEWHERE: Final = (
    *("wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar", "sant", "prawda"),
    *("ja", "oui", "sí", "sì", "si", "sim", "tak"),
    *("sand", "sann", "tosi", "pravda", "igaz", "doğru", "истина"),
    *("kyllä", "ano", "igen", "evet", "да", "是", "はい"),
    *("on",),  # a ticked box of a form in HTML
)
_NO_ELSEWHERE: Final = (
    *("falsch", "faux", "falso", "onwaar", "falskt", "fałsz"),
    *("nein", "non", "não", "nao", "nee", "nej", "nie"),
    *("falsk", "usann", "epätosi", "nepravda", "hamis", "yanliş", "yanl\u0131ş", "ложь"),
    *("nei", "ei", "ne", "nem", "hay\u0131r", "hayir", "нет", "否", "いいえ"),
    *("off",),
)
#: A box that is ticked: in lists that people keep, and Airtable's.
_TICKED: Final = ("x", "✓", "✔", "☑", "checked")
_BOOLEANS: Final = {
    **dict.fromkeys((*_YES, *_YES_ELSEWHERE, *_TICKED), True),
    **dict.fromkeys((*_NO, *_NO_ELSEWHERE), False),
}

#: How a refusal names the words of mail services.
_STATUS: Final = "a status such as subscribed or unsubscribed"

_LONGEST_NUMBER: Final = 400
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
#: A number whose thousands are apart, and one with a decimal comma, as spreadsheets show them.
_GROUPED: Final = re.compile(
    r"(?P<whole>[+-]?[1-9][0-9]{0,2}(?P<sign>[,.'\u2019 \u00a0\u202f])[0-9]{3}"
    r"((?P=sign)[0-9]{3})*)((?P<point>[,.])(?P<rest>[0-9]+))?"
)
_DECIMAL_COMMA: Final = re.compile(r"(?P<whole>[+-]?[0-9]+),(?P<rest>[0-9]+)")
#: A number as JSON writes it, without an exponent.
_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?")
_STARTS_NUMBER: Final = "-0123456789"
_LARGEST: Final = 2**63 - 1
_JSON_BOOLEANS: Final = {"true": True, "false": False}

#: The words of recognised traits, for labels of other programs: ``Up for renewal``.
_WORDS: Final = {letters_of(word): word for word in (*RENEWAL_STATUSES, *TERMS)}

#: Unix time, by its number of digits: how many units make a second.
_UNIX: Final = {10: 1, 13: 1000}
#: Unix seconds with a fraction, as pandas and PostgreSQL's ``extract(epoch …)`` write them.
_UNIX_FRACTION: Final = re.compile(r"(?P<seconds>[0-9]{10})\.(?P<fraction>[0-9]{1,6})[0-9]{0,6}")
#: A blank before the offset: Rails and BigQuery (`UTC`), Ruby, Snowflake, Go (`+0000 UTC`).
_OFFSET_APART: Final = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.,]*) "
    r"(?P<offset>UTC|GMT|Z|[+-]\d\d(?::?\d\d)?)(?:(?<=[+-]0000) UTC)?",
    re.ASCII,
)
#: An address: in brackets behind a name, in quotes as Outlook copies it, or alone.
_ONE_ADDRESS: Final = re.compile(
    r"""(?:"[^"]*"\s*|[^"<>@,;|]*)<(?:mailto:)?([^\s<>]+)>"""
    r"""|(?:mailto:)?(?:'([^\s<>,;:|"']+)'|([^\s<>,;:|"]+))""",
    re.IGNORECASE,
)
#: What stands between addresses, and behind the last: Google's own, and what people write.
_BETWEEN_ADDRESSES: Final = re.compile(r"[\s,;|]*(?:(?::::|/)[\s,;|]*)?")
_PLAIN_ADDRESS: Final = re.compile(r"[^\s<>,;:|\"']+")
_LONGEST_ADDRESSES: Final = 2000
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
            return _boolean(cell, f"traits.{column.key}")
        case CellType.EMAIL:
            return addresses_in(cell)[0]
        case _:
            return _WORDS.get(letters_of(cell), cell) if column.type is CellType.WORD else cell


def wants_no_mail(column: Column, cell: str, zone: ZoneInfo) -> bool:
    """Return whether a cell of an opt-out column says yes; so do a date, and services' words."""
    if column.date_format is not None:
        column.date_format.read(cell, column.key)
        return True
    word = _BOOLEANS.get(cell.casefold())
    if word is not None:
        return word
    consent = consent_in(cell)
    if consent is not None:
        return consent is Consent.WITHDRAWN
    try:
        parse_instant(_as_iso(cell), zone)
    except Refusal:
        problem = (
            f"{shown(cell)} is refused; allowed are {_allowed()}, {_STATUS}, and a date for yes"
        )
        raise bad_input(column.key, problem, "bad_trait") from None
    return True


def joins_list(column: Column, cell: str) -> bool:
    """Return whether a cell of a list's column joins the list rather than leaves it."""
    word = _BOOLEANS.get(cell.casefold())
    if word is not None:
        return word
    consent = consent_in(cell)
    if consent is None:
        problem = f"{shown(cell)} is refused; allowed are {_allowed()}, {_STATUS}"
        raise bad_input(column.name, problem, "bad_trait")
    return consent is Consent.GIVEN


def addresses_in(cell: str) -> Sequence[str]:
    """Return the addresses in a cell; the cell itself if it is anything but addresses."""
    if _PLAIN_ADDRESS.fullmatch(cell) or len(cell) > _LONGEST_ADDRESSES:
        return [cell]
    found: list[str] = []
    at = 0
    while at < len(cell):
        address = _ONE_ADDRESS.match(cell, at)
        if address is None or not _is_address(said := next(filter(None, address.groups()))):
            return [cell]
        found.append(said)
        between = _BETWEEN_ADDRESSES.match(cell, address.end())
        at = between.end() if between else address.end()
    return found


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
    written = _as_json(cell)
    if _NUMBER.fullmatch(written) and len(written) <= _LONGEST_NUMBER:
        return int(written) if _WHOLE.fullmatch(written) else float(written)
    problem = f"{shown(cell)} is refused; allowed is a number, such as 4900 or 12.5"
    raise bad_input(where, problem, "bad_trait")


def _as_json(cell: str) -> str:
    """Return a number with the signs of spreadsheets as JSON writes it, anything else as it is.

    ``1,234`` stays: in some countries it is a thousand times as much as in others.
    """
    if len(cell) > _LONGEST_NUMBER or _NUMBER.fullmatch(cell):
        return cell
    found = _GROUPED.fullmatch(cell)
    if found is None:
        comma = _DECIMAL_COMMA.fullmatch(cell)
        return f"{comma['whole']}.{comma['rest']}" if comma else cell
    whole, sign, point = found["whole"], found["sign"], found["point"]
    is_either = sign in ",." and point is None and whole.count(sign) == 1
    if is_either or point == sign:
        return cell
    return whole.replace(sign, "") + (f".{found['rest']}" if point else "")


def _boolean(cell: str, where: str) -> bool:
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
    split = _UNIX_FRACTION.fullmatch(cell)
    if split is not None:
        return _moment(int(split["seconds"]), int(split["fraction"].ljust(6, "0")))
    unit = _UNIX.get(len(cell))
    if unit is None or not (cell.isascii() and cell.isdigit()):
        return cell
    seconds, rest = divmod(int(cell), unit)
    return _moment(seconds, rest * (1_000_000 // unit))


def _moment(seconds: int, microseconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds).isoformat()


def _is_address(text: str) -> bool:
    try:
        check_email(text)
    except Refusal:
        return False
    return True
