"""CSV import: rows become contacts page by page, bad ones are reported by line (contract §2)."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from halo_engine.contacts.calls import Answer, Call
from halo_engine.contacts.doors import CSV, TRAIT_COLUMNS
from halo_engine.contacts.matching import write_one_by_one
from halo_engine.contacts.people import Person
from halo_engine.contacts.reading import Reading, read_person
from halo_engine.contacts.revenue import REVENUE
from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields import BARE_CUSTOM, check_name
from halo_engine.domain.traits import RESERVED, check_external_id
from halo_engine.work import Organization, Work

PAGE_SIZE: Final = 1000
#: An answer names this many bad rows, and counts them all.
MOST_ERRORS_SHOWN: Final = 1000
#: In characters; whatever is longer is no row of a spreadsheet.
LONGEST_LINE: Final = 1_000_000

#: A row, or why there is none on these lines.
_Row = list[str] | csv.Error

_EXTERNAL_ID: Final = "external_id"
_LONGEST_NUMBER: Final = 400
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")


class ImportCsvCall(Call):
    """A CSV file's text, and which of its columns are which field.

    Fields are ``external_id``, the recognised traits, ``role``, ``plan``, ``avatar`` and
    ``custom:NAME``. Columns that are not mapped are passed over.
    """

    text: str
    mapping: dict[str, str]


class BadRow(Answer):
    """A row that was left out: its first line, the header being 1, and why."""

    line: int
    code: str
    message: str


class ImportCsvAnswer(Answer):
    """What became of the rows: ``bad`` counts those left out, ``errors`` shows the first 1,000."""

    created: int
    updated: int
    bad: int
    errors: tuple[BadRow, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where in a row each field is, and how many cells a row has at most."""

    places: Mapping[str, int]
    width: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows on end: people in the order of their lines, and the rows that are refused.

    ``before`` says how many rows the file has before them.
    """

    before: int = 0
    people: list[Person] = field(default_factory=list)
    errors: list[BadRow] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.people) + len(self.errors)

    @property
    def after(self) -> int:
        """How many rows the file has up to the end of these."""
        return self.before + self.size


@dataclass(slots=True)
class Faults:
    """What was wrong with the rows so far: all are counted, and the first are shown."""

    bad: int = 0
    errors: list[BadRow] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)

    def add(self, page: Page) -> None:
        """Add those of the next page."""
        self.bad += len(page.errors)
        self.errors += page.errors[: MOST_ERRORS_SHOWN - len(self.errors)]
        self.warnings |= page.warnings

    def as_answer(self) -> dict[str, object]:
        """Return the fields of an answer."""
        return {
            "bad": self.bad,
            "errors": tuple(self.errors),
            "warnings": tuple(self.warnings),
        }


def import_csv(work: Work, call: ImportCsvCall) -> ImportCsvAnswer:
    """Import a file that is small enough for one transaction (contract §2, CSV import).

    Raises 400 for a mapping to no field, or of a column that the file lacks; nothing is written
    then. A bad row is an error of its own, and the others go in.
    """
    outcomes: list[bool] = []
    faults = Faults()
    for page in pages(work.org, io.StringIO(call.text, newline=""), call.mapping):
        outcomes += import_page(work, page)
        faults.add(page)
    created = sum(outcomes)
    updated = len(outcomes) - created
    return ImportCsvAnswer.model_validate(
        {"created": created, "updated": updated, **faults.as_answer()}
    )


def import_page(work: Work, page: Page) -> list[bool]:
    """Write a page in two statements; return for each person if the contact was created.

    Rows match a contact by external ID, else by email, those of the same page included. New ones
    are seen at their sign-up, and ``user_created`` series react; changes are silent.
    """
    return write_one_by_one(work, CSV, page.people)


def pages(
    org: Organization,
    file: TextIO,
    mapping: Mapping[str, str],
    size: int = PAGE_SIZE,
    *,
    done: int = 0,
) -> Iterator[Page]:
    """Read a file page by page, so that its length needs no memory; raises 400 for a bad mapping.

    ``file`` is open with ``newline=""``; with ``errors="surrogateescape"`` bytes that are not UTF-8
    are the fault of their rows alone. A page ends after ``done`` rows, if there are as many.
    """
    rows = _rows(_lines(file))
    _, header = next(rows, (1, []))
    columns = _columns(_cells(header), mapping)
    page = Page()
    for line, row in rows:
        if not row:
            continue
        _add(page, org, columns, line, row)
        if page.size >= size or page.after == done:
            yield page
            page = Page(page.after)
    yield page


def open_csv(path: Path) -> TextIO:
    """Open a file the way that ``pages`` wants it."""
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _add(page: Page, org: Organization, columns: _Columns, line: int, row: _Row) -> None:
    try:
        reading = _read(org, columns, _cells(row))
    except Refusal as refusal:
        page.errors.append(BadRow(line=line, code=refusal.code, message=refusal.message))
    else:
        page.people.append(reading.person)
        page.warnings.update(dict.fromkeys(reading.warnings))


def _cells(row: _Row) -> list[str]:
    if isinstance(row, csv.Error):
        raise bad_input("row", f"is not CSV: {row}", "bad_row")
    return row


def _columns(header: list[str], mapping: Mapping[str, str]) -> _Columns:
    names = [name.removeprefix("\ufeff") for name in header]
    places: dict[str, int] = {}
    for column, target in mapping.items():
        trait = _trait(target)
        if names.count(column) != 1:
            problem = f"the file has {names.count(column)} columns {shown(column)}; allowed is one"
            raise bad_input("mapping", problem, "bad_mapping")
        if trait in places:
            problem = f"{shown(target)} is mapped twice; allowed is one column for a field"
            raise bad_input("mapping", problem, "bad_mapping")
        places[trait] = names.index(column)
    return _Columns(places, len(header))


def _trait(target: str) -> str:
    """Return the trait that a field is sent as; a 400 for what is no field."""
    if target == _EXTERNAL_ID or target in TRAIT_COLUMNS or target in BARE_CUSTOM:
        return target
    name = target.removeprefix("custom:")
    if name == target or name in TRAIT_COLUMNS or name in RESERVED:
        known = ", ".join((_EXTERNAL_ID, *TRAIT_COLUMNS, *BARE_CUSTOM))
        problem = f"{shown(target)} is no field; allowed are {known} and custom:NAME"
        raise bad_input("mapping", problem, "bad_mapping")
    return check_name("mapping", name)


def _lines(file: TextIO) -> Iterator[str]:
    """Read lines of bounded length; a longer one becomes a NUL, which no field may hold."""
    while line := file.readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line.endswith("\n"):
            yield line
            continue
        while line and not line.endswith("\n"):
            line = file.readline(LONGEST_LINE)
        yield "\0\n"


def _rows(lines: Iterator[str]) -> Iterator[tuple[int, _Row]]:
    """Return the rows, each with its first line, the header as the row of line 1."""
    # Else a quote that is never closed would make one cell of all that follows it.
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error
        else:
            yield line, row


def _read(org: Organization, columns: _Columns, row: list[str]) -> Reading:
    if len(row) > columns.width:
        problem = f"has {len(row)} cells; allowed are {columns.width}, as in the header"
        raise bad_input("row", problem, "bad_row")
    given = {
        name: row[place]
        for name, place in columns.places.items()
        if place < len(row) and row[place] != ""
    }
    external_id = given.pop(_EXTERNAL_ID, None)
    if external_id is not None:
        check_external_id(external_id, _EXTERNAL_ID)
    elif "email" not in given:
        raise bad_input("row", "names nobody; needed is an external_id or an email", "bad_row")
    return read_person(org, external_id, {name: _value(name, cell) for name, cell in given.items()})


def _value(name: str, cell: str) -> str | float | bool:
    """Return what a cell says: numbers and booleans where the field is one, else its text."""
    if name in REVENUE and _NUMBER.fullmatch(cell) and len(cell) <= _LONGEST_NUMBER:
        return int(cell) if _WHOLE.fullmatch(cell) else float(cell)
    if name == "on_contract":
        return {"true": True, "false": False}.get(cell.lower(), cell)
    return cell
