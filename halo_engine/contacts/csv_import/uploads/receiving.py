"""CSV files that came over HTTP: stored in the database in chunks, and given free for import (§12).

The web process that receives a file and the worker that imports it may run on two machines, and
either may die; so the file is in the database. The import goes in ``turns``.
"""

from contextlib import closing
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, JsonValue
from sqlalchemy.engine import RowMapping

from halo_engine.contacts.calls import Call
from halo_engine.contacts.csv_import.file import CsvReader
from halo_engine.contacts.csv_import.importing import known_before
from halo_engine.contacts.csv_import.mapping import columns_of
from halo_engine.contacts.csv_import.page import BadCell, BadRow
from halo_engine.contacts.csv_import.resume import FileOptions
from halo_engine.contacts.csv_import.suggestion import suggest
from halo_engine.contacts.csv_import.uploads import rows
from halo_engine.contacts.csv_import.uploads.pieces import row_of, text_of
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal, conflict, not_found
from halo_engine.domain.times.instants import Instant
from halo_engine.domain.times.retention import History
from halo_engine.tables.imports import UploadState
from halo_engine.work import Work

#: In bytes.
LARGEST_FILE: Final = 2 * 1024**3


class UploadOptions(FileOptions):
    """The options for a file; without a ``mapping``, its header suggests one."""

    mapping: dict[str, str] = Field(default_factory=dict)


class UploadCall(Call):
    """The id of an import."""

    id: Annotated[UUID, Field(strict=False)]


class StartCall(UploadCall):
    """The id of an import, and how its file is read, if it was not said with the file."""

    options: UploadOptions | None = None


class UploadedFile(Call):
    """A file and how it is read: what tells whether it came before (contract §12)."""

    sha256: str
    options: UploadOptions


class Upload(Answer):
    """The import of a file: how far it is, and its result so far.

    ``bytes_read`` of ``bytes`` are done. ``bad`` counts the rows left out, ``errors`` shows the
    first 1,000; ``bad_cells`` and ``cell_errors`` do the same for cells of imported rows.
    ``refused`` is why the rest of the file could not be read. ``file_name`` is what its sender
    calls the file.
    """

    id: UUID
    file_name: str | None = None
    state: UploadState
    mapping: dict[str, str]
    bytes: int
    bytes_read: int
    rows_done: int
    created: int
    updated: int
    bad: int
    errors: tuple[BadRow, ...]
    bad_cells: int
    cell_errors: tuple[BadCell, ...]
    warnings: tuple[str, ...]
    refused: JsonValue
    created_at: Instant
    finished_at: Instant | None


class Discarded(Answer):
    """The file that is gone, by its id."""

    id: UUID


def begin_upload(work: Work, how: UploadOptions) -> UUID:
    """Begin an upload, and return its id.

    What is left of old uploads and imports is deleted.
    """
    kept = work.org.keeps[History.IMPORTS]
    work.connection.execute(rows.delete_old(work, work.now - kept if kept else None))
    made = rows.create(work, how.model_dump(mode="json"))
    upload_id: UUID = work.connection.execute(made).scalar_one()
    return upload_id


def add_chunk(work: Work, upload_id: UUID, number: int, data: bytes) -> None:
    """Keep piece ``number`` of a file: ``CHUNK`` bytes, or fewer if it is the last one."""
    work.connection.execute(rows.add_piece(work, upload_id, number, data))
    work.connection.execute(rows.grow(work, upload_id, len(data)))


def drop_upload(work: Work, upload_id: UUID) -> None:
    """Delete a file whose upload was broken off."""
    work.connection.execute(rows.drop(work, upload_id))


def complete_upload(work: Work, upload_id: UUID, file_name: str | None = None) -> None:
    """Note that a file has come whole, and what it is called; before, nobody reads it."""
    work.connection.execute(rows.complete(work, upload_id, file_name))


def waiting_file(work: Work, upload_id: UUID) -> RowMapping:
    """Return the row of a file that has come and waits for its start.

    Raises 404 for an unknown one, 409 for an import that was started before.
    """
    found = row_of(work, upload_id)
    if found["state"] != UploadState.UPLOADING:
        raise _started_before()
    if found["received_at"] is None:
        raise not_found("import", str(upload_id))
    return found


def how_to_read(found: RowMapping) -> UploadOptions:
    """Return how a file is read, as was said with it."""
    return UploadOptions.model_validate(found["options"])


def fitted(work: Work, found: RowMapping, said: UploadOptions | None) -> UploadOptions:
    """Return how a file is read, with a mapping that fits it, or that its header suggests.

    Raises 400 for a header that cannot be read, and for a mapping that does not fit it.
    """
    how = said or how_to_read(found)
    with closing(text_of(lambda read: read(work), found, how.encoding)) as file:
        names = CsvReader(file, how.separator).header.names
    if not how.mapping:
        how = how.model_copy(update={"mapping": dict(suggest(names).mapping)})
    columns_of(names, how.mapping, how.date_formats)
    return how


def start_import(work: Work, call: StartCall) -> Upload:
    """Start the import of a file that is complete; workers do it.

    Raises 400 for a header that cannot be read, for a mapping that does not fit it and for an
    unknown list, 404 for an unknown id, 409 for an import that was started before.
    """
    found = waiting_file(work, call.id)
    how = fitted(work, found, call.options)
    known_before(work, how)
    started = rows.start(work, call.id, how.model_dump(mode="json"))
    if not work.connection.execute(started).rowcount:
        raise _started_before()
    return show_import(work, call)


def _started_before() -> Refusal:
    return conflict("import_started", "This import was started before.")


def discard_upload(work: Work, call: UploadCall) -> Discarded:
    """Delete a file that waits for its start.

    Raises 404 for an unknown one, 409 for an import that was started before.
    """
    waiting_file(work, call.id)
    drop_upload(work, call.id)
    return Discarded(id=call.id)


def show_import(work: Work, call: UploadCall) -> Upload:
    """Return how far an import is; raises 404 for an unknown one."""
    found = row_of(work, call.id)
    return Upload.model_validate({**found, "mapping": found["options"]["mapping"]})
