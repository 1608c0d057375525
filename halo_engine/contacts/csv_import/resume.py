"""Imports CSV files of any length, a page a transaction; resumes an interrupted import (§2).

Each transaction notes how far it came. So each row is done once, however often the import is killed
and started again, and however many processes run it at once.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import ColumnElement, Executable, Select, Update, and_, case, select, update
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.csv_import.importing import (
    Faults,
    ImportCsvAnswer,
    import_page,
    known_before,
)
from halo_engine.contacts.csv_import.page import CsvPage
from halo_engine.contacts.csv_import.rows import PAGE_SIZE, CsvOptions, pages
from halo_engine.contacts.csv_import.text import open_csv
from halo_engine.sql.statements import statement
from halo_engine.sql.statistics import analyze_unknown
from halo_engine.tables import csv_imports
from halo_engine.work import Transact, Work


class FileOptions(CsvOptions):
    """The options for a file: those of any CSV, and an ``encoding`` for one without a mark."""

    encoding: str | None = None


class ImportFileAnswer(ImportCsvAnswer):
    """The result for all rows; ``done_before`` were imported by a run that was interrupted."""

    done_before: int


class ImportInterruptedError(Exception):
    """Somebody stopped the import; the file's rows up to ``line`` are committed.

    ``goes_on``: importing the file again resumes there.
    """

    def __init__(self, line: int, *, goes_on: bool) -> None:
        super().__init__(line, goes_on)
        self.line = line
        self.goes_on = goes_on


def _show_nothing(_position: int) -> None:
    """Show no progress."""


def import_file(
    transact: Transact,
    path: Path,
    how: FileOptions,
    show: Callable[[int], object] = _show_nothing,
    *,
    page_size: int = PAGE_SIZE,
) -> ImportFileAnswer:
    """Import a CSV file, committed page by page; ``show`` gets the number of bytes read so far.

    If an import of the same file with the same options was interrupted, this one resumes it; a
    finished one is done again. A pipe is read once, from its beginning. Raises 400 for a bad
    mapping, OSError for a file that cannot be read, and ``ImportInterruptedError`` for Ctrl-C.
    """
    key = _key(path, how)
    org, known, done = transact(
        lambda work: (work.org, known_before(work, how), _rows_done(work, key))
    )
    faults, total, line = Faults(), 0, 0
    try:
        with open_csv(path, how.encoding) as file:
            for page in pages(org, file, how, known, page_size, done=done):
                is_new = page.after > max(page.before, done)
                if is_new or page.after == 0:
                    transact(partial(_import, key=key, page=page))
                # Faults are not stored, so rows that are done are read again for theirs.
                faults.add(page)
                total, line = page.after, page.last_line
                show(file.buffer.tell() if file.seekable() else 0)
    except KeyboardInterrupt:
        raise ImportInterruptedError(line, goes_on=path.is_file()) from None
    counts = transact(partial(_finish, key=key, total=total))
    return ImportFileAnswer.model_validate({**counts, "done_before": done, **faults.as_answer()})


def _key(path: Path, how: FileOptions) -> str:
    if not path.is_file():
        # A pipe cannot be read twice, so its key is never used again.
        return token_hex(hashlib.sha256().digest_size)
    read = json.dumps(how.model_dump(), sort_keys=True).encode()
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").digest()
    return hashlib.sha256(content + read).hexdigest()


def _rows_done(work: Work, key: str) -> int:
    done: int | None = work.connection.scalar(_read_import_progress(work, key))
    return done or 0


@statement("read_import_progress")
def _read_import_progress(work: Work, import_key: str) -> Select[Any]:
    return select(csv_imports.c.rows_done).where(
        _is_it(work, import_key), csv_imports.c.finished_at.is_(None)
    )


def _import(work: Work, key: str, page: CsvPage) -> None:
    """Write a page unless another process did; two that import one file wait for each other."""
    if not _claim(work, key, page):
        return
    outcomes = import_page(work, page)
    work.connection.execute(_count_imported(work, key, outcomes.created, outcomes.updated))


@statement("count_imported", created=1, updated=1)
def _count_imported(work: Work, import_key: str, created: int, updated: int) -> Update:
    table = csv_imports
    counted = {"created": table.c.created + created, "updated": table.c.updated + updated}
    return update(table).where(_is_it(work, import_key)).values(counted)


def _claim(work: Work, key: str, page: CsvPage) -> bool:
    """Note that the page is done; False when it was done before."""
    claim = (
        _claim_page(work, key, page.before, page.after)
        if page.before
        else _claim_first_page(work, key, page.after)
    )
    return work.connection.execute(claim).first() is not None


@statement("claim_first_page", after=500)
def _claim_first_page(work: Work, import_key: str, after: int) -> Executable:
    table = csv_imports
    begun = {"rows_done": after, "started_at": work.now}
    again = {**begun, "created": 0, "updated": 0, "finished_at": None}
    claim = insert(table).values(org_id=work.org_id, key=import_key, **begun)
    return claim.on_conflict_do_update(
        index_elements=["org_id", "key"],
        set_=again,
        where=table.c.finished_at.is_not(None),
    ).returning(table.c.rows_done)


@statement("claim_next_page", before=500, after=1000)
def _claim_page(work: Work, import_key: str, before: int, after: int) -> Executable:
    table = csv_imports
    claim = update(table).where(_is_it(work, import_key), table.c.rows_done == before)
    return claim.values(rows_done=after).returning(table.c.rows_done)


def _finish(work: Work, key: str, total: int) -> Mapping[str, int]:
    """Note that the import is finished, unless it was begun anew; return its counts."""
    analyze_unknown(work.connection)
    row = work.connection.execute(_finish_import(work, key, total)).one()
    return {"created": row.created, "updated": row.updated}


@statement("finish_import", total=1000)
def _finish_import(work: Work, import_key: str, total: int) -> Executable:
    table = csv_imports
    finished_at = case((table.c.rows_done == total, work.now), else_=table.c.finished_at)
    finished = update(table).where(_is_it(work, import_key)).values(finished_at=finished_at)
    return finished.returning(table.c.created, table.c.updated)


def _is_it(work: Work, key: str) -> ColumnElement[bool]:
    return and_(csv_imports.c.org_id == work.org_id, csv_imports.c.key == key)
