"""CSV imports, and trials of them, which are rolled back (contract §2).

Only the first rows of a long file are tried (``trials``); the rest is read for bad rows.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from halo_engine.contacts.csv_import.importing import (
    Faults,
    ImportCsvAnswer,
    ImportCsvCall,
    import_csv,
    import_page,
    known_before,
)
from halo_engine.contacts.csv_import.page import CsvPage
from halo_engine.contacts.csv_import.resume import FileOptions
from halo_engine.contacts.csv_import.rows import Known, pages
from halo_engine.contacts.csv_import.text import open_csv
from halo_engine.contacts.csv_import.uploads.pieces import text_of
from halo_engine.contacts.csv_import.uploads.receiving import StartCall, fitted, waiting_file
from halo_engine.contacts.sending_order import sending_time
from halo_engine.pipeline.batches.trials import MOST_TRIED, Effects, trying
from halo_engine.work import Organization, Transact, Work


class ImportOrTryCall(ImportCsvCall):
    """A CSV file's text, and the field that each column maps to.

    With ``dry_run`` nothing is written: the answer says what would be, and what would start.
    """

    dry_run: bool = False


class DryRunAnswer(ImportCsvAnswer, Effects):
    """What an import would do: the first ``tried`` of its ``rows`` were tried, the rest was read.

    ``starts`` says how many contacts each active series would enroll at once, ``starts_later`` how
    many of the file's contacts at its next re-evaluation; ``leaves``, how many contacts would leave
    a series at once, by exit reason.
    """

    dry_run: Literal[True] = True
    rows: int
    tried: int


class UploadTrial(DryRunAnswer):
    """What an import of an uploaded file would do, by its first rows.

    ``is_whole`` is false where the file goes on after them: the rest was not read.
    """

    is_whole: bool


def import_or_try(work: Work, call: ImportOrTryCall) -> ImportCsvAnswer:
    """Import a text in one transaction; with ``dry_run`` say what an import would do (§2)."""
    if not call.dry_run:
        return import_csv(work, call)
    known = known_before(work, call)

    def read() -> Iterator[CsvPage]:
        return pages(work.org, io.StringIO(call.text, newline=""), call, known, done=MOST_TRIED)

    sent_at = sending_time(work.org, call.sent_at)
    return _answer(_try(work, read(), sent_at), read())


def try_file(transact: Transact, path: Path, how: FileOptions) -> DryRunAnswer:
    """Say what an import of a file would do; nothing is written (contract §2).

    Raises 400 for a bad mapping, OSError for a file that cannot be read.
    """

    def read(org: Organization, known: Known) -> Iterator[CsvPage]:
        with open_csv(path, how.encoding) as file:
            yield from pages(org, file, how, known, done=MOST_TRIED)

    def tried(work: Work) -> tuple["_Trial", Organization, Known]:
        known = known_before(work, how)
        return _try(work, read(work.org, known)), work.org, known

    trial, org, known = transact(tried)
    return _answer(trial, read(org, known))


def try_upload(work: Work, call: StartCall) -> UploadTrial:
    """Say what the import of a file that waits for its start would do, by its first rows (§12).

    Raises 400 as ``start_import`` does, 404 for an unknown id, 409 for a started import.
    """
    found = waiting_file(work, call.id)
    how = fitted(work, found, call.options)
    known = known_before(work, how)
    with closing(text_of(lambda read: read(work), found, how.encoding)) as file:
        read = pages(work.org, file, how, known, done=MOST_TRIED)
        trial = _try(work, read)
        rest = next(read, None)
    is_whole = rest is None or not rest.size
    return UploadTrial.model_validate({**_answer(trial, ()).model_dump(), "is_whole": is_whole})


class _Trial:
    """What came of the rows that were tried."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows = self.created = self.updated = 0
        self.contacts: dict[UUID, None] = {}
        self.effects: dict[str, Any] = {}

    def add(self, work: Work, page: CsvPage, sent_at: datetime | None) -> None:
        """Import a page."""
        outcomes = import_page(work, page, sent_at)
        self.created += outcomes.created
        self.updated += outcomes.updated
        self.contacts.update(dict.fromkeys(outcomes.ids))
        self.faults.add(page)
        self.rows = page.after


def _try(work: Work, read: Iterable[CsvPage], sent_at: datetime | None = None) -> _Trial:
    tried = _Trial()
    with trying(work) as trial:
        for page in read:
            tried.add(trial.work, page, sent_at)
            if page.after >= MOST_TRIED:
                break
        trial.react(tried.contacts)
    tried.effects = trial.effects()
    return tried


def _answer(trial: _Trial, read: Iterable[CsvPage]) -> DryRunAnswer:
    """Return the answer for a trial, and for the rows after it, which are read for what is bad."""
    rows = trial.rows
    for page in read if rows >= MOST_TRIED else ():
        rows = page.after
        if page.before >= trial.rows:
            trial.faults.add(page)
    return DryRunAnswer.model_validate(
        {
            "created": trial.created,
            "updated": trial.updated,
            **trial.faults.as_answer(),
            **trial.effects,
            "rows": rows,
            "tried": trial.rows,
        }
    )
