"""The installation's tick: note that it came, and find the organisations to ring for (§1)."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    FromClause,
    Insert,
    Row,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.errors import Refusal
from halo_engine.domain.reasons import EntryTrigger, SeriesStatus
from halo_engine.domain.times.cron import next_instant
from halo_engine.domain.times.instants import parse_zone
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_recipients,
    automations,
    confirmations,
    installation,
    organizations,
    signals,
)
from halo_engine.tables.enrollments import IS_PENDING, IS_PROCESSING


def note_tick(connection: Connection) -> None:
    """Store that a tick came now, by the database's clock; ``halo status`` shows it."""
    connection.execute(_noting_tick())


@statement("note_tick")
def _noting_tick() -> Insert:
    ticked = insert(installation).values(singleton=True, ticked_at=func.now(), ticks=1)
    return ticked.on_conflict_do_update(
        index_elements=["singleton"],
        set_={
            "ticked_at": ticked.excluded.ticked_at,
            "ticks": installation.c.ticks + 1,
        },
    )


def _some_row(series: FromClause, *conditions: ColumnElement[bool]) -> Exists:
    """Return whether a series has such a row; for each, an index is read up to the first one."""
    rows = automation_recipients
    of_series = and_(rows.c.org_id == series.c.org_id, rows.c.automation_id == series.c.id)
    some = select(rows.c.id).where(of_series, *conditions).limit(1).lateral("some")
    return exists().select_from(series.join(some, true()))


def organizations_with_work(connection: Connection) -> list[UUID]:
    """Return the organisations with waiting signals, due rows, stale leases or a due re-evaluation.

    The clock is the database's.
    """
    found = connection.execute(_find_orgs_with_work())
    return [row.id for row in found if row.has_work or _reevaluates(row)]


@statement("find_orgs_with_work")
def _find_orgs_with_work() -> Select[Any]:
    org, series, rows = organizations, automations, automation_recipients
    waits = exists().where(signals.c.org_id == org.c.id, signals.c.parked_at.is_(None))
    active = and_(series.c.org_id == org.c.id, series.c.status == SeriesStatus.ACTIVE)
    due = _some_row(series, IS_PENDING, rows.c.scheduled_for <= func.now()).where(active)
    stale = _some_row(series, IS_PROCESSING, rows.c.lease_expires_at <= func.now()).where(
        series.c.org_id == org.c.id
    )
    asks = and_(
        org.c.asks_to_confirm,
        exists().where(
            confirmations.c.org_id == org.c.id,
            confirmations.c.state.in_(["waiting", "intended"]),
            confirmations.c.due_at <= func.now(),
        ),
    )
    # A release at a pace goes on at each tick (§19).
    releases = exists().where(active, series.c.release_at_most.is_not(None))
    reevaluates = exists().where(active, series.c.entry_trigger == EntryTrigger.SEGMENT_MATCH)
    return select(
        org.c.id,
        org.c.timezone,
        org.c.reevaluate_cron,
        org.c.reevaluated_at,
        or_(waits, due, stale, asks, releases).label("has_work"),
        func.now().label("now"),
    ).where(or_(waits, due, stale, asks, releases, reevaluates))


def _reevaluates(row: Row[Any]) -> bool:
    """Return whether a re-evaluation is due; true if the cron or the zone cannot be read, so that
    the organisation's own task reports it.
    """
    try:
        zone = parse_zone(row.timezone)
        return bool(next_instant(row.reevaluate_cron, zone, row.reevaluated_at) <= row.now)
    except (Refusal, ValueError):
        return True
