"""What is in an uploaded file, before it is imported; and the imports there are (contract §12)."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from halo_engine.contacts.calls import Call
from halo_engine.contacts.csv_import.file import SEPARATORS, CsvReader
from halo_engine.contacts.csv_import.suggestion import known_columns
from halo_engine.contacts.csv_import.text import bare, no_csv, undecoded
from halo_engine.contacts.csv_import.uploads import rows
from halo_engine.contacts.csv_import.uploads.pieces import pieces_of, text_of
from halo_engine.contacts.csv_import.uploads.receiving import UploadCall, how_to_read, waiting_file
from halo_engine.domain.answer import PAGE, Answer, PageLimit
from halo_engine.domain.times.instants import Instant
from halo_engine.tables.imports import UploadState
from halo_engine.work import Work

#: So many rows are shown, and so many characters of a cell.
_ROWS_SHOWN: Final = 5
_LONGEST_CELL: Final = 80


class LookCall(UploadCall):
    """The id of a file that waits for its start; how it is written, if its header does not say."""

    separator: str | None = None
    encoding: str | None = None


class Column(Answer):
    """A column of a file: its name, the field that is suggested for it, its first values.

    Only a column whose name is its own, and is not blank, can be mapped.
    """

    name: str
    suggested: str | None
    values: tuple[str, ...]
    can_be_mapped: bool


class Look(Answer):
    """What is in a file: its columns, with the values of its first rows.

    ``is_decoded`` is false where these hold letters that are not of the encoding.
    """

    id: UUID
    file_name: str | None
    bytes: int
    separator: str
    encoding: str
    is_decoded: bool
    columns: tuple[Column, ...]


class ListImportsCall(Call):
    """Which page of the imports: ``limit`` of them, before the import ``after``."""

    after: Annotated[UUID, Field(strict=False)] | None = None
    limit: PageLimit = PAGE


class ImportLine(Answer):
    """An import in the list: its file, how far it is, and what came of its rows."""

    id: UUID
    file_name: str | None
    state: UploadState
    bytes: int
    bytes_read: int
    rows_done: int
    created: int
    updated: int
    bad: int
    bad_cells: int
    created_at: Instant
    finished_at: Instant | None


class ImportList(Answer):
    """A page of imports, newest first; ``next`` is the ``after`` of the page that follows.

    A file that waits for its start is ``uploading``; one that is still coming is not listed.
    """

    items: tuple[ImportLine, ...]
    next: UUID | None


def look_into_upload(work: Work, call: LookCall) -> Look:
    """Return the columns of a file that waits for its start, with its first rows.

    Raises 400 for a file that is no CSV, 404 for an unknown id, 409 for a started import.
    """
    found = waiting_file(work, call.id)
    if not pieces_of(lambda read: read(work), found).read(8).strip():
        raise no_csv("is empty")
    how = how_to_read(found)
    encoding, separator = call.encoding or how.encoding, call.separator or how.separator
    with closing(text_of(lambda read: read(work), found, encoding)) as file:
        reader = CsvReader(file, separator)
        read = [row for _, row in islice(reader.rows(), _ROWS_SHOWN)]
        written = reader.encoding or "utf-8"
    header = reader.header
    if not any(header.names):
        raise no_csv("is empty")
    rows = [row for row in read if not isinstance(row, Exception)]
    return Look(
        id=found["id"],
        file_name=found["file_name"],
        bytes=found["bytes"],
        separator=SEPARATORS.get(header.separator, header.separator),
        encoding=written,
        is_decoded=all(undecoded(cell) is None for row in rows for cell in row),
        columns=tuple(_columns(header.names, rows)),
    )


def _columns(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Column]:
    known, times = known_columns(names), Counter(names)
    return [
        Column(
            name=name,
            suggested=known.get(name),
            values=tuple(_shown(row[index]) for row in rows if index < len(row)),
            can_be_mapped=bool(name) and times[name] == 1,
        )
        for index, name in enumerate(names)
    ]


def _shown(cell: str) -> str:
    """Return a cell as it can be shown: cut, and without what is no character."""
    text = bare(cell).encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"


def list_imports(work: Work, call: ListImportsCall) -> ImportList:
    """Return a page of the organisation's imports, newest first."""
    asked = rows.newest(work, call.after, call.limit + 1)
    found = [ImportLine.model_validate(row) for row in work.connection.execute(asked).mappings()]
    more = len(found) > call.limit
    items = tuple(found[: call.limit])
    return ImportList(items=items, next=items[-1].id if more else None)
