"""Reads a mapping of a CSV file's columns to fields (contract §2)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from halo_engine.contacts.writing.revenue import REVENUE
from halo_engine.contacts.writing.sources import TRAIT_COLUMNS
from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields.catalogue import BARE_CUSTOM, check_name
from halo_engine.domain.fields.traits import RESERVED
from halo_engine.domain.times.date_formats import DateFormat, parse_date_format

EXTERNAL_ID: Final = "external_id"
#: Together these two make the name.
NAME_PARTS: Final = ("first_name", "last_name")
#: A column of contacts who want no mail at all.
OPT_OUT: Final = "unsubscribed"
_CUSTOM, _LIST = "custom:", "list:"

#: How many of a file's columns an error names.
_MOST_COLUMNS_NAMED: Final = 12
_DATES: Final = ("signed_up_at", "renewal_date")


class CellType(StrEnum):
    """The type of a column's cells; ``auto`` is for a custom field whose mapping names no type."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    EMAIL = "email"
    #: One of a few words that the engine knows.
    WORD = "word"
    AUTO = "auto"


#: The types that a mapping can name for a custom field (``custom:zip:text``).
_SAYABLE: Final = (CellType.TEXT, CellType.NUMBER, CellType.BOOLEAN, CellType.DATE)

_TYPES: Final[Mapping[str, CellType]] = {
    **dict.fromkeys(_DATES, CellType.DATE),
    **dict.fromkeys(REVENUE, CellType.NUMBER),
    "email": CellType.EMAIL,
    "on_contract": CellType.BOOLEAN,
    **dict.fromkeys(("renewal_status", "contract_term", "payment_terms"), CellType.WORD),
}


class Target(StrEnum):
    """What a column's cells are used for."""

    EXTERNAL_ID = "external_id"
    TRAIT = "trait"
    NAME_PART = "name_part"
    LIST = "list"
    OPT_OUT = "opt_out"


@dataclass(frozen=True, slots=True)
class Column:
    """A mapped column: its name, its index in a row, and its field.

    ``key`` is the trait, the part of the name, or the key of the list.
    """

    name: str
    index: int
    target: Target
    key: str
    type: CellType
    date_format: DateFormat | None = None

    @property
    def is_recognised(self) -> bool:
        """Whether the field is a column of the contact's own."""
        return self.key in TRAIT_COLUMNS


@dataclass(frozen=True, slots=True)
class MappedField:
    """A field as a mapping names it."""

    target: Target
    key: str
    type: CellType = CellType.TEXT


def columns_of(
    names: Sequence[str], mapping: Mapping[str, str], date_formats: Mapping[str, str]
) -> tuple[Column, ...]:
    """Return the mapped columns of a file whose header has these ``names``.

    Raises a 400 for an unknown field, for a column that the header lacks or has twice, and for two
    columns of one field.
    """
    formats = {name.strip(): each for name, each in date_formats.items()}
    places = _Places(names)
    columns: list[Column] = []
    taken: set[tuple[Target, str]] = set()
    for given, written in mapping.items():
        name, field = given.strip(), field_of(written)
        index = places.index_of(name, "mapping")
        _check_free(field, written, taken)
        taken.add((field.target, field.key))
        type_, date_format = field.type, None
        if name in formats:
            type_, date_format = CellType.DATE, _format_of(field, name, formats.pop(name))
        columns.append(Column(name, index, field.target, field.key, type_, date_format))
    for name in formats:
        places.index_of(name, "date_format")
        raise bad_input("date_format", f"{shown(name)} is not mapped; allowed are mapped columns")
    return tuple(columns)


def field_of(written: str) -> MappedField:
    """Return the field that a mapping names; raise a 400 with the allowed ones if there is none."""
    if written == EXTERNAL_ID:
        return MappedField(Target.EXTERNAL_ID, written)
    if written in NAME_PARTS:
        return MappedField(Target.NAME_PART, written)
    if written == OPT_OUT:
        return MappedField(Target.OPT_OUT, written, CellType.BOOLEAN)
    if written in TRAIT_COLUMNS:
        return MappedField(Target.TRAIT, written, _TYPES.get(written, CellType.TEXT))
    if written.startswith(_LIST):
        key = check_name("mapping", written.removeprefix(_LIST))
        return MappedField(Target.LIST, key, CellType.BOOLEAN)
    return _custom(written)


def _custom(written: str) -> MappedField:
    name, type_ = _split_type(written)
    if name in BARE_CUSTOM:
        return MappedField(Target.TRAIT, name, type_)
    key = name.removeprefix(_CUSTOM)
    if key == name or key in TRAIT_COLUMNS or key in RESERVED:
        raise _no_field(written)
    return MappedField(Target.TRAIT, check_name("mapping", key), type_)


def _split_type(written: str) -> tuple[str, CellType]:
    name, _, said = written.rpartition(":")
    if said in _SAYABLE and name not in ("", "custom"):
        return name, CellType(said)
    return written, CellType.AUTO


def _no_field(written: str) -> Refusal:
    known = ", ".join((EXTERNAL_ID, *TRAIT_COLUMNS, *NAME_PARTS, *BARE_CUSTOM, OPT_OUT))
    problem = (
        f"{shown(written)} is no field; allowed are {known}, list:KEY, and custom:NAME,"
        f" which may end in :{', :'.join(_SAYABLE)}"
    )
    return bad_input("mapping", problem, "bad_mapping")


class _Places:
    """Where the columns of a header stand; made once, for headers and mappings of any length."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._counts = Counter(names)
        self._index = {name: index for index, name in enumerate(names)}

    def index_of(self, name: str, field: str) -> int:
        """Return a column's index; raise a 400 naming ``field`` if there is not one such column."""
        count = self._counts[name]
        if count == 1:
            return self._index[name]
        if count:
            problem = f"the file has {count} columns {shown(name)}; allowed is one"
            raise bad_input(field, problem, "bad_mapping")
        problem = f"the file has no column {shown(name)}; it has {_listed(name, self._names)}"
        raise bad_input(field, problem, "bad_mapping")


def _listed(name: str, names: Sequence[str]) -> str:
    """Return the names of columns for an error, those that are like ``name`` first."""
    by_letters = {each.casefold(): each for each in names if each}
    near = [by_letters[each] for each in get_close_matches(name.casefold(), by_letters, 3)]
    listed = list(dict.fromkeys([*near, *filter(None, names)]))
    if not listed:
        return "none"
    more = len(listed) - _MOST_COLUMNS_NAMED
    rest = [f"{more} more"] if more > 0 else []
    return ", ".join([*map(shown, listed[:_MOST_COLUMNS_NAMED]), *rest])


def _check_free(field: MappedField, written: str, taken: Collection[tuple[Target, str]]) -> None:
    """Raise a 400 when another column has the field; the parts of a name and the name are one."""
    is_taken = (field.target, field.key) in taken
    if field.target is Target.NAME_PART:
        is_taken |= (Target.TRAIT, "name") in taken
    elif (field.target, field.key) == (Target.TRAIT, "name"):
        is_taken |= any(target is Target.NAME_PART for target, _ in taken)
    if is_taken:
        problem = f"{shown(written)} is mapped twice; allowed is one column for a field"
        raise bad_input("mapping", problem, "bad_mapping")


def _format_of(field: MappedField, name: str, written: str) -> DateFormat:
    is_date = field.type in (CellType.DATE, CellType.AUTO) or field.target is Target.OPT_OUT
    if not is_date:
        problem = f"{shown(name)} is no column of dates; allowed are {', '.join(_DATES)}, custom"
        raise bad_input("date_format", f"{problem}:NAME and {OPT_OUT}", "bad_mapping")
    return parse_date_format(written)
