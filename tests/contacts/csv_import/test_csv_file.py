"""CSV files of any separator, encoding and line end are read row by row (contract §2)."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halo_engine.contacts.csv_import import text as csv_text
from halo_engine.contacts.csv_import.file import SEPARATORS, CsvReader
from halo_engine.contacts.csv_import.text import open_csv, undecoded
from halo_engine.domain.errors import Refusal

HEADER: Final = ["ID", "E-mail", "Full name"]
#: Each with what `open_csv` is told, where the file does not say it itself.
ENCODINGS: Final = {
    "utf-8": None,
    "utf-8-sig": None,
    "utf-16": None,
    "utf-16-be": "utf-16-be",
    "windows-1252": "windows-1252",
    "koi8-r": "koi8-r",
}
#: Letters that all of those encodings have, and all that CSV gives a meaning.
CELLS: Final = st.text(st.sampled_from("aZ09,;|\t\"\r\n '=€é" + "\xa0"), max_size=8)
PLAIN_CELLS: Final = st.text(st.sampled_from("aZ09,;|\t\"\r\n '="), max_size=8)


def read(data: bytes, folder: Path, **how: Any) -> list[tuple[int, list[str]]]:
    """Return the rows of a file, with their lines, cells without blanks around them."""
    path = folder / "file.csv"
    path.write_bytes(data)
    with open_csv(path, how.get("encoding")) as file:
        reader = CsvReader(file, how.get("separator"))
        rows = list(reader.rows())
    assert list(filter(None, reader.header.names)) == HEADER
    assert [each for _, each in rows if isinstance(each, csv.Error)] == []
    return [(line, [cell.strip() for cell in row]) for line, row in rows]  # type: ignore[union-attr]


def written(row: Sequence[str], separator: str, *, quoted: bool) -> str:
    """Return a row as another program writes it: quoted where it must be, or everywhere."""
    special = {separator, '"', "\r", "\n"}
    return separator.join(
        '"' + cell.replace('"', '""') + '"' if quoted or special & set(cell) else cell
        for cell in row
    )


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_file_loses_or_doubles_a_row(tmp_path: Path, data: st.DataObject) -> None:
    """With any separator, line end and encoding each row that is not blank is read once, in
    order.
    """
    encoding, named = data.draw(st.sampled_from(list(ENCODINGS.items())))
    separator = data.draw(st.sampled_from(list(SEPARATORS)))
    ending = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quoted, gap = data.draw(st.booleans()), data.draw(st.integers(1, 2))
    cells = CELLS if encoding.startswith("utf") else PLAIN_CELLS
    rows = data.draw(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=8))
    before = data.draw(st.sampled_from(["", ending, f"{ending} {ending}", separator * 2 + ending]))
    trailing = data.draw(st.sampled_from(["", separator, f"{separator} {separator}"]))
    lines = [written(row, separator, quoted=quoted) for row in [HEADER, *rows]]
    text = before + "".join(f"{line}{trailing}{ending * gap}" for line in lines)
    found = read(text.encode(encoding), tmp_path, encoding=named)
    stripped = [[cell.strip() for cell in row] for row in rows]
    assert [row[:3] for _, row in found] == [row for row in stripped if any(row)]
    assert [cell for _, row in found for cell in row[3:] if cell] == []
    numbers = [line for line, _ in found]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("separator", SEPARATORS)
def test_the_separator_is_read_from_the_header(tmp_path: Path, separator: str) -> None:
    """The separator that makes most cells of the header is used, even if cells contain others."""
    header = separator.join(["ID", '"E-mail"', "Full name"])
    rows = separator.join(["1", '"a,b;c|d\te"', "x"])
    assert read(f"{header}\n{rows}\n".encode(), tmp_path) == [(2, ["1", "a,b;c|d\te", "x"])]


def test_a_named_separator_is_taken(tmp_path: Path) -> None:
    """The caller may name the separator, as a sign or a word; so may Excel's first line."""
    tied = b"ID^E-mail^Full name\n1^a,b;c^x\n"
    assert read(tied, tmp_path, separator="^") == [(2, ["1", "a,b;c", "x"])]
    tabs = b"ID\tE-mail\tFull name\n"
    assert read(tabs, tmp_path, separator="tab") == read(tabs, tmp_path, separator="\\t") == []
    excel = b"\xef\xbb\xbfsep=^\r\nID^E-mail^Full name\r\n1^2^3\r\n"
    assert read(excel, tmp_path) == [(3, ["1", "2", "3"])]


def refused(text: str, **how: Any) -> Refusal:
    """Return why a text is refused."""
    with pytest.raises(Refusal) as raised:
        list(CsvReader(io.StringIO(text, newline=""), **how).rows())
    assert raised.value.status == 400
    return raised.value


def test_an_ambiguous_header_is_refused() -> None:
    """The refusal names the possible separators, and how to choose one."""
    assert str(refused("Name, first;Email\nAnn;a@a.example\n")) == (
        "header: comma and semicolon separate it alike; say which one does by --separator"
    )
    assert str(refused("a,b\n", separator="ab")) == (
        "separator: ‘ab’ separates no cells; allowed are one character, tab, comma, semicolon"
    )
    assert str(refused('"ID,Email\n1,2\n')) == "header: is not CSV: a quote in it is not closed"


def test_blanks_around_cells_and_quotes_are_passed_over(tmp_path: Path) -> None:
    """Blanks around cells, also before a quoted one, are ignored; so is a blank line."""
    lines = (
        '\ufeff ID , "E-mail" ,\tFull name',
        "",
        ' 1 , "a ""b"" ,c" ,x ',
        "   ",
        '2,,"d"  ',
        '"3" ,"e" ,"f',
        '" ',
    )
    data = "\n".join(lines).encode()
    assert read(data, tmp_path) == [
        (3, ["1", 'a "b" ,c', "x"]),
        (5, ["2", "", "d"]),
        (6, ["3", "e", "f"]),
    ]


def _long_row(lines: int) -> str:
    """Return a row whose first cell has so many lines of quoted words, in each of which a quote
    must be mended.
    """
    return '"' + '\\"a\\"\n' * lines + '",ann@a.example,Ann\n'


def test_a_row_is_mended_as_often_as_a_long_note_needs_it() -> None:
    """Each line of a note may have quotes that are escaped."""
    rows = CsvReader(io.StringIO(f"{','.join(HEADER)}\n{_long_row(50)}")).rows()
    assert list(rows) == [(2, ['"a"\n' * 50, "ann@a.example", "Ann"])]


@pytest.mark.parametrize(
    "row", ['"' + "\\" * 2000 + '"b', '"a" ,' + '"\n" ,' * 1000, _long_row(1000)]
)
def test_a_row_is_mended_only_so_often(monkeypatch: pytest.MonkeyPatch, row: str) -> None:
    """Else each of its lines or backslashes would have all of it read once more."""
    mended: list[int] = []
    read_again = csv_text.Lines.read_again

    def counted(lines: csv_text.Lines, again: Sequence[str]) -> None:
        mended.append(len(again))
        read_again(lines, again)

    monkeypatch.setattr(csv_text.Lines, "read_again", counted)
    rows = list(CsvReader(io.StringIO(f"{','.join(HEADER)}\n{row}\n")).rows())
    assert isinstance(rows[0][1], csv.Error)
    assert len(mended) < 110


def test_a_mark_says_the_encoding_and_else_it_is_told(tmp_path: Path) -> None:
    """A byte-order mark gives the encoding, else the caller; an invalid byte refuses only its
    row.
    """
    path = tmp_path / "latin.csv"
    path.write_bytes("ID,Name\n1,Jörg\n2,Ann\n".encode("latin-1"))
    with open_csv(path) as file:
        [(_, first), (_, second)] = CsvReader(file).rows()
    assert not isinstance(first, csv.Error)
    assert (undecoded(first[1]), second) == (0xF6, ["2", "Ann"])
    with open_csv(path, "latin-1") as file:
        assert [row for _, row in CsvReader(file).rows()] == [["1", "Jörg"], ["2", "Ann"]]


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        ("ID;Größe\n".encode("latin-1"), None, "header, line 1: byte 0xF6 is not UTF-8; name the"),
        (b"\nI\xff,Name\n", None, "header, line 2: byte 0xFF is not UTF-8; name the"),
        ("ID,Name\n".encode("utf-16-le"), None, "header: has NUL characters, as UTF-16 without"),
        (b"ID,Name\n", "latin-99", "encoding: ‘latin-99’ is no encoding; allowed are utf-8"),
        (b"ID,Name\n", "base64", "encoding: ‘base64’ is no encoding; allowed are utf-8"),
        (b"ID,Name\n", "utf-16", "file: cannot be read (UTF-16 stream does not start with BOM)"),
    ],
)
def test_a_header_in_another_encoding_is_refused(
    tmp_path: Path, data: bytes, encoding: str | None, said: str
) -> None:
    """The refusal names the byte, its line, and how to name the file's encoding."""
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    with pytest.raises(Refusal) as raised, open_csv(path, encoding) as file:
        CsvReader(file)
    assert str(raised.value).startswith(said)
    assert "--encoding" in str(raised.value) or "allowed are" in str(raised.value)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_row_that_is_too_long_is_left_out_alone(
    monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """A row that is too long, on one line or many, is refused alone, and the next is read."""
    monkeypatch.setattr(csv_text, "LONGEST_ROW", 40)
    long, many = "x" * 200, f'"{"y" * 30}{ending}{"y" * 30}"'
    text = ending.join(["ID,Name", "1,Ann", f"2,{long}", f"3,{many}", "4,Dee", ""])
    rows = list(CsvReader(io.StringIO(text, newline="")).rows())
    assert [(line, isinstance(row, csv.Error)) for line, row in rows] == [
        (2, False),
        (3, True),
        (4, True),
        (6, False),
    ]


def test_a_line_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless line is refused, so that an endless device is not read forever."""
    monkeypatch.setattr(csv_text, "LONGEST_ROW", 40)
    monkeypatch.setattr(csv_text, "LONGEST_LINE", 400)

    class Endless(io.TextIOWrapper):
        def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
            return super().readline(size) or "x" * size

    reader = CsvReader(Endless(io.BytesIO(b"ID,Name\n1,Ann\n"), "utf-8", newline=""))
    rows = reader.rows()
    assert next(rows) == (2, ["1", "Ann"])
    with pytest.raises(Refusal, match=r"^file: line 3 does not end within 400 characters; "):
        next(rows)


@pytest.mark.parametrize(
    ("begins", "what"),
    [
        (b"PK\x03\x04\x14\x00", "an Excel workbook, or another packed file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel workbook"),
        (b"\x1f\x8b\x08", "a packed file"),
        (b"%PDF-1.7", "a PDF"),
    ],
)
def test_a_file_that_is_no_text_is_called_what_it_is(
    tmp_path: Path, begins: bytes, what: str
) -> None:
    """Whoever gives a workbook for its CSV is told so, whatever encoding is named."""
    path = tmp_path / "file.csv"
    path.write_bytes(begins)
    for encoding in (None, "windows-1252"):
        with pytest.raises(Refusal, match=f"^file: is {what}; allowed is CSV, as spreadsheets"):
            open_csv(path, encoding)
