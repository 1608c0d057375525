"""Moving the virtual clock: a tick at each instant at which something may change."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import and_, func, select, update

from halo_engine.domain.cron import instants_between, next_instant
from halo_engine.domain.durations import parse_duration
from halo_engine.domain.errors import bad_input
from halo_engine.domain.instants import parse_instant
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.rehearsal.stage import Stage
from halo_engine.rehearsal.turning_points import turning_points
from halo_engine.tables import automation_recipients, automations, organizations
from halo_engine.tables.enrollments import IS_PENDING
from halo_engine.work import Work

#: Ten years take some seconds to play; more is a typing error that would seem to hang.
_FURTHEST: Final = timedelta(days=3_653)


def target_of(stage: Stage, value: object) -> datetime:
    """Return the instant of an ``at``: absolute, or ``+`` a duration from now."""
    if isinstance(value, str) and value.startswith("+"):
        ahead = parse_duration(value[1:], "at")
    else:
        ahead = stage.perform(lambda work: parse_instant(value, work.org.zone, "at")) - stage.now
    if ahead < timedelta(0):
        raise bad_input("at", f"{value} lies before the clock; allowed is now or later")
    if ahead > _FURTHEST:
        problem = f"{value} lies too far ahead; allowed are {_FURTHEST.days} days (ten years)"
        raise bad_input("at", f"{problem} in one entry")
    return stage.now + ahead


def move_clock(stage: Stage, target: datetime) -> None:
    """Play the ticks up to ``target``, at instants when a row or a re-evaluation is due.

    After a re-evaluation that moved nobody, further ones are skipped until a row falls due or time
    changes a rule.
    """
    quiet = False
    while stage.now < target:
        reevaluation = _next_turn if quiet else _next_reevaluation
        following = stage.perform(partial(_following, reevaluation))
        stage.now = min([target, *following])
        if quiet:
            stage.perform(_pass_over_reevaluations)
        quiet = not stage.tick()
    stage.tick()


def _following(reevaluation: Callable[[Work], datetime | None], work: Work) -> list[datetime]:
    """Return the instants of the next due row and the next re-evaluation, if there are any."""
    return [instant for instant in (_next_due(work), reevaluation(work)) if instant is not None]


def _next_due(work: Work) -> datetime | None:
    rows = automation_recipients
    return work.connection.execute(
        select(func.min(rows.c.scheduled_for))
        .join(
            automations,
            and_(automations.c.org_id == rows.c.org_id, automations.c.id == rows.c.automation_id),
        )
        .where(
            rows.c.org_id == work.org_id,
            IS_PENDING,
            automations.c.status == SeriesStatus.ACTIVE,
            rows.c.scheduled_for > work.now,
        )
    ).scalar()


def _next_reevaluation(work: Work) -> datetime:
    return next_instant(work.org.reevaluate_cron, work.org.zone, work.now)


def _pass_over_reevaluations(work: Work) -> None:
    """Record the re-evaluations before this instant as done; one due right now is kept."""
    org = work.org
    passed = [
        instant
        for instant in instants_between(org.reevaluate_cron, org.zone, org.reevaluated_at, work.now)
        if instant < work.now
    ]
    if passed:
        work.connection.execute(
            update(organizations)
            .where(organizations.c.id == work.org_id)
            .values(reevaluated_at=passed[-1])
        )


def _next_turn(work: Work) -> datetime | None:
    """Return the first re-evaluation after time changes a rule; None if it never does."""
    turns = [turn for turn in turning_points(work) if turn > work.now]
    if not turns:
        return None
    just_before = min(turns) - timedelta(microseconds=1)
    return next_instant(work.org.reevaluate_cron, work.org.zone, just_before)
