"""The funnel of a series: how far contacts came, step by step (contract §1, §7, §9)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    RowMapping,
    Select,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    or_,
    select,
)

from halo_engine.answers.bounce_counts import bounces_of
from halo_engine.domain.answer import Answer
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.reasons import FailReason, Status
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.instants import Instant
from halo_engine.domain.times.retention import History
from halo_engine.series.histories import complete_since
from halo_engine.series.surges.held import count_held
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    cleared_mails,
    cleared_recipients,
    messages,
    waiting_entries,
)
from halo_engine.tables.messages import MAIL_COUNTS, counts_of_mails
from halo_engine.work import Work

_FAILED: Final = Status.FAILED.value


class FunnelStep(Answer):
    """One step: its recipients by status, and what came of it in all enrollments.

    Recipients are those of each contact's latest enrollment, since re-enrolling replaces them; the
    other counts include earlier enrollments. ``skipped`` is by reason; ``failed`` are emails that
    were not sent, ``unknown`` those whose outcome is unknown. ``opened`` and ``clicked`` are by
    people; emails that machines opened or clicked are counted apart (§16).
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
    machine_opened: int
    machine_clicked: int


class Funnel(Answer):
    """How many contacts were ever enrolled, in how many enrollments, how those ended, the steps.

    ``active`` counts enrollments, ``converted`` contacts, ``bounces`` reports of bounced mails by
    reason, most frequent first. A removed step is shown while it has recipients or emails.
    ``held`` counts contacts that a surge holds, ``waiting`` those who wait for data (§23); they
    have no enrollment yet. ``complete_since``: the ``recipients`` of runs that ended before are not
    counted any more, nor, of the runs of one version, mails from before (§24); None if all are.
    """

    series: str
    enrolled: int
    enrollments: int
    active: int
    converted: int
    ended: Mapping[str, int]
    bounces: Mapping[BounceReason, int]
    steps: tuple[FunnelStep, ...]
    held: int = 0
    waiting: int = 0
    complete_since: Instant | None = None


@dataclass(frozen=True, slots=True)
class FunnelRuns:
    """The runs that a funnel counts: all of a series, or those that began in one version."""

    work: Work
    series: Series
    version: int | None

    def among(self, table: FromClause) -> list[ColumnElement[bool]]:
        """Return the conditions under which a row of ``table`` is one of these runs'."""
        own = [table.c.org_id == self.work.org_id, table.c.automation_id == self.series.id]
        if self.version is None:
            return own
        runs = automation_enrollments
        if table is runs:
            return [*own, runs.c.series_version == self.version]
        if "enrollment_number" not in table.c:
            # Cleared rows no longer name their contact.
            return [*own, false()]
        began = exists().where(
            runs.c.org_id == table.c.org_id,
            runs.c.automation_id == table.c.automation_id,
            runs.c.end_user_id == table.c.end_user_id,
            runs.c.number == table.c.enrollment_number,
            runs.c.series_version == self.version,
        )
        return [*own, began]


def funnel(work: Work, series: Series, version: int | None = None) -> Funnel:
    """Return the funnel of ``series`` as it stands now, in seven statements.

    With a ``version`` it counts the runs that began in that version (contract §18).
    """
    of = FunnelRuns(work, series, version)
    enrolled, converted = work.connection.execute(_count_enrolled(of)).one()
    by_end = work.connection.execute(_count_runs_by_end(of))
    ended: dict[str | None, int] = {row.exit_reason: row.runs for row in by_end}
    active = ended.pop(None, 0)
    return Funnel(
        series=series.key,
        enrolled=enrolled,
        enrollments=active + sum(ended.values()),
        active=active,
        converted=converted,
        ended=ended,
        bounces=bounces_of(work, and_(*of.among(messages))),
        steps=tuple(_steps(of)),
        held=count_held(work, series),
        complete_since=complete_since(work, *_lacking(version)),
        waiting=work.connection.scalar(_count_waiting(of)) or 0 if series.patience else 0,
    )


def _lacking(version: int | None) -> Sequence[History]:
    """Return the histories that are counted, but for what was counted when it was deleted: of that
    no version is known.
    """
    return (History.STEPS,) if version is None else (History.STEPS, History.MAILS)


@statement("count_waiting")
def _count_waiting(of: FunnelRuns) -> Select[int]:
    waiting, patience = waiting_entries, of.series.patience or timedelta(0)
    return select(func.count()).where(
        waiting.c.org_id == of.work.org_id,
        waiting.c.automation_id == of.series.id,
        waiting.c.fired_at >= of.work.now - patience,
    )


@statement("count_enrolled")
def _count_enrolled(of: FunnelRuns) -> Select[int, int]:
    runs = automation_enrollments
    people = func.count(runs.c.end_user_id.distinct())
    return select(people, people.filter(runs.c.converted_at.is_not(None))).where(*of.among(runs))


@statement("count_runs_by_end")
def _count_runs_by_end(of: FunnelRuns) -> Select[Any]:
    runs = automation_enrollments
    return (
        select(runs.c.exit_reason, func.count().label("runs"))
        .where(*of.among(runs))
        .group_by(runs.c.exit_reason)
    )


def _steps(of: FunnelRuns) -> Iterator[FunnelStep]:
    recipients, ends = _recipients(of), _ends(of)
    mails = _mails(of)
    for step in (*of.series.steps, *of.series.removed_steps):
        if step.removed and step.id not in {*recipients, *ends, *mails}:
            continue
        end = ends.get(step.id, {})
        yield FunnelStep(
            step=step.key,
            removed=step.removed,
            recipients=recipients.get(step.id, {}),
            skipped={reason: number for reason, number in sorted(end.items()) if reason != _FAILED},
            failed=end.get(_FAILED, 0),
            **{name: mails[step.id][name] if step.id in mails else 0 for name in MAIL_COUNTS},
        )


def _recipients(of: FunnelRuns) -> Mapping[UUID, Mapping[str, int]]:
    counted = of.work.connection.execute(_count_rows_by_step(of))
    by_step: dict[UUID, dict[str, int]] = defaultdict(dict)
    for step_id, status, number in counted:
        by_step[step_id][status] = number
    return by_step


@statement("count_rows_by_step")
def _count_rows_by_step(of: FunnelRuns) -> Select[Any]:
    rows = automation_recipients
    return (
        select(rows.c.step_id, rows.c.status, func.count())
        .where(*of.among(rows))
        .group_by(rows.c.step_id, rows.c.status)
        .order_by(rows.c.status)
    )


def _ends(of: FunnelRuns) -> Mapping[UUID, Mapping[str, int]]:
    """Return how many rows were skipped for each reason, and failed, cleared ones too."""
    counted = of.work.connection.execute(_count_skipped_by_step(of))
    by_step: dict[UUID, dict[str, int]] = defaultdict(dict)
    for step_id, reason, number in counted:
        by_step[step_id][reason] = int(number)
    return by_step


@statement("count_skipped_by_step")
def _count_skipped_by_step(of: FunnelRuns) -> Select[Any]:
    rows, cleared = automation_recipients, cleared_recipients
    is_skipped = rows.c.status == Status.SKIPPED
    is_failed = and_(rows.c.status == Status.FAILED, rows.c.reason != FailReason.OUTCOME_UNKNOWN)
    end = case((is_skipped, rows.c.reason), else_=_FAILED).label("end")
    present = (
        select(rows.c.step_id, end, func.count().label("rows"))
        .where(*of.among(rows), or_(is_skipped, is_failed))
        .group_by(rows.c.step_id, end)
    )
    earlier = select(
        cleared.c.step_id, func.coalesce(cleared.c.reason, _FAILED), cleared.c.recipients
    ).where(*of.among(cleared))
    both = present.union_all(earlier).subquery("both")
    return select(both.c.step_id, both.c.end, func.sum(both.c.rows)).group_by(
        both.c.step_id, both.c.end
    )


def _mails(of: FunnelRuns) -> Mapping[UUID, RowMapping]:
    counted = of.work.connection.execute(_count_mails_by_step(of))
    return {row["step_id"]: row for row in counted.mappings()}


@statement("count_mails_by_step")
def _count_mails_by_step(of: FunnelRuns) -> Select[Any]:
    present = (
        select(messages.c.step_id, *counts_of_mails(messages))
        .where(*of.among(messages))
        .group_by(messages.c.step_id)
    )
    cleared = cleared_mails
    earlier = select(cleared.c.step_id, *(cleared.c[name] for name in MAIL_COUNTS)).where(
        *of.among(cleared)
    )
    both = present.union_all(earlier).subquery("both")
    added = (cast(func.sum(both.c[name]), BigInteger).label(name) for name in MAIL_COUNTS)
    return select(both.c.step_id, *added).group_by(both.c.step_id)
