"""A file that came over HTTP is imported by a real worker, even if its message was lost (§12)."""

from uuid import UUID

from sqlalchemy import func, update

from halo_engine.contacts.csv_import.uploads.receiving import (
    StartCall,
    UploadCall,
    UploadOptions,
    add_chunk,
    begin_upload,
    complete_upload,
    show_import,
    start_import,
)
from halo_engine.tables import csv_uploads, end_users
from halo_engine.work import Work
from tests.acceptance.conftest import Stack


def _started_long_ago(work: Work) -> UUID:
    upload = begin_upload(work, UploadOptions())
    add_chunk(work, upload, 0, b"id\nann\nben\n")
    complete_upload(work, upload)
    start_import(work, StartCall(id=upload))
    long_ago = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 2)
    is_it = csv_uploads.c.id == upload
    work.connection.execute(update(csv_uploads).where(is_it).values(touched_at=long_ago))
    return upload


def test_a_tick_sends_an_import_that_no_worker_does(stack: Stack) -> None:
    """If the message of an import is lost, beat's tick starts it."""
    sandbox = stack.sandbox(stack.organization())
    call = UploadCall(id=sandbox.perform(_started_long_ago))
    stack.wait_until(
        lambda: sandbox.perform(lambda work: show_import(work, call)).state == "finished",
        "the import is finished",
    )
    assert sandbox.count(end_users) == 2
