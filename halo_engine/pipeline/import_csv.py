"""CSV imports, and trials of them, which are rolled back (contract §2).

A trial goes through the same statements, the same exits and the same guards, so it cannot disagree
with the import. It holds locks as an import does, so only the first rows of a long file are tried;
the rest is read for bad rows.
"""

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Select, Uuid, any_, func, literal, select

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
from halo_engine.contacts.sending_order import sending_time
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.enrollment.candidates import Found
from halo_engine.enrollment.enroll import Admission, enroll
from halo_engine.pipeline.react import Choice, react
from halo_engine.series.cache import running_series
from halo_engine.series.locks import hold_series_still
from halo_engine.sql.statements import statement
from halo_engine.tables import signals
from halo_engine.work import Organization, Transact, Work

#: So many rows are tried; some five seconds.
MOST_TRIED: Final = 10_000
_BATCH: Final = 1_000


class ImportOrTryCall(ImportCsvCall):
    """A CSV file's text, and the field that each column maps to.

    With ``dry_run`` nothing is written: the answer says what would be, and what would start.
    """

    dry_run: bool = False


class DryRunAnswer(ImportCsvAnswer):
    """What an import would do: the first ``tried`` of its ``rows`` were tried, the rest was read.

    ``starts`` says how many contacts each active series would enroll at once, ``starts_later`` how
    many of the file's contacts at its next re-evaluation.
    """

    dry_run: Literal[True] = True
    starts: dict[str, int]
    starts_later: dict[str, int]
    rows: int
    tried: int


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


class _Trial:
    """What came of the rows that were tried."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows = self.created = self.updated = 0
        self.contacts: dict[UUID, None] = {}
        self.starts: Counter[str] = Counter()
        self.starts_later: Counter[str] = Counter()

    def add(self, work: Work, page: CsvPage, sent_at: datetime | None) -> None:
        """Import a page."""
        outcomes = import_page(work, page, sent_at)
        self.created += outcomes.created
        self.updated += outcomes.updated
        self.contacts.update(dict.fromkeys(outcomes.ids))
        self.faults.add(page)
        self.rows = page.after


def _try(work: Work, read: Iterable[CsvPage], sent_at: datetime | None = None) -> _Trial:
    trial = _Trial()
    savepoint = work.connection.begin_nested()
    try:
        last = work.connection.scalar(_read_last_signal())
        for page in read:
            trial.add(work, page, sent_at)
            if page.after >= MOST_TRIED:
                break
        contacts = list(trial.contacts)
        for batch in _batches(_signals_after(work, last or 0, contacts)):
            reaction = react(work, len(batch), Choice(only=batch))
            _count(trial.starts, reaction.admissions if reaction else ())
        _count(trial.starts_later, _admitted_later(work, contacts))
    finally:
        savepoint.rollback()
    return trial


@statement("read_last_signal")
def _read_last_signal() -> Select[Any]:
    return select(func.coalesce(func.max(signals.c.id), 0))


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
            "starts": dict(sorted(trial.starts.items())),
            "starts_later": dict(sorted(trial.starts_later.items())),
            "rows": rows,
            "tried": trial.rows,
        }
    )


def _signals_after(work: Work, last: int, contacts: list[UUID]) -> list[tuple[int, UUID]]:
    """Return the signals about the contacts that came after ``last``, in order of arrival."""
    return [
        (row.id, row.end_user_id)
        for row in work.connection.execute(_read_signals_after(work, last, contacts))
    ]


@statement("read_signals_after")
def _read_signals_after(work: Work, signal_id: int, contact_ids: list[UUID]) -> Select[Any]:
    return (
        select(signals.c.id, signals.c.end_user_id)
        .where(
            signals.c.org_id == work.org_id,
            signals.c.id > literal(signal_id, BigInteger()),
            signals.c.end_user_id == any_(literal(contact_ids, ARRAY(Uuid()))),
        )
        .order_by(signals.c.id)
    )


def _batches(written: Iterable[tuple[int, UUID]]) -> Iterator[list[int]]:
    """Cut signals into batches as a worker would: before a contact's second one (``inbox``)."""
    batch: dict[UUID, int] = {}
    for signal, contact in written:
        if contact in batch or len(batch) == _BATCH:
            yield list(batch.values())
            batch = {}
        batch[contact] = signal
    if batch:
        yield list(batch.values())


def _admitted_later(work: Work, contacts: list[UUID]) -> list[Admission]:
    """Enroll whom ``segment_match`` series would find at a re-evaluation."""
    work = hold_series_still(work)
    matching = [
        each
        for each in running_series(work).series
        if each.is_active and each.entry_trigger is EntryTrigger.SEGMENT_MATCH
    ]
    if not matching or not contacts:
        return []
    found = Found(contacts, work.now)
    return enroll(work, matching, found)


def _count(counts: Counter[str], admissions: Iterable[Admission]) -> None:
    for each in admissions:
        if each.code is None:
            counts[each.series.key] += each.count
