"""Reads the rows of a CSV file as people to write, page by page (contract §2).

Bad rows and cells are reported by line.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, TextIO

from pydantic import Field

from halo_engine.contacts.calls import Call
from halo_engine.contacts.csv_import.cells import (
    SEVERAL_ADDRESSES,
    addresses_in,
    joins_list,
    read_cell,
    wants_no_mail,
)
from halo_engine.contacts.csv_import.external_ids import check_is_somebody, read_external_id
from halo_engine.contacts.csv_import.file import CsvReader, Row
from halo_engine.contacts.csv_import.mapping import (
    CellType,
    Column,
    Target,
    columns_of,
)
from halo_engine.contacts.csv_import.page import BadCell, BadRow, CsvPage, ListChanges, Start
from halo_engine.contacts.csv_import.text import bare, not_decoded, undecoded
from halo_engine.contacts.writing.people import Person
from halo_engine.contacts.writing.reading import ReadPerson, read_person
from halo_engine.contacts.writing.registry import seen_types
from halo_engine.domain.errors import Refusal, bad_input
from halo_engine.work import Organization

PAGE_SIZE: Final = 1000

#: Cells that ``lenient`` never leaves out: without the ID or the opt-out the row would do harm.
_NEVER_LEFT_OUT: Final = (Target.EXTERNAL_ID, Target.OPT_OUT)

_DATE_HINT: Final = (
    "; how a column writes dates, such as DD.MM.YYYY, is said by --date-format (in calls:"
    " date_formats)"
)


class CsvOptions(Call):
    """How a CSV file is read.

    ``mapping`` names the field of each column that is read: ``external_id``, a recognised trait,
    ``first_name``, ``last_name``, ``role``, ``plan``, ``avatar``, ``custom:NAME`` (which may end
    in ``:text``, ``:number``, ``:boolean`` or ``:date``), ``list:KEY``, ``unsubscribed``. Other
    columns are passed over. ``separator`` is read from the header unless given. ``date_formats``
    names columns and how they write dates (``DD.MM.YYYY``). ``empty`` are words that mean an empty
    cell. ``lenient`` leaves out a bad cell alone rather than its row. ``most`` rows are read.
    """

    mapping: dict[str, str]
    separator: str | None = None
    date_formats: dict[str, str] = Field(default_factory=dict)
    empty: list[str] = Field(default_factory=list)
    lenient: bool = False
    most: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller looked up before a file is read: the registered types of custom fields."""

    types: Mapping[str, str] = field(default_factory=dict)


NOTHING_KNOWN: Final = Known()


def pages(
    org: Organization,
    file: TextIO,
    how: CsvOptions,
    known: Known = NOTHING_KNOWN,
    size: int = PAGE_SIZE,
    *,
    done: int = 0,
    start: Start | None = None,
) -> Iterator[CsvPage]:
    """Read a file page by page, so that a long file needs no more memory than a short one.

    ``file`` is opened by ``text.open_csv``, or a text with ``newline=""``. A page ends after the
    first ``done`` rows. With ``start`` it goes on from there, and each page says where it ends; the
    file must be seekable. Raises a 400 for a bad mapping or header, and for a line that does not
    end.
    """
    reader = CsvReader(file, how.separator)
    rows = _RowReader(org, reader, how, known)
    if start is not None and start.position is not None:
        reader.go_on(start.position, start.line)
    page = CsvPage() if start is None else CsvPage(start.rows, start.line)
    for line, row in reader.rows():
        rows.add_to(page, line, row)
        if page.after == how.most:
            break
        if page.size >= size or page.after == done:
            yield _ended(page, reader, start)
            page = CsvPage(page.after, page.last_line)
    yield _ended(page, reader, start)


def _ended(page: CsvPage, reader: CsvReader, start: Start | None) -> CsvPage:
    if start is not None:
        page.position, page.last_line = reader.position, reader.line
    return page


@dataclass(slots=True)
class _Said:
    """The values of one row's cells, and the cells that are left out."""

    traits: dict[str, object]
    external_id: str | None = None
    first_name: str = ""
    last_name: str = ""
    joins: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    opts_out: bool = False
    faults: tuple[BadCell, ...] = ()
    warnings: tuple[str, ...] = ()

    def leave_out(self, column: Column, why: Refusal) -> None:
        """Note a cell that is left out; as text: an exception would keep the row in memory."""
        fault = BadCell(line=0, column=column.name, code=why.code, message=why.message)
        self.faults = (*self.faults, fault)

    def list_changes(self) -> ListChanges | None:
        """Return the row's changes of lists, if any; a contact that opts out joins none."""
        if self.opts_out:
            return ListChanges(opts_out=True)
        if self.joins or self.leaves:
            return ListChanges(self.joins, self.leaves)
        return None


class _RowReader:
    """Reads rows as if each were imported before the next one is read.

    So the first value of a custom field that is not registered yet decides its type for the rows
    that follow, and importing the file again changes nothing.
    """

    def __init__(self, org: Organization, reader: CsvReader, how: CsvOptions, known: Known) -> None:
        self._org = org
        self._zone = org.zone
        self._encoding = reader.encoding
        self._lenient = how.lenient
        self._empty = frozenset(["", *(word.strip() for word in how.empty)])
        self._width = len(reader.header.names)
        self._columns = columns_of(reader.header.names, how.mapping, how.date_formats)
        self._by_index = [(each.index, each) for each in self._columns]
        self._untyped = [each.key for each in self._columns if each.type is CellType.AUTO]
        self._types = dict(known.types)

    def add_to(self, page: CsvPage, line: int, row: Row) -> None:
        """Read a row into the page: a person, or why there is none."""
        page.last_line = line
        try:
            said = self._read(_cells(row))
            reading = self._person(said)
        except Refusal as refusal:
            page.errors.append(BadRow(line=line, code=refusal.code, message=refusal.message))
            return
        person = self._as_first_seen(page, reading.person)
        changes = said.list_changes()
        if changes is not None:
            page.list_changes[len(page.people)] = changes
        page.people.append(person)
        page.lines.append(line)
        page.warnings.update(dict.fromkeys(reading.warnings + said.warnings))
        page.cell_errors += [each.model_copy(update={"line": line}) for each in said.faults]

    def _read(self, cells: Sequence[str]) -> _Said:
        if len(cells) > self._width and any(cell.strip() for cell in cells[self._width :]):
            problem = f"has {len(cells)} cells; allowed are {self._width}, as in the header"
            raise bad_input("row", problem, "bad_row")
        said = _Said({})
        count = len(cells)
        for index, column in self._by_index:
            cell = bare(cells[index]) if index < count else ""
            if cell in self._empty:
                continue
            try:
                if column.target is Target.TRAIT:
                    said.traits[column.key] = self._trait(said, column, cell)
                else:
                    self._take(said, column, cell)
            except Refusal as refusal:
                if not self._lenient or column.target in _NEVER_LEFT_OUT:
                    raise self._reason(column, cell, refusal) from None
                said.leave_out(column, self._reason(column, cell, refusal))
        if said.external_id and "email" not in said.traits:
            check_is_somebody(said.external_id, cells, self._width)
        if said.first_name or said.last_name:
            said.traits["name"] = f"{said.first_name} {said.last_name}".strip()
        return said

    def _trait(self, said: _Said, column: Column, cell: str) -> object:
        if column.type is CellType.TEXT:
            return cell
        if column.type is CellType.EMAIL:
            address, *others = addresses_in(cell)
            if others:
                said.warnings = (*said.warnings, SEVERAL_ADDRESSES)
            return address
        return read_cell(column, cell, self._zone, self._types.get(column.key))

    def _take(self, said: _Said, column: Column, cell: str) -> None:
        match column.target:
            case Target.EXTERNAL_ID:
                said.external_id = read_external_id(cell, column.key)
            case Target.NAME_PART:
                setattr(said, column.key, cell)
            case Target.LIST if joins_list(column, cell):
                said.joins = (*said.joins, column.key)
            case Target.LIST:
                said.leaves = (*said.leaves, column.key)
            case Target.OPT_OUT:
                said.opts_out = wants_no_mail(column, cell, self._zone)

    def _person(self, said: _Said) -> ReadPerson:
        """Check the row; if lenient, leave out the cells that are refused by themselves."""
        if said.external_id is None and "email" not in said.traits:
            if said.faults:
                raise Refusal(400, said.faults[0].code, said.faults[0].message)
            problem = "names nobody; needed is an external_id or an email"
            raise bad_input("row", problem, "bad_row")
        try:
            return read_person(self._org, said.external_id, said.traits)
        except Refusal:
            if not self._leaves_out_bad_cells(said):
                raise
        return self._person(said)

    def _leaves_out_bad_cells(self, said: _Said) -> bool:
        """Leave out the cells that are refused by themselves; return whether there are any.

        If not lenient, the first of them refuses the row.
        """
        by_trait = {_trait_of(each): each for each in self._columns}
        count = len(said.faults)
        for name, value in list(said.traits.items()):
            try:
                read_person(self._org, said.external_id, {name: value})
            except Refusal as refusal:
                if not self._lenient:
                    raise self._reason(by_trait[name], str(value), refusal) from None
                said.leave_out(by_trait[name], self._reason(by_trait[name], str(value), refusal))
                del said.traits[name]
        return len(said.faults) > count

    def _reason(self, column: Column, cell: str, refusal: Refusal) -> Refusal:
        """Add to the refusal how to correct the cell, if that is known."""
        byte = undecoded(cell) if self._encoding else None
        if self._encoding and byte is not None:
            return not_decoded(column.name, byte, self._encoding)
        if refusal.code == "bad_date" and column.date_format is None:
            return Refusal(refusal.status, refusal.code, refusal.message + _DATE_HINT)
        return refusal

    def _as_first_seen(self, page: CsvPage, person: Person) -> Person:
        """Register a custom field by its value in the first row that has it.

        The page is written contact by contact, in another order, so this notes the value.
        """
        for name in self._untyped:
            if name in person.custom and name not in self._types:
                page.first_values[name] = person.custom[name]
                self._types |= seen_types({name: person.custom[name]}, self._zone)
        if not page.first_values:
            return person
        first = {name: each for name, each in page.first_values.items() if name in person.custom}
        return replace(person, registered_by=first)


def _cells(row: Row) -> Sequence[str]:
    if isinstance(row, csv.Error):
        raise bad_input("row", f"is not CSV: {row}", "bad_row")
    return row


def _trait_of(column: Column) -> str:
    return "name" if column.target is Target.NAME_PART else column.key
