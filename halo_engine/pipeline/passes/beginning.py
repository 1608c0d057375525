"""Periodic re-evaluation: a pass by the organisation's cron, once a day over everybody (contract
§4).
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    Insert,
    Select,
    Update,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from halo_engine.domain.series.signals import PART_OF, Signal, SignalKind
from halo_engine.domain.times.cron import instants_between
from halo_engine.pipeline.passes.cursors import NARROW, ZONE, is_narrow
from halo_engine.series.noting import note_time
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations, signals
from halo_engine.work import Work

#: So long after the last pass over everybody the next one is such a pass again.
FULLY_EVERY: Final = timedelta(hours=22)


def begin_due_reevaluation(work: Work) -> bool:
    """Leave the signal for a pass if the cron fired since the last one began; return whether it
    did.

    However many ticks there are, and however many instants were missed, one pass makes up for them:
    the row of the organisation says when the last began, and only one transaction moves it on.
    """
    org = work.org
    due = instants_between(org.reevaluate_cron, org.zone, org.reevaluated_at, work.now)
    if not any(True for _ in due):
        return False
    began = work.connection.execute(_begin_reevaluation(work))
    if began.rowcount == 0:
        return False
    note_time(work, org.reevaluated_at)
    work.connection.execute(_signal_reevaluation(work, narrow=not _looks_at_everybody(work)))
    return True


def _looks_at_everybody(work: Work) -> bool:
    """Return whether the pass is one over everybody: that is due, and none is under way."""
    last = work.org.passed_fully_at
    if last is not None and last <= work.now < last + FULLY_EVERY:
        return False
    return not work.connection.scalar(_check_passing_fully(work))


@statement("begin_reevaluation")
def _begin_reevaluation(work: Work) -> Update:
    return (
        update(organizations)
        .where(
            organizations.c.id == work.org_id,
            organizations.c.reevaluated_at == work.org.reevaluated_at,
        )
        .values(reevaluated_at=work.now, passes=organizations.c.passes + 1)
    )


@statement("check_passing_fully")
def _check_passing_fully(work: Work) -> Select[Any]:
    is_full = or_(signals.c.cursor.is_(None), ~signals.c.cursor.has_key(NARROW))
    is_pass = and_(
        signals.c.org_id == work.org_id,
        signals.c.kind == SignalKind.REEVALUATED,
        signals.c.automation_id.is_(None),
        or_(signals.c.cursor.is_(None), ~signals.c.cursor.has_key(PART_OF)),
    )
    return select(exists().where(is_pass, is_full))


@statement("signal_reevaluation", narrow=True)
def _signal_reevaluation(work: Work, *, narrow: bool) -> Insert:
    return insert(signals).values(
        org_id=work.org_id,
        kind=SignalKind.REEVALUATED,
        happened_at=work.now,
        created_at=work.now,
        cursor={NARROW: True} if narrow else None,
    )


def note_pass(work: Work, signal: Signal, *, quick: bool) -> None:
    """Note at the end of a pass over everybody when it began, and whether its pages were quick, in
    the transaction of the last.
    """
    zone = (signal.cursor or {}).get(ZONE)
    if signal.series_id is None and not is_narrow(signal) and zone is not None:
        work.connection.execute(_noting_pass(work, signal, zone, quick))


@statement("note_pass", zone="UTC")
def _noting_pass(work: Work, signal: Signal, zone: str, quick: bool) -> Update:
    # Dates were read in this zone: if it is another by now, everybody is looked at again.
    table = organizations
    return (
        update(table)
        .where(table.c.id == work.org_id, table.c.timezone == zone)
        .values(
            passes_are_quick=quick,
            passed_fully_at=func.greatest(table.c.passed_fully_at, signal.arrived_at),
        )
    )
