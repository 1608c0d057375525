"""Retry or discard what is parked (``halo signals``, ``halo rows``)."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, Select, Table, delete, select

from halo_engine.answers.operations.parked import Sort, WhichParked, are_parked, is_parked
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import bad_input
from halo_engine.domain.series.decisions import Exit
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.series.signals import PART_OF
from halo_engine.journey.claim import hold_runs
from halo_engine.journey.parking import RESET, unpark_rows
from halo_engine.journey.record_exits import record_exits
from halo_engine.pipeline.signals.parking import unpark_signals
from halo_engine.series.catalogue import load_series
from halo_engine.series.completion import complete_finished
from halo_engine.series.locks import hold_series_still
from halo_engine.series.noting import note_companies, note_contacts, note_series
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_recipients, signals
from halo_engine.work import Work

_TABLES: Final[Mapping[Sort, Table]] = {
    Sort.SIGNALS: signals,
    Sort.ROWS: automation_recipients,
}
#: What discarding means, as the answer says it.
MEANING: Final[Mapping[Sort, str]] = {
    Sort.SIGNALS: (
        "Nobody enters a series by them any more. Exits and goals are judged again when the"
        " contact's next step is due."
    ),
    Sort.ROWS: "Their contacts have left the series, with exit reason ‘manual’.",
}


class Retried(Answer):
    """How many are in the queue again."""

    retried: int


class Discarded(Answer):
    """How many were discarded, and what that means."""

    discarded: int
    meaning: str


def retry_parked(work: Work, sort: Sort, which: WhichParked) -> Retried:
    """Put parked signals or rows back into the queue, as if they had never failed."""
    work = hold_series_still(work)
    chosen = are_parked(work, _TABLES[sort], which)
    if sort is Sort.SIGNALS:
        return Retried(retried=len(unpark_signals(work, *chosen, values=RESET)))
    return Retried(retried=len(unpark_rows(work, *chosen)))


def discard_parked(work: Work, sort: Sort, which: WhichParked) -> Discarded:
    """Discard parked signals or rows for good (``MEANING``), named by id or by series."""
    if which.all:
        raise bad_input("all", "what is discarded is named; allowed are ids and series")
    work = hold_series_still(work)
    chosen = are_parked(work, _TABLES[sort], which)
    gone = _DISCARD[sort](work, *chosen)
    return Discarded(discarded=gone, meaning=MEANING[sort])


def _discard_signals(work: Work, *chosen: ColumnElement[bool]) -> int:
    gone = work.connection.execute(_discarding(work, chosen)).all()
    # A pass looked at whom they were about, and goes on to: they are never handled.
    alone = {row.end_user_id or (row.part_of and UUID(row.part_of)) for row in gone} - {None}
    note_contacts(work, dict.fromkeys(alone, False))
    note_companies(work, {row.company_id for row in gone if row.company_id})
    # Without its activation, a series in which nobody is may be complete.
    activated = {row.automation_id for row in gone if row.automation_id is not None}
    if activated:
        note_series(work, *activated)
    series = load_series(work.connection, work.org_id, work.org.hours, ids=activated)
    complete_finished(work, series)
    return len(gone)


@statement("discard_signals")
def _discarding(work: Work, chosen: tuple[ColumnElement[bool], ...]) -> Executable:
    return (
        delete(signals)
        .where(*is_parked(work, signals), *chosen)
        .returning(
            signals.c.end_user_id,
            signals.c.company_id,
            signals.c.automation_id,
            signals.c.cursor[PART_OF].astext.label("part_of"),
        )
    )


def _discard_rows(work: Work, *chosen: ColumnElement[bool]) -> int:
    found = work.connection.execute(_read_parked_runs(work, chosen)).all()
    leaving = {(row.end_user_id, row.automation_id) for row in found}
    ids = {series_id for _, series_id in leaving}
    series = {
        each.id: each for each in load_series(work.connection, work.org_id, work.org.hours, ids=ids)
    }
    exits = [
        Exit(series[run.series_id], run.contact_id, run.number, ExitReason.MANUAL)
        for run in hold_runs(work.connection, work.org_id, {contact for contact, _ in leaving})
        if run.is_active and (run.contact_id, run.series_id) in leaving and run.series_id in series
    ]
    record_exits(work, exits)
    complete_finished(work, series.values())
    return len(exits)


@statement("read_parked_runs")
def _read_parked_runs(work: Work, chosen: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    rows = automation_recipients
    return select(rows.c.end_user_id, rows.c.automation_id).where(*is_parked(work, rows), *chosen)


_DISCARD: Final[Mapping[Sort, Callable[..., int]]] = {
    Sort.SIGNALS: _discard_signals,
    Sort.ROWS: _discard_rows,
}
