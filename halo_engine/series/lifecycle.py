"""Draft, active, paused, completed: what operators do to a series (contract §8).

Each change takes the organisation's exclusive lock, so a pause that has returned admits nobody
after it.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Insert,
    Select,
    Update,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.errors import conflict, not_found
from halo_engine.domain.reasons import EntryTrigger, SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.signals import SignalKind
from halo_engine.series.checking.preflight import refuse_unless_ready
from halo_engine.series.early_gates import open_after_resume
from halo_engine.series.locks import lock_series_for_change
from halo_engine.series.noting import note_series
from halo_engine.series.save import load_saved
from halo_engine.series.surges.automatic import keep as keep_automatic
from halo_engine.series.surges.automatic import work_out
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_active_periods,
    automation_enrollments,
    automations,
    signals,
    waiting_entries,
)
from halo_engine.work import Work


def find_series(work: Work, key: str) -> Series:
    """Return the series ``key`` in any state; a 404 when there is none."""
    found = load_saved(work, key)
    if not found:
        raise not_found("series", key)
    return found[0]


def activate(work: Work, key: str, by: str) -> Series:
    """Make a draft active, or refuse with the first failing check (contract §8).

    It works out what ``auto`` of its surge comes to (§19). It inserts a signal, which then enrolls
    whoever matches now: a large audience takes several transactions.
    """
    work = lock_series_for_change(work)
    series = find_in(work, key, SeriesStatus.DRAFT, "activated")
    refuse_unless_ready(work, series, first_activation=True)
    keep_automatic(work, series, work_out(work, series))
    _open_period(work, series, by)
    note_series(work, series.id)
    if series.entry_trigger in (EntryTrigger.MANUAL, EntryTrigger.SEGMENT_MATCH):
        work.connection.execute(_signal_activation(work, series))
    return series


@statement("signal_activation")
def _signal_activation(work: Work, series: Series) -> Insert:
    return insert(signals).values(
        org_id=work.org_id,
        kind=SignalKind.ACTIVATED,
        automation_id=series.id,
        happened_at=work.now,
        created_at=work.now,
    )


def pause(work: Work, key: str, by: str) -> Series:
    """Pause an active series: nobody enters, nothing is sent or advanced (contract §5, §8)."""
    work = lock_series_for_change(work)
    series = find_in(work, key, SeriesStatus.ACTIVE, "paused")
    work.connection.execute(_pause_series(work, series))
    _close_period(work, series, by)
    return series


@statement("pause_series")
def _pause_series(work: Work, series: Series) -> Update:
    return (
        update(automations)
        .where(automations.c.org_id == work.org_id, automations.c.id == series.id)
        .values(status=SeriesStatus.PAUSED, status_ordered_at=work.now, updated_at=work.now)
    )


def resume(work: Work, key: str, by: str) -> Series:
    """Make a paused series active again, after the same checks (contract §8)."""
    work = lock_series_for_change(work)
    series = find_in(work, key, SeriesStatus.PAUSED, "resumed")
    refuse_unless_ready(work, series, first_activation=False)
    _open_period(work, series, by)
    note_series(work, series.id)
    open_after_resume(work, series)
    return series


def stop(work: Work, key: str, by: str) -> Series:
    """Complete a series: no contact enters it, and no mail is sent any more (contract §6, §8).

    ``journey.removal.remove_everybody`` then ends its runs page by page. So stopping a series that
    is already completed is no error while somebody is still in it.
    """
    work = lock_series_for_change(work)
    series = find_series(work, key)
    if series.status is SeriesStatus.COMPLETED and _somebody_is_in(work, series):
        return series
    if series.status not in (SeriesStatus.ACTIVE, SeriesStatus.PAUSED):
        problem = f"Series ‘{key}’ is {series.status}; only one that is active or paused can be"
        raise conflict("not_running", f"{problem} stopped.")
    work.connection.execute(_stop_series(work, series))
    if series.patience:
        work.connection.execute(_end_waiting(work, series))
    _close_period(work, series, by)
    return series


@statement("stop_series")
def _stop_series(work: Work, series: Series) -> Update:
    return (
        update(automations)
        .where(automations.c.org_id == work.org_id, automations.c.id == series.id)
        .values(status=SeriesStatus.COMPLETED, status_ordered_at=work.now, updated_at=work.now)
    )


@statement("end_waiting")
def _end_waiting(work: Work, series: Series) -> Delete:
    """Let nobody wait for data any more (§23)."""
    waiting = waiting_entries
    return delete(waiting).where(
        waiting.c.org_id == work.org_id, waiting.c.automation_id == series.id
    )


def held_by_pause() -> ColumnElement[bool]:
    """Return whether a signal belongs to an activation that a pause interrupted: it waits for the
    resume (contract §8).
    """
    return exists().where(
        signals.c.kind == SignalKind.ACTIVATED,
        automations.c.org_id == signals.c.org_id,
        automations.c.id == signals.c.automation_id,
        automations.c.status == SeriesStatus.PAUSED,
    )


def _somebody_is_in(work: Work, series: Series) -> bool:
    return bool(work.connection.scalar(_check_has_active_runs(work, series)))


@statement("check_has_active_runs")
def _check_has_active_runs(work: Work, series: Series) -> Select[Any]:
    runs = automation_enrollments
    is_active = exists().where(
        runs.c.org_id == work.org_id, runs.c.automation_id == series.id, runs.c.ended_at.is_(None)
    )
    return select(is_active)


def find_in(work: Work, key: str, status: SeriesStatus, done: str) -> Series:
    """Return the series if it is in ``status``; else raise a 409 that names both statuses."""
    series = find_series(work, key)
    if series.status is not status:
        problem = f"Series ‘{key}’ is {series.status}; only one that is {status} can be {done}."
        raise conflict(f"not_{status}", problem)
    return series


def _close_period(work: Work, series: Series, by: str) -> None:
    work.connection.execute(_closing(work, series, by))


@statement("close_period")
def _closing(work: Work, series: Series, by: str) -> Update:
    periods = automation_active_periods
    return (
        update(periods)
        .where(
            periods.c.org_id == work.org_id,
            periods.c.automation_id == series.id,
            periods.c.ended_at.is_(None),
        )
        .values(ended_at=work.now, ended_by=by)
    )


def _open_period(work: Work, series: Series, by: str) -> None:
    """Make the series active from now on; "while active" is judged by these periods (§4)."""
    work.connection.execute(_activate_series(work, series))
    # Paused and resumed at the same instant: the period simply continues.
    work.connection.execute(_opening(work, series, by))


@statement("activate_series")
def _activate_series(work: Work, series: Series) -> Update:
    return (
        update(automations)
        .where(automations.c.org_id == work.org_id, automations.c.id == series.id)
        .values(
            status=SeriesStatus.ACTIVE,
            status_ordered_at=work.now,
            activated_at=func.coalesce(automations.c.activated_at, work.now),
        )
    )


@statement("open_period")
def _opening(work: Work, series: Series, by: str) -> Insert:
    periods = automation_active_periods
    opened = insert(periods).values(
        org_id=work.org_id, automation_id=series.id, started_at=work.now, started_by=by
    )
    return opened.on_conflict_do_update(
        index_elements=[periods.c.org_id, periods.c.automation_id, periods.c.started_at],
        set_={"ended_at": None, "ended_by": None},
    )
