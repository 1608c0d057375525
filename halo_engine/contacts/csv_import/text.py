"""The text of a CSV file, line by line: encodings, and bounds for endless lines (contract §2)."""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

from halo_engine.domain.errors import Refusal, bad_input, shown

#: In characters; a longer row is left out.
LONGEST_ROW: Final = 1_000_000
#: In characters; a longer line ends the import.
LONGEST_LINE: Final = 16_000_000

#: Byte-order marks, which say a file's encoding.
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MARK: Final = "\ufeff"
#: How files begin that are taken for CSV by mistake, and what they are.
_NO_CSV: Final = (
    (b"PK\x03\x04", "an Excel workbook, or another packed file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a packed file"),
    (b"%PDF", "a PDF"),
)
#: Marks that show nothing and come along with text that was copied: joiners, directions of writing.
_MARKS: Final = MARK + "".join(
    map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A)))
)
LINE_ENDS: Final = ("\n", "\r")
_LONGEST_BEGINNING: Final = 4
#: An apostrophe that keeps a spreadsheet from taking a text for a formula or a number; programs
#: write it, and we do (``export.py``).
_KEEPS_TEXT: Final = re.compile(r"'(?=[=+\-@]|[0-9]+$)")
#: A formula of Excel's that is a text alone.
_FORMULA: Final = re.compile(r'="[^"]*(?:""[^"]*)*"')
#: An error handler: it reads a byte that the encoding has no character for as a lone surrogate.
_KEEP_BYTES: Final = "halo.keep_bytes"
_FIRST_KEPT: Final = 0xDC00
_KEPT: Final = re.compile("[\udc00-\udcff]")


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    kept = error.object[error.start : error.end]
    return "".join(chr(_FIRST_KEPT + byte) for byte in kept), error.end


codecs.register_error(_KEEP_BYTES, _keep_bytes)


def open_csv(path: Path, encoding: str | None = None) -> TextIO:
    """Open a file: in ``encoding``, else as its mark says, else as UTF-8.

    Raises 400 for an unknown encoding and for a file that is no text, OSError for one that cannot
    be read.
    """
    binary = path.open("rb")
    try:
        return as_text(binary, encoding)
    except BaseException:
        binary.close()
        raise


def as_text(binary: io.BufferedReader, encoding: str | None = None) -> TextIO:
    """Return the text of an open file: in ``encoding``, else as its mark says, else as UTF-8.

    Raises 400 for an unknown encoding, and for a file that is no text.
    """
    if encoding is not None:
        _check_encoding(encoding)
    beginning = binary.peek(_LONGEST_BEGINNING)
    for start, what in _NO_CSV:
        if beginning.startswith(start):
            raise no_csv(f"is {what}")
    marked = (name for mark, name in _BYTE_ORDER_MARKS if beginning.startswith(mark))
    chosen = encoding or next(marked, "utf-8")
    return io.TextIOWrapper(binary, chosen, errors=_KEEP_BYTES, newline="")


def no_csv(problem: str) -> Refusal:
    """Make the 400 for a file that is no CSV."""
    allowed = "allowed is CSV, as spreadsheets save it (“CSV UTF-8”)"
    return bad_input("file", f"{problem}; {allowed}", "bad_header")


def bare(cell: str) -> str:
    """Return a cell without blanks around it, and without marks that show nothing.

    ``="0012"`` and ``'0012`` are ``0012``: programs write a formula, or an apostrophe, so that
    Excel keeps the zeros.
    """
    cell = cell.strip() if cell.isascii() else cell.strip().strip(_MARKS).strip()
    if cell.startswith("'"):
        return cell[1:] if _KEEPS_TEXT.match(cell) else cell
    is_formula = cell.startswith('="') and _FORMULA.fullmatch(cell)
    return cell[2:-1].replace('""', '"') if is_formula else cell


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


class Lines:
    """The lines of a file, for the csv module, with bounded length."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self._length = 0
        self.number = 0
        #: The lines of the row that is being read.
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

    @property
    def position(self) -> int:
        """Where the next line begins, for ``go_on``; the file must be seekable."""
        return self._file.tell()

    def go_on(self, position: int, number: int) -> None:
        """Go on at a position, after line ``number``."""
        self._file.seek(position)
        self._again.clear()
        self.number = number
        self.begin_row()

    def begin_row(self) -> int:
        """Return the number of the line at which the next row begins."""
        self._length = 0
        self.of_row.clear()
        return self.number + 1

    def read_again(self, lines: Sequence[str]) -> None:
        """Let these lines be read again as the row."""
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
        """Skip the rest of a line that is too long for a row."""
        read = len(line)
        while line and not line.endswith(LINE_ENDS):
            if read > LONGEST_LINE:
                problem = (
                    f"line {self.number} does not end within {LONGEST_LINE:,} characters; "
                    "allowed is a file of lines"
                )
                raise bad_input("file", problem, "endless_line")
            line = self._read()
            read += len(line)


def _check_encoding(encoding: str) -> None:
    try:
        "id,é".encode(encoding, "replace").decode(encoding, "replace")
    except (LookupError, UnicodeError, ValueError):
        problem = (
            f"{shown(encoding)} is no encoding; allowed are utf-8, utf-16, windows-1252, "
            "iso-8859-1, mac-roman, shift_jis and others that Python knows"
        )
        raise bad_input("encoding", problem, "bad_encoding") from None
