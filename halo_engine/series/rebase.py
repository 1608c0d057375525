"""The effects of a new definition on contacts who are or were in the series (guards 8, 10, 11)."""

from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Insert,
    Update,
    and_,
    func,
    insert,
    literal,
    null,
    select,
    update,
)

from halo_engine.audience.compiler import Subject
from halo_engine.audience.matching import audience, scan
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.signals import SignalKind
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, end_users, signals
from halo_engine.work import Work

_RUNS = automation_enrollments


def rebase_audience(work: Work, series: Series) -> None:
    """Note which contacts the new definition puts outside: they did not leave (guard 8)."""
    work.connection.execute(_rebasing_audience(work, series))


@statement("rebase_audience")
def _rebasing_audience(work: Work, series: Series) -> Update:
    subject = Subject.of_contacts()
    holds = audience(series, subject, work.moment)
    contact, later = subject.contact, _RUNS.alias("later")
    is_latest = ~(
        select(later.c.id)
        .where(
            later.c.org_id == _RUNS.c.org_id,
            later.c.end_user_id == _RUNS.c.end_user_id,
            later.c.automation_id == _RUNS.c.automation_id,
            later.c.number > _RUNS.c.number,
        )
        .exists()
    )
    seen = (
        select(_RUNS.c.end_user_id, _RUNS.c.number, (~holds).label("outside"))
        .select_from(
            scan(subject, [holds]).join(
                _RUNS,
                and_(_RUNS.c.org_id == contact.c.org_id, _RUNS.c.end_user_id == contact.c.id),
            )
        )
        .where(
            contact.c.org_id == work.org_id,
            _RUNS.c.automation_id == series.id,
            ~_RUNS.c.left_audience,
            is_latest,
        )
        .cte("seen")
    )
    return (
        update(_RUNS)
        .where(
            *_runs_of(work, series.id),
            _RUNS.c.end_user_id == seen.c.end_user_id,
            _RUNS.c.number == seen.c.number,
            _RUNS.c.outside_by_definition != seen.c.outside,
        )
        .values(outside_by_definition=seen.c.outside)
    )


def rebase_seats(work: Work, series: Series) -> None:
    """Give each company's seat to its earliest active run, or take all seats back (guard 10).

    A company with several runs gets a signal that it changed; handling it ends the later runs.
    """
    work.connection.execute(_free_seats(work, series))
    if not series.settings.one_per_company:
        return
    work.connection.execute(_seat_earliest_runs(work, series))


@statement("free_seats")
def _free_seats(work: Work, series: Series) -> Update:
    return (
        update(_RUNS)
        .where(*_runs_of(work, series.id), _RUNS.c.company_seat.is_not(None), _is_active())
        .values(company_seat=null())
    )


@statement("seat_earliest_runs")
def _seat_earliest_runs(work: Work, series: Series) -> Insert:
    contact = end_users
    rank = func.row_number().over(
        partition_by=contact.c.company_id, order_by=(_RUNS.c.created_at, _RUNS.c.id)
    )
    ranked = (
        select(_RUNS.c.end_user_id, contact.c.company_id, rank.label("rank"))
        .select_from(
            _RUNS.join(
                contact,
                and_(contact.c.org_id == _RUNS.c.org_id, contact.c.id == _RUNS.c.end_user_id),
            )
        )
        .where(*_runs_of(work, series.id), _is_active(), contact.c.company_id.is_not(None))
        .cte("ranked")
    )
    seated = (
        update(_RUNS)
        .where(
            *_runs_of(work, series.id),
            _is_active(),
            _RUNS.c.end_user_id == ranked.c.end_user_id,
            ranked.c.rank == 1,
        )
        .values(company_seat=ranked.c.company_id)
        .cte("seated")
    )
    crowded = select(
        literal(work.org_id),
        literal(SignalKind.COMPANY_CHANGED.value),
        ranked.c.company_id,
        literal(work.now),
        literal(work.now),
    ).where(ranked.c.rank == 2)
    columns = ["org_id", "kind", "company_id", "happened_at", "created_at"]
    return insert(signals).from_select(columns, crowded, include_defaults=False).add_cte(seated)


def rebase_addresses(work: Work, series: Series) -> None:
    """Let the active runs hold the addresses that they began with, or none (guard 11); nobody
    leaves.
    """
    changes = _hold_addresses if series.settings.one_per_address else _free_addresses
    work.connection.execute(changes(work, series))


@statement("free_addresses")
def _free_addresses(work: Work, series: Series) -> Update:
    return (
        update(_RUNS)
        .where(*_runs_of(work, series.id), _RUNS.c.holds_address)
        .values(holds_address=False)
    )


@statement("hold_addresses_of_runs")
def _hold_addresses(work: Work, series: Series) -> Update:
    contact = end_users
    address = address_at_entry(_RUNS, contact)
    return (
        update(_RUNS)
        .where(
            *_runs_of(work, series.id),
            _is_active(),
            contact.c.org_id == _RUNS.c.org_id,
            contact.c.id == _RUNS.c.end_user_id,
        )
        .values(address=address, holds_address=address != "")
    )


def address_at_entry(runs: FromClause, contact: FromClause) -> ColumnElement[str]:
    """Return the address with which a run began, empty if there was none; of an older run, whose
    address was not kept, the contact's of now.
    """
    return func.coalesce(runs.c.address, contact.c.address, "")


def _runs_of(work: Work, series_id: UUID) -> list[ColumnElement[bool]]:
    return [_RUNS.c.org_id == work.org_id, _RUNS.c.automation_id == series_id]


def _is_active() -> ColumnElement[bool]:
    return _RUNS.c.ended_at.is_(None)
