"""The funnel of a series: how far contacts came, step by step (contract §1, §7, §9)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, RowMapping, func, select

from halo_engine.answers.shape import Answer
from halo_engine.domain.series import Series
from halo_engine.tables import automation_enrollments, automation_recipients, messages
from halo_engine.work import Work


class FunnelStep(Answer):
    """One step: its recipients by status, and what came of its emails in all enrollments.

    Recipients are those of each contact's latest enrollment, since re-enrolling replaces them; the
    emails of earlier ones still count.
    """

    step: str
    removed: bool
    recipients: Mapping[str, int]
    sent: int
    opened: int
    clicked: int
    replied: int


class Funnel(Answer):
    """How many contacts were ever enrolled, in how many enrollments, how those ended, the steps.

    ``active`` are enrollments, ``converted`` contacts. A removed step is shown while it has
    recipients or emails.
    """

    series: str
    enrolled: int
    enrollments: int
    active: int
    converted: int
    ended: Mapping[str, int]
    steps: tuple[FunnelStep, ...]


def funnel(work: Work, series: Series) -> Funnel:
    """Return the funnel of ``series`` as it stands now, in four statements."""
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
        steps=tuple(_steps(work, series)),
    )


def _steps(work: Work, series: Series) -> Iterator[FunnelStep]:
    recipients, mails = _recipients(work, series), _mails(work, series)
    for step in (*series.steps, *series.removed_steps):
        if step.removed and step.id not in recipients and step.id not in mails:
            continue
        mail = mails.get(step.id, dict.fromkeys(("sent", "opened", "clicked", "replied"), 0))
        yield FunnelStep(
            step=step.key,
            removed=step.removed,
            recipients=recipients.get(step.id, {}),
            sent=mail["sent"],
            opened=mail["opened"],
            clicked=mail["clicked"],
            replied=mail["replied"],
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


def _mails(work: Work, series: Series) -> Mapping[UUID, RowMapping]:
    counted = work.connection.execute(
        select(
            messages.c.step_id,
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
