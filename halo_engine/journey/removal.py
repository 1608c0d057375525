"""The manual exit: a teammate removes a contact, or stops a whole series (contract §6)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from halo_engine.domain.errors import Refusal
from halo_engine.domain.series.decisions import Exit
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.exits import ExitReason
from halo_engine.enrollment.surges.discards import discard_held
from halo_engine.journey.claim import hold_runs
from halo_engine.journey.record_exits import record_exits
from halo_engine.series.completion import complete_finished
from halo_engine.series.lifecycle import stop
from halo_engine.series.locks import hold_series_still
from halo_engine.series.orders import Ordered, in_order, overtaken
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments
from halo_engine.work import Transact, Work

#: How many runs one transaction ends when a series is stopped.
PAGE = 20_000


def remove(work: Work, contact_id: UUID, series: Series, sent_at: datetime | None = None) -> None:
    """End the contact's active run; a 404 when it has none.

    With ``sent_at``, a 409 if the run began after the order was sent.
    """
    if sent_at is not None:
        _refuse_if_newer(work, contact_id, series, sent_at)
    if not _end(work, [contact_id], series):
        raise Refusal(404, "not_enrolled", f"The contact is not in series ‘{series.key}’ now.")


def stop_series(transact: Transact, key: str, by: str, sent_at: datetime | None = None) -> int:
    """Complete the series ``key``, end every active run in it, and return how many there were (§6).

    The first transaction completes it: from then on nobody enters and nothing is sent, and whoever
    is held is discarded (§19). The runs are ended page by page; after an interruption, stopping it
    again ends the rest. ``sent_at`` is the order's sending time, if known.
    """

    def stopped(work: Work) -> Series:
        with in_order(work, [key], Ordered.STATUS, sent_at):
            series = stop(work, key, by)
            discard_held(work, series)
            return series

    series = transact(stopped)
    removed = 0
    while ended := transact(lambda work: remove_everybody(work, series, PAGE)):
        removed += ended
    return removed


def remove_everybody(work: Work, series: Series, limit: int) -> int:
    """End active runs of the series, at most ``limit``, and return how many there were."""
    contacts = work.connection.scalars(_page_active_runs(work, series, limit)).all()
    return _end(work, contacts, series)


@statement("page_active_runs")
def _page_active_runs(work: Work, series: Series, limit: int) -> Select[Any]:
    runs = automation_enrollments
    return (
        select(runs.c.end_user_id)
        .where(
            runs.c.org_id == work.org_id,
            runs.c.automation_id == series.id,
            runs.c.ended_at.is_(None),
        )
        .order_by(runs.c.id)
        .limit(limit)
    )


def _refuse_if_newer(work: Work, contact_id: UUID, series: Series, sent_at: datetime) -> None:
    began_at = work.connection.scalar(_find_newer_run(work, contact_id, series, sent_at))
    if began_at is not None:
        raise overtaken(f"The contact's place in series ‘{series.key}’", sent_at, began_at)


@statement("find_newer_run")
def _find_newer_run(work: Work, contact_id: UUID, series: Series, sent_at: datetime) -> Select[Any]:
    runs = automation_enrollments
    return select(runs.c.created_at).where(
        runs.c.org_id == work.org_id,
        runs.c.automation_id == series.id,
        runs.c.end_user_id == contact_id,
        runs.c.ended_at.is_(None),
        runs.c.created_at > sent_at,
    )


def _end(work: Work, contacts: Sequence[UUID], series: Series) -> int:
    work = hold_series_still(work)
    runs = hold_runs(work.connection, work.org_id, contacts)
    exits = [
        Exit(series, run.contact_id, run.number, ExitReason.MANUAL)
        for run in runs
        if run.is_active and run.series_id == series.id
    ]
    record_exits(work, exits)
    complete_finished(work, [series])
    return len(exits)
