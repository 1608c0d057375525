"""A page of a CSV file: consecutive rows, as they are read and reported (§2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from halo_engine.contacts.writing.people import Person
from halo_engine.domain.answer import Answer


class BadRow(Answer):
    """A row that was left out: its first line, the first of the file being 1, and why."""

    line: int
    code: str
    message: str


class BadCell(BadRow):
    """A cell that was left out of a row that went in, and its column."""

    column: str


@dataclass(frozen=True, slots=True)
class ListChanges:
    """Keys of lists that a row's contact joins and leaves, or that it opts out of all mail."""

    joins: Sequence[str] = ()
    leaves: Sequence[str] = ()
    opts_out: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Where to resume in a file: after so many rows and lines, at a position."""

    rows: int = 0
    line: int = 0
    position: int | None = None


@dataclass(slots=True)
class CsvPage:
    """Consecutive rows: people in the order of their ``lines``, and bad rows.

    ``before`` counts the file's rows before the page; ``last_line`` is its last line, and
    ``position`` where the rows after it begin, if the caller goes on from there. ``list_changes``
    are by the index of the person. ``refused`` are rows that turned out bad when the people were
    written. ``first_values`` are those of custom fields first seen on this page.
    """

    before: int = 0
    last_line: int = 0
    position: int | None = None
    people: list[Person] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    list_changes: dict[int, ListChanges] = field(default_factory=dict)
    errors: list[BadRow] = field(default_factory=list)
    refused: list[BadRow] = field(default_factory=list)
    cell_errors: list[BadCell] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    first_values: dict[str, object] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many rows the page has."""
        return len(self.people) + len(self.errors)

    @property
    def after(self) -> int:
        """How many rows the file has up to the end of the page."""
        return self.before + self.size
