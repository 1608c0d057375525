"""The funnel of a series: how far contacts came, step by step (contract §1, §7, §9)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, RowMapping, and_, case, func, or_, select

from halo_engine.answers.bounce_counts import bounces_of
from halo_engine.answers.shape import Answer
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.reasons import FailReason, Status
from halo_engine.domain.series import Series
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    cleared_recipients,
    messages,
)
from halo_engine.work import Work

_FAILED: Final = Status.FAILED.value
_OF_MAILS: Final = ("unknown", "sent", "opened", "clicked", "replied")


class FunnelStep(Answer):
    """One step: its recipients by status, and what came of it in all enrollments.

    Recipients are those of each contact's latest enrollment, since re-enrolling replaces them; all
    that follows counts earlier ones too. ``skipped`` is by reason; ``failed`` are emails that were
    not sent, ``unknown`` those of which nobody knows.
    """

    step: str
    removed: bool
    recipients: Mapping[str, int]
    skipped: Mapping[str, int]
    failed: int
    unknown: int
    sent: int
    opened: int
    clicked: int
    replied: int


class Funnel(Answer):
    """How many contacts were ever enrolled, in how many enrollments, how those ended, the steps.

    ``active`` are enrollments, ``converted`` contacts; ``bounces`` are reports of mails that came
    back, by reason, the most first. A removed step is shown while it has recipients or emails.
    """

    series: str
    enrolled: int
    enrollments: int
    active: int
    converted: int
    ended: Mapping[str, int]
    bounces: Mapping[BounceReason, int]
    steps: tuple[FunnelStep, ...]


def funnel(work: Work, series: Series) -> Funnel:
    """Return the funnel of ``series`` as it stands now, in six statements."""
    runs = automation_enrollments
    people = func.count(runs.c.end_user_id.distinct())
    enrolled, converted = work.connection.execute(
        select(people, people.filter(runs.c.converted_at.is_not(None))).where(
            *_of(work, series, runs)
        )
    ).one()
    by_end = work.connection.execute(
        select(runs.c.exit_reason, func.count().label("runs"))
        .where(*_of(work, series, runs))
        .group_by(runs.c.exit_reason)
    )
    ended: dict[str | None, int] = {row.exit_reason: row.runs for row in by_end}
    active = ended.pop(None, 0)
    return Funnel(
        series=series.key,
        enrolled=enrolled,
        enrollments=active + sum(ended.values()),
        active=active,
        converted=converted,
        ended=ended,
        bounces=bounces_of(work, messages.c.automation_id == series.id),
        steps=tuple(_steps(work, series)),
    )


def _steps(work: Work, series: Series) -> Iterator[FunnelStep]:
    recipients, ends = _recipients(work, series), _ends(work, series)
    mails = _mails(work, series)
    for step in (*series.steps, *series.removed_steps):
        if step.removed and step.id not in {*recipients, *ends, *mails}:
            continue
        end = ends.get(step.id, {})
        yield FunnelStep(
            step=step.key,
            removed=step.removed,
            recipients=recipients.get(step.id, {}),
            skipped={reason: number for reason, number in sorted(end.items()) if reason != _FAILED},
            failed=end.get(_FAILED, 0),
            **{name: mails[step.id][name] if step.id in mails else 0 for name in _OF_MAILS},
        )


def _recipients(work: Work, series: Series) -> Mapping[UUID, Mapping[str, int]]:
    rows = automation_recipients
    counted = work.connection.execute(
        select(rows.c.step_id, rows.c.status, func.count())
        .where(*_of(work, series, rows))
        .group_by(rows.c.step_id, rows.c.status)
        .order_by(rows.c.status)
    )
    by_step: dict[UUID, dict[str, int]] = defaultdict(dict)
    for step_id, status, number in counted:
        by_step[step_id][status] = number
    return by_step


def _ends(work: Work, series: Series) -> Mapping[UUID, Mapping[str, int]]:
    """Return how many rows were skipped for each reason, and failed, cleared ones too."""
    rows, cleared = automation_recipients, cleared_recipients
    is_skipped = rows.c.status == Status.SKIPPED
    is_failed = and_(rows.c.status == Status.FAILED, rows.c.reason != FailReason.OUTCOME_UNKNOWN)
    end = case((is_skipped, rows.c.reason), else_=_FAILED).label("end")
    present = (
        select(rows.c.step_id, end, func.count().label("rows"))
        .where(*_of(work, series, rows), or_(is_skipped, is_failed))
        .group_by(rows.c.step_id, end)
    )
    earlier = select(
        cleared.c.step_id, func.coalesce(cleared.c.reason, _FAILED), cleared.c.recipients
    ).where(*_of(work, series, cleared))
    both = present.union_all(earlier).subquery("both")
    counted = work.connection.execute(
        select(both.c.step_id, both.c.end, func.sum(both.c.rows)).group_by(
            both.c.step_id, both.c.end
        )
    )
    by_step: dict[UUID, dict[str, int]] = defaultdict(dict)
    for step_id, reason, number in counted:
        by_step[step_id][reason] = int(number)
    return by_step


def _mails(work: Work, series: Series) -> Mapping[UUID, RowMapping]:
    counted = work.connection.execute(
        select(
            messages.c.step_id,
            func.count().filter(messages.c.state == "unknown").label("unknown"),
            func.count(messages.c.sent_at).label("sent"),
            func.count(messages.c.opened_at).label("opened"),
            func.count(messages.c.clicked_at).label("clicked"),
            func.count(messages.c.replied_at).label("replied"),
        )
        .where(*_of(work, series, messages))
        .group_by(messages.c.step_id)
    )
    return {row["step_id"]: row for row in counted.mappings()}


def _of(work: Work, series: Series, table: FromClause) -> list[ColumnElement[bool]]:
    return [table.c.org_id == work.org_id, table.c.automation_id == series.id]
