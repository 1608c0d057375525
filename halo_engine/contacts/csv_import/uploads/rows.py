"""The rows of uploads: how they are made, claimed page by page, and deleted (``receiving``)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Delete,
    Executable,
    Insert,
    Select,
    Update,
    Uuid,
    and_,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from halo_engine.contacts.csv_import.page import CsvPage
from halo_engine.sql.statements import statement
from halo_engine.tables import csv_chunks, csv_uploads, organizations
from halo_engine.tables.imports import UploadState
from halo_engine.work import Work

#: A running import of which nothing was done for so long has no worker.
STALE_AFTER: Final = timedelta(minutes=1)
#: An upload that is never completed is deleted after this time.
_UPLOADED_WITHIN: Final = timedelta(days=1)

#: What is kept of the rows and cells that were left out.
FAULTS: Final = ("bad", "errors", "bad_cells", "cell_errors", "warnings")
#: What the list of imports has of each.
LISTED: Final = (
    *("id", "file_name", "state", "bytes", "bytes_read", "rows_done", "created", "updated"),
    *("bad", "bad_cells", "created_at", "finished_at"),
)


@statement("delete_old_uploads")
def delete_old(work: Work, cut: datetime | None) -> Delete:
    """Delete uploads that never came whole, and reports of imports that ended before ``cut``."""
    table = csv_uploads
    never_came = and_(
        table.c.state == UploadState.UPLOADING, table.c.touched_at < work.now - _UPLOADED_WITHIN
    )
    old = false() if cut is None else table.c.finished_at < cut
    return delete(table).where(table.c.org_id == work.org_id, or_(never_came, old))


@statement("create_upload", options={})
def create(work: Work, options: Mapping[str, Any]) -> Executable:
    """Make the row of a file that is being uploaded; return its id."""
    row = {
        "org_id": work.org_id,
        "state": UploadState.UPLOADING,
        "options": options,
        "created_at": work.now,
        "touched_at": work.now,
    }
    return insert(csv_uploads).values(row).returning(csv_uploads.c.id)


@statement("add_chunk", number=0, data=b"id,email")
def add_piece(work: Work, upload_id: UUID, number: int, data: bytes) -> Insert:
    """Keep a piece of a file."""
    of_it = {"org_id": work.org_id, "upload_id": upload_id}
    return insert(csv_chunks).values(**of_it, number=number, data=data)


@statement("grow_upload", size=8)
def grow(work: Work, upload_id: UUID, size: int) -> Update:
    """Count the bytes that came."""
    table = csv_uploads
    grown = {"bytes": table.c.bytes + size, "touched_at": work.now}
    return update(table).where(_is_it(work, upload_id)).values(grown)


@statement("complete_upload", file_name="contacts.csv")
def complete(work: Work, upload_id: UUID, file_name: str | None) -> Update:
    """Note that a file has come whole."""
    come = {"received_at": work.now, "file_name": file_name}
    return update(csv_uploads).where(_is_it(work, upload_id)).values(come)


@statement("drop_upload")
def drop(work: Work, upload_id: UUID) -> Delete:
    """Delete a file whose upload was broken off."""
    is_coming = csv_uploads.c.state == UploadState.UPLOADING
    return delete(csv_uploads).where(_is_it(work, upload_id), is_coming)


@statement("start_upload", options={})
def start(work: Work, upload_id: UUID, options: Mapping[str, Any]) -> Update:
    """Let workers import a file."""
    started = {"state": UploadState.RUNNING, "options": options, "touched_at": work.now}
    table = csv_uploads
    waits = table.c.state == UploadState.UPLOADING
    return update(table).where(_is_it(work, upload_id), waits).values(started)


@statement("find_stale_imports")
def stale() -> Select[Any]:
    """Find the imports that no worker has touched for long."""
    table = csv_uploads
    is_stale = table.c.touched_at < func.clock_timestamp() - STALE_AFTER
    return (
        select(organizations.c.key, table.c.id)
        .join_from(table, organizations, organizations.c.id == table.c.org_id)
        .where(table.c.state == UploadState.RUNNING, is_stale)
    )


@statement("claim_upload_page", page=CsvPage())
def claim_page(work: Work, upload_id: UUID, page: CsvPage, bytes_read: int) -> Executable:
    """Note that a page is done, unless it was done before; return the stored faults."""
    table = csv_uploads
    return (
        update(table)
        .where(
            _is_it(work, upload_id),
            table.c.state == UploadState.RUNNING,
            table.c.rows_done == page.before,
        )
        .values(
            rows_done=page.after,
            position=str(page.position),
            line=page.last_line,
            bytes_read=bytes_read,
            touched_at=func.clock_timestamp(),
        )
        .returning(*[table.c[name] for name in FAULTS])
    )


@statement("count_uploaded", created=1, updated=1, faults={})
def count_page(
    work: Work, upload_id: UUID, created: int, updated: int, faults: Mapping[str, Any]
) -> Update:
    """Add a page's counts."""
    table = csv_uploads
    counted = {"created": table.c.created + created, "updated": table.c.updated + updated}
    return update(table).where(_is_it(work, upload_id)).values({**counted, **faults})


@statement("end_upload", state=UploadState.FINISHED, refused=None)
def end(work: Work, upload_id: UUID, state: UploadState, refused: Any) -> Update:
    """Note that an import is over."""
    table = csv_uploads
    ended = update(table).where(_is_it(work, upload_id), table.c.state == UploadState.RUNNING)
    read = {"bytes_read": table.c.bytes} if state is UploadState.FINISHED else {}
    return ended.values({"state": state, "finished_at": work.now, "refused": refused, **read})


@statement("delete_chunks")
def delete_pieces(work: Work, upload_id: UUID) -> Delete:
    """Delete a file."""
    chunks = csv_chunks
    return delete(chunks).where(chunks.c.org_id == work.org_id, chunks.c.upload_id == upload_id)


@statement("read_chunk", number=0)
def read_piece(work: Work, upload_id: UUID, number: int) -> Select[Any]:
    """Read a piece of a file."""
    chunks = csv_chunks
    return select(chunks.c.data).where(
        chunks.c.org_id == work.org_id, chunks.c.upload_id == upload_id, chunks.c.number == number
    )


@statement("read_upload")
def read(work: Work, upload_id: UUID) -> Select[Any]:
    """Read how far an import is."""
    return select(csv_uploads).where(_is_it(work, upload_id))


@statement("page_imports", after=None, limit=51)
def newest(work: Work, after: UUID | None, limit: int) -> Select[Any]:
    """Read a page of the imports, newest first; of files that are still coming there is none."""
    table = csv_uploads
    has_come = or_(table.c.state != UploadState.UPLOADING, table.c.received_at.is_not(None))
    asked = select(*[table.c[name] for name in LISTED]).where(
        table.c.org_id == work.org_id, has_come
    )
    if after is not None:
        asked = asked.where(table.c.id < literal(after, Uuid()))
    return asked.order_by(table.c.id.desc()).limit(limit)


def _is_it(work: Work, upload_id: UUID) -> ColumnElement[bool]:
    return and_(csv_uploads.c.org_id == work.org_id, csv_uploads.c.id == upload_id)
