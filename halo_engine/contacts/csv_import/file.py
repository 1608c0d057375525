"""CSV files as programs write them: separator, header and rows (contract §2).

Memory is bounded: a page is in memory at a time, and a line that does not end is refused.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TextIO

from halo_engine.contacts.csv_import.text import (
    LINE_ENDS,
    MARK,
    Lines,
    bare,
    not_decoded,
    undecoded,
)
from halo_engine.domain.errors import bad_input, shown

#: Separators that are looked for in a header, and their names.
SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "|"}

#: Excel's own first line: it names the separator.
_NAMES_SEPARATOR: Final = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)

#: How DOS ends a file.
_END_OF_FILE: Final = ["\x1a"]

#: How often a row is mended. A cell of many lines may need it for each; but each time all of the
#: row is read once more.
_MOST_MENDED: Final = 100

#: A row, or why these lines could not be read as one.
Row = Sequence[str] | csv.Error


@dataclass(frozen=True, slots=True)
class Header:
    """The names of a file's columns, without blanks around them, and their separator."""

    names: Sequence[str]
    separator: str


class CsvReader:
    """A file, or a text, that is read row by row; the header is read when this is made.

    ``file`` is open with ``newline=""``. If it was opened by ``open_csv``, refusals of bytes that
    are no character name the encoding. Raises 400 for a header that cannot be read, and while
    reading for a line that does not end.
    """

    def __init__(self, file: TextIO, separator: str | None = None) -> None:
        self._lines = Lines(file)
        self.encoding: str | None = getattr(file, "encoding", None)
        given = None if separator is None else separator_of(separator)
        try:
            _pass_over_blank_lines(self._lines)
            named = _take_named_separator(self._lines)
            self.header = _read_header(self._lines, given or named, self.encoding)
        except csv.Error as error:
            raise bad_input("header", f"is not CSV: {error}", "bad_header") from None

    @property
    def position(self) -> int:
        """Where the next row begins; the file must be seekable."""
        return self._lines.position

    @property
    def line(self) -> int:
        """How many lines have been read."""
        return self._lines.number

    def go_on(self, position: int, line: int) -> None:
        """Go on with the row at a position, after a line of that number."""
        self._lines.go_on(position, line)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield the rows behind the header, each with its first line, the file's first being 1.

        Blank lines are skipped, and the header where files were put together.
        """
        lines, names = self._lines, list(self.header.names)
        # Else a quote that is never closed would put the rest of the file into one cell.
        reader = _reader(lines, self.header.separator)
        while True:
            first = lines.begin_row()
            try:
                row = _next_row(reader, lines)
            except csv.Error as error:
                yield first, _placed(error, first, lines.number)
            else:
                if row is None:
                    return
                if any(map(str.strip, row)) and not _is_no_data(row, names):
                    yield first, row


def separator_of(text: str) -> str:
    """Return the separator that ``text`` is or names; raise a 400 for anything else."""
    named = {name: separator for separator, name in SEPARATORS.items()} | {"\\t": "\t"}
    separator = named.get(text, text)
    is_one = len(separator) == 1 and (separator == "\t" or separator.isprintable())
    if is_one and separator not in '" ':
        return separator
    problem = f"{shown(text)} separates no cells; allowed are one character, tab, comma, semicolon"
    raise bad_input("separator", problem, "bad_separator")


def _reader(lines: Iterator[str], separator: str) -> Any:
    return csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)


def _is_no_data(row: Sequence[str], names: list[str]) -> bool:
    """Whether a row is the header once more, or the end of the file."""
    if bare(row[0]) not in (names[0], *_END_OF_FILE):
        return False
    return [bare(cell) for cell in row] in (names, _END_OF_FILE)


def _next_row(reader: Any, lines: Lines) -> list[str] | None:
    """Return the next row, None at the end.

    A row that is refused is mended: of blanks behind a quoted cell, and of quotes that are escaped
    by a backslash, as PHP and MySQL write them.
    """
    for _ in range(_MOST_MENDED):
        try:
            row: list[str] | None = next(reader, None)
        except csv.Error:
            mended = _without_blanks_behind_quotes(lines.of_row, reader.dialect.delimiter)
            if mended == lines.of_row:
                mended = [line.replace('\\"', '""') for line in mended]
            if mended == lines.of_row:
                raise
            lines.read_again(mended)
        else:
            return row
    return next(reader, None)


def _without_blanks_behind_quotes(lines: Sequence[str], separator: str) -> list[str]:
    """Return the lines of a refused row without the blanks behind quoted cells.

    Splitting at quotes leaves every other part outside of them.
    """
    parts = "".join(lines).split('"')
    for index in range(2, len(parts), 2):
        rest = parts[index].lstrip(" ")
        if rest.startswith((separator, *LINE_ENDS)) or not rest:
            parts[index] = rest
    return list(io.StringIO('"'.join(parts), newline=""))


def _placed(error: csv.Error, first: int, last: int) -> csv.Error:
    """Name the lines that are left out, if there are several."""
    return error if last <= first else csv.Error(f"{error} (lines {first} to {last} are left out)")


def _pass_over_blank_lines(lines: Lines) -> None:
    """Skip lines that hold nothing but separators and blanks."""
    blank = "".join(SEPARATORS) + " \r\n\xa0" + MARK
    for line in lines:
        if line.strip(blank):
            lines.read_again([line.lstrip(MARK)])
            return
        lines.begin_row()


def _take_named_separator(lines: Lines) -> str | None:
    line = next(lines, "")
    named = _NAMES_SEPARATOR.fullmatch(line)
    if named is None:
        lines.read_again([line] if line else [])
        return None
    _pass_over_blank_lines(lines)
    return named[1]


def _read_header(lines: Lines, separator: str | None, encoding: str | None) -> Header:
    tried = [separator] if separator else list(SEPARATORS)
    found = _first_rows(lines, tried)
    most = max(map(len, found.values()), default=0)
    # One column alone is no sign of a separator where another one failed.
    is_sure = most > 1 or len(found) == len(tried)
    best = [each for each, row in found.items() if is_sure and len(row) == most]
    if len(best) > 1 and most > 1:
        tied = " and ".join(SEPARATORS[each] for each in best)
        problem = f"{tied} separate it alike; say which one does by --separator"
        raise bad_input("header", problem, "bad_header")
    if not best:
        problem = "is not CSV: a quote in it is not closed"
        raise bad_input("header", problem, "bad_header")
    names = [bare(name) for name in found[best[0]]]
    _next_row(_reader(lines, best[0]), lines)
    _check_characters(names, lines.number, encoding)
    return Header(names, best[0])


def _first_rows(lines: Lines, separators: Sequence[str]) -> dict[str, list[str]]:
    """Return the first row as split by each separator; the caller reads it again."""
    found: dict[str, list[str]] = {}
    for separator in separators:
        lines.begin_row()
        with suppress(csv.Error):
            found[separator] = _next_row(_reader(lines, separator), lines) or []
        lines.read_again(list(lines.of_row))
    return found


def _check_characters(names: Sequence[str], line: int, encoding: str | None) -> None:
    text = "".join(names)
    if encoding is not None and (byte := undecoded(text)) is not None:
        raise not_decoded(f"header, line {line}", byte, encoding)
    if "\0" in text:
        problem = "has NUL characters, as UTF-16 without a mark has; try --encoding utf-16-le"
        raise bad_input("header", problem, "bad_header")
