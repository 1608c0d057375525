"""Move the virtual clock: play a tick at each instant at which something may change."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Interval, Select, Update, and_, func, literal, select, update

from halo_engine.domain.errors import bad_input
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.times.cron import instants_between, next_instant
from halo_engine.domain.times.durations import parse_duration
from halo_engine.domain.times.instants import parse_instant
from halo_engine.rehearsal.sandbox import Sandbox
from halo_engine.rehearsal.turning_points import turning_points
from halo_engine.series.noting import note_time
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_recipients, automations, organizations, released_entries
from halo_engine.tables.enrollments import IS_PENDING
from halo_engine.work import Work

#: Ten years take some seconds to play; more is a typing error, and would seem to hang.
_FURTHEST: Final = timedelta(days=3_653)


def target_of(sandbox: Sandbox, value: object) -> datetime:
    """Return the instant of an ``at``: absolute, or ``+`` a duration from now."""
    if isinstance(value, str) and value.startswith("+"):
        ahead = parse_duration(value[1:], "at")
    else:
        ahead = (
            sandbox.perform(lambda work: parse_instant(value, work.org.zone, "at")) - sandbox.now
        )
    if ahead < timedelta(0):
        raise bad_input("at", f"{value} lies before the clock; allowed is now or later")
    if ahead > _FURTHEST:
        problem = f"{value} lies too far ahead; allowed are {_FURTHEST.days} days (ten years)"
        raise bad_input("at", f"{problem} in one entry")
    return sandbox.now + ahead


def move_clock(sandbox: Sandbox, target: datetime) -> None:
    """Play the ticks up to ``target``, at instants when a row or a re-evaluation is due.

    After a re-evaluation that moved no contact, further ones are skipped until a row is due or time
    changes the result of a rule.
    """
    quiet = False
    while sandbox.now < target:
        reevaluation = _next_turning_point if quiet else _next_reevaluation
        following = sandbox.perform(partial(_following, reevaluation))
        sandbox.now = min([target, *following])
        if quiet:
            sandbox.perform(_pass_over_reevaluations)
        quiet = not sandbox.tick()
    sandbox.tick()


def _following(reevaluation: Callable[[Work], datetime | None], work: Work) -> list[datetime]:
    """Return the instants of the next due row, the next re-evaluation, and when the next who are
    released at a pace may enter, if there are any.
    """
    found = (_next_due(work), reevaluation(work), _next_release(work))
    return [instant for instant in found if instant is not None]


def _next_release(work: Work) -> datetime | None:
    return work.connection.execute(_rehearsal_next_release(work)).scalar()


@statement("rehearsal_next_release")
def _rehearsal_next_release(work: Work) -> Select[Any]:
    entries, series = released_entries, automations
    within = series.c.release_within_seconds * literal(timedelta(seconds=1), Interval())
    ends = entries.c.began_at + within
    its = and_(series.c.org_id == entries.c.org_id, series.c.id == entries.c.automation_id)
    return (
        select(func.min(ends))
        .select_from(entries.join(series, its))
        .where(
            entries.c.org_id == work.org_id,
            series.c.status == SeriesStatus.ACTIVE,
            ends > work.now,
        )
    )


def _next_due(work: Work) -> datetime | None:
    return work.connection.execute(_rehearsal_next_due(work)).scalar()


@statement("rehearsal_next_due")
def _rehearsal_next_due(work: Work) -> Select[Any]:
    rows = automation_recipients
    return (
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
    )


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
        note_time(work, org.reevaluated_at)
        work.connection.execute(_rehearsal_pass_over_reevaluations(work, passed[-1]))


@statement("rehearsal_pass_over_reevaluations")
def _rehearsal_pass_over_reevaluations(work: Work, since: datetime) -> Update:
    return (
        update(organizations).where(organizations.c.id == work.org_id).values(reevaluated_at=since)
    )


def _next_turning_point(work: Work) -> datetime | None:
    """Return the first re-evaluation after time changes the result of a rule; None if it never
    does.
    """
    points = [point for point in turning_points(work) if point > work.now]
    if not points:
        return None
    just_before = min(points) - timedelta(microseconds=1)
    return next_instant(work.org.reevaluate_cron, work.org.zone, just_before)
