"""Periodic re-evaluation: a full pass over all ``segment_match`` series by the organisation's cron
(contract §4).
"""

from sqlalchemy import Insert, Update, insert, update

from halo_engine.domain.series.signals import SignalKind
from halo_engine.domain.times.cron import instants_between
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations, signals
from halo_engine.work import Work


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
    work.connection.execute(_signal_reevaluation(work))
    return True


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


@statement("signal_reevaluation")
def _signal_reevaluation(work: Work) -> Insert:
    return insert(signals).values(
        org_id=work.org_id,
        kind=SignalKind.REEVALUATED,
        happened_at=work.now,
        created_at=work.now,
    )


def note_pass(work: Work, *, quick: bool) -> None:
    """Note at the end of a pass whether its pages were quick, in the transaction of the last."""
    if quick != work.org.passes_are_quick:
        work.connection.execute(_noting_pass(work, quick))


@statement("note_pass")
def _noting_pass(work: Work, quick: bool) -> Update:
    return (
        update(organizations)
        .where(organizations.c.id == work.org_id)
        .values(passes_are_quick=quick)
    )
