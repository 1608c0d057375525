"""CSV files as programs write them: encoding, line ends, separator, header and rows (contract §2).

What a file holds is bounded everywhere: a file that never ends is read in the memory of a page, and
one whose line never ends is refused.
"""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from halo_engine.domain.errors import Refusal, bad_input, shown

#: In characters; whatever is longer is no row of a spreadsheet, and is left out.
LONGEST_ROW: Final = 1_000_000
#: A file with a line that is longer is no CSV file, and is read no further.
LONGEST_LINE: Final = 16_000_000

#: Separators that a header is searched for, and what they are called.
SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "|"}

#: What a file begins with that says its own encoding.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARK: Final = "\ufeff"
_LINE_ENDS: Final = ("\n", "\r")
#: Excel's own first line: it names the separator.
_NAMES_SEPARATOR: Final = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)

#: A byte that the encoding has no character for is read as a lone surrogate of its number.
_KEEP_BYTES: Final = "halo.keep_bytes"
_FIRST_KEPT: Final = 0xDC00
_KEPT: Final = re.compile("[\udc00-\udcff]")

#: What is read: a row, or why there is none on these lines.
Row = Sequence[str] | csv.Error


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    kept = error.object[error.start : error.end]
    return "".join(chr(_FIRST_KEPT + byte) for byte in kept), error.end


codecs.register_error(_KEEP_BYTES, _keep_bytes)


@dataclass(frozen=True, slots=True)
class Header:
    """The names of a file's columns without blanks around them, and what separates them."""

    names: Sequence[str]
    separator: str


def open_csv(path: Path, encoding: str | None = None) -> TextIO:
    """Open a file: in ``encoding``, else as its mark says, else as UTF-8.

    Raises 400 for an encoding that there is not, OSError for a file that cannot be read.
    """
    if encoding is not None:
        _check_encoding(encoding)
    binary = path.open("rb")
    beginning = binary.peek(len(codecs.BOM_UTF8))
    marked = (name for mark, name in _MARKS if beginning.startswith(mark))
    chosen = encoding or next(marked, "utf-8")
    return io.TextIOWrapper(binary, chosen, errors=_KEEP_BYTES, newline="")


def undecoded(text: str) -> int | None:
    """Return the first byte in ``text`` that its file's encoding has no character for, or None."""
    found = _KEPT.search(text)
    return None if found is None else ord(found[0]) - _FIRST_KEPT


def not_decoded(where: str, byte: int, encoding: str) -> Refusal:
    """Make the 400 for a byte that the encoding has no character for."""
    problem = (
        f"byte 0x{byte:02X} is not {encoding.upper()}; name the file's encoding by --encoding,"
        " such as windows-1252"
    )
    return bad_input(where, problem, "bad_encoding")


class CsvReader:
    """A file, or a text, that is read row by row; the header is read when this is made.

    ``file`` is open with ``newline=""``; a text of which the encoding is known (``open_csv``)
    names it where a byte is no character. Raises 400 for a header that cannot be read, and while
    reading for a line that does not end.
    """

    def __init__(self, file: TextIO, separator: str | None = None) -> None:
        self._lines = _Lines(file)
        self.encoding: str | None = getattr(file, "encoding", None)
        given = None if separator is None else separator_of(separator)
        try:
            _pass_over_blank_lines(self._lines)
            named = _take_named_separator(self._lines)
            self.header = _read_header(self._lines, given or named, self.encoding)
        except csv.Error as error:
            raise bad_input("header", f"is not CSV: {error}", "bad_header") from None

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield what follows the header, each row with its first line, the first of the file being
        1; empty lines are passed over.
        """
        lines = self._lines
        # Else a quote that is never closed would make one cell of all that follows it.
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
                if len(row) > 1 or (row and row[0].strip()):
                    yield first, row


class _Lines:
    """The lines of a file, as the csv module wants them, but of bounded length."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self._length = 0
        self.number = 0
        #: Those of the row that is being read.
        self.of_row: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > LONGEST_ROW:
            self._end_line(line)
        self._length += len(line)
        if self._length > LONGEST_ROW:
            raise csv.Error(f"longer than {LONGEST_ROW:,} characters")
        self.of_row.append(line)
        return line

    def begin_row(self) -> int:
        """Return the number of the line at which the next row begins."""
        self._length = 0
        self.of_row.clear()
        return self.number + 1

    def read_again(self, lines: Sequence[str]) -> None:
        """Read the row again, as these lines."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)
        self.begin_row()

    def _read(self) -> str:
        try:
            return self._file.readline(LONGEST_ROW + 1)
        except UnicodeError as error:
            problem = f"cannot be read ({error}); name the file's encoding by --encoding"
            raise bad_input("file", problem, "bad_encoding") from None

    def _end_line(self, line: str) -> None:
        """Pass over the rest of a line that is too long for a row."""
        read = len(line)
        while line and not line.endswith(_LINE_ENDS):
            if read > LONGEST_LINE:
                problem = (
                    f"line {self.number} does not end within {LONGEST_LINE:,} characters; "
                    "allowed is a file of lines"
                )
                raise bad_input("file", problem, "endless_line")
            line = self._read()
            read += len(line)


def separator_of(text: str) -> str:
    """Return the separator that ``text`` is, or is the name of; else raise a 400."""
    named = {name: separator for separator, name in SEPARATORS.items()} | {"\\t": "\t"}
    separator = named.get(text, text)
    is_one = len(separator) == 1 and (separator == "\t" or separator.isprintable())
    if is_one and separator not in '" ':
        return separator
    problem = f"{shown(text)} separates no cells; allowed are one character, tab, comma, semicolon"
    raise bad_input("separator", problem, "bad_separator")


def _check_encoding(encoding: str) -> None:
    try:
        "id,é".encode(encoding, "replace").decode(encoding, "replace")
    except (LookupError, UnicodeError, ValueError):
        problem = (
            f"{shown(encoding)} is no encoding; allowed are utf-8, utf-16, windows-1252, "
            "iso-8859-1, mac-roman, shift_jis and others that Python knows"
        )
        raise bad_input("encoding", problem, "bad_encoding") from None


def _reader(lines: Iterator[str], separator: str) -> Any:
    return csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)


def _next_row(reader: Any, lines: _Lines) -> list[str] | None:
    """Return the row that is next, None at the end; blanks behind a quoted cell are passed over."""
    while True:
        try:
            row: list[str] | None = next(reader, None)
        except csv.Error:
            mended = _without_blanks_behind_quotes(lines.of_row, reader.dialect.delimiter)
            if mended == lines.of_row:
                raise
            lines.read_again(mended)
        else:
            return row


def _without_blanks_behind_quotes(lines: Sequence[str], separator: str) -> list[str]:
    """Return lines of a row that the csv module refused, with the blanks that it minds taken out.

    Between quotes, every other part of the text lies outside of them.
    """
    parts = "".join(lines).split('"')
    for place in range(2, len(parts), 2):
        rest = parts[place].lstrip(" ")
        if rest.startswith((separator, *_LINE_ENDS)) or not rest:
            parts[place] = rest
    return list(io.StringIO('"'.join(parts), newline=""))


def _placed(error: csv.Error, first: int, last: int) -> csv.Error:
    """Say which lines are left out, where it is more than one."""
    return error if last <= first else csv.Error(f"{error} (lines {first} to {last} are left out)")


def _pass_over_blank_lines(lines: _Lines) -> None:
    """Read on to the first line with something between the separators."""
    blank = "".join(SEPARATORS) + " \r\n\xa0" + _MARK
    for line in lines:
        if line.strip(blank):
            lines.read_again([line.lstrip(_MARK)])
            return
        lines.begin_row()


def _take_named_separator(lines: _Lines) -> str | None:
    line = next(lines, "")
    named = _NAMES_SEPARATOR.fullmatch(line)
    if named is None:
        lines.read_again([line] if line else [])
        return None
    _pass_over_blank_lines(lines)
    return named[1]


def _read_header(lines: _Lines, separator: str | None, encoding: str | None) -> Header:
    found = _first_rows(lines, [separator] if separator else list(SEPARATORS))
    most = max(map(len, found.values()), default=0)
    best = [each for each, row in found.items() if len(row) == most]
    if len(best) > 1 and most > 1:
        tied = " and ".join(SEPARATORS[each] for each in best)
        problem = f"{tied} separate it alike; say which one does by --separator"
        raise bad_input("header", problem, "bad_header")
    if not best:
        problem = "is not CSV: a quote in it is not closed"
        raise bad_input("header", problem, "bad_header")
    names = [name.strip() for name in found[best[0]]]
    _next_row(_reader(lines, best[0]), lines)
    _check_characters(names, lines.number, encoding)
    return Header(names, best[0])


def _first_rows(lines: _Lines, separators: Sequence[str]) -> dict[str, list[str]]:
    """Return the first row as each separator makes it; it is read again after that."""
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
