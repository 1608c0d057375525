"""The story of a contact's runs in a series: each decision, from what is kept (contract §18).

A re-enrollment deletes the rows of the run before, so of an earlier run its beginning, its mails
and its end are left; so are those of a run that ended long ago, until its mails are old too (§24).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import RowMapping, Select, and_, func, select

from halo_engine.answers.joins import has_values
from halo_engine.domain.answer import Answer
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.times.instants import Instant
from halo_engine.domain.times.retention import History
from halo_engine.series.histories import all_complete_since
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automation_recipients, messages
from halo_engine.work import Work


class RunMail(Answer):
    """The mail of a step: its state, and what the reader did."""

    message_id: str
    state: str
    sent_at: Instant | None
    opened_at: Instant | None
    clicked_at: Instant | None
    replied_at: Instant | None


class RunStep(Answer):
    """What became of a step: ``decided_at`` is None while the contact waits at it.

    Of a row that was deleted, only the mail is known.
    """

    step: str
    status: str | None
    reason: str | None
    reached_at: Instant | None
    due_at: Instant | None
    decided_at: Instant | None
    mail: RunMail | None


class Run(Answer):
    """One run: the version of the series in which it began, its steps in order, and its end.

    ``version`` is None of a run that began before versions were kept. ``event_properties`` are what
    the run keeps of the event that began it, None if there are none (contract §21).
    """

    number: int
    version: int | None
    began_at: Instant
    converted_at: Instant | None
    ended_at: Instant | None
    exit_reason: ExitReason | None
    event_properties: dict[str, JsonValue] | None
    steps: tuple[RunStep, ...]


class RunStory(Answer):
    """The runs of a contact in a series, the latest first.

    ``complete_since``: of runs that ended before, steps are not kept any more, nor mails from
    before of a run that ended (§24); None where nothing can be missing.
    """

    series: str
    contact: str
    runs: tuple[Run, ...]
    complete_since: Instant | None = None


def run_story(work: Work, series: Series, contact_id: UUID, name: str) -> RunStory:
    """Return what is kept of the contact's runs, in three statements."""
    runs = work.connection.execute(_read_runs(work, series, contact_id)).mappings().all()
    steps: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in work.connection.execute(_read_run_steps(work, series, contact_id)).mappings():
        steps[row["number"]].append(dict(row))
    keys = {id_: step.key for id_, step in series.steps_by_id.items()}
    return RunStory(
        complete_since=_complete_since(work, [row for row in runs if row["ended_at"]]),
        series=series.key,
        contact=name,
        runs=tuple(
            Run(**dict(row), steps=tuple(_steps(steps[row["number"]], keys))) for row in runs
        ),
    )


def _complete_since(work: Work, ended: Sequence[RowMapping]) -> datetime | None:
    """Return from when on these runs, which have ended, have all their steps and mails."""
    since = all_complete_since(work)
    steps, mails = since.get(History.STEPS), since.get(History.MAILS)
    lacking = [
        steps if steps and any(run["ended_at"] < steps for run in ended) else None,
        mails if mails and any(run["began_at"] < mails for run in ended) else None,
    ]
    return max((each for each in lacking if each is not None), default=None)


def _steps(rows: Iterable[Mapping[str, Any]], keys: Mapping[UUID, str]) -> Iterable[RunStep]:
    for row in rows:
        mail = None
        if row["message_id"] is not None:
            mail = RunMail(**{name: row[name] for name in RunMail.model_fields})
        known = {name: row[name] for name in RunStep.model_fields if name in row}
        yield RunStep(**known, step=keys[row["step_id"]], mail=mail)


@statement("read_runs")
def _read_runs(work: Work, series: Series, contact_id: UUID) -> Select[Any]:
    runs = automation_enrollments
    return (
        select(
            runs.c.number,
            runs.c.series_version.label("version"),
            runs.c.created_at.label("began_at"),
            runs.c.converted_at,
            runs.c.ended_at,
            runs.c.exit_reason,
            runs.c.event_properties,
        )
        .where(has_values(runs, work.org_id, end_user_id=contact_id, automation_id=series.id))
        .order_by(runs.c.number.desc())
    )


@statement("read_run_steps")
def _read_run_steps(work: Work, series: Series, contact_id: UUID) -> Select[Any]:
    named = {"end_user_id": contact_id, "automation_id": series.id}
    rows = _of(work, automation_recipients, named, "rows")
    mails = _of(work, messages, named, "mails")
    is_its = and_(mails.c.recipient_id == rows.c.id)
    number = func.coalesce(rows.c.enrollment_number, mails.c.enrollment_number)
    return (
        select(
            number.label("number"),
            func.coalesce(rows.c.step_id, mails.c.step_id).label("step_id"),
            rows.c.status,
            func.coalesce(rows.c.reason, rows.c.exit_reason).label("reason"),
            rows.c.created_at.label("reached_at"),
            func.coalesce(rows.c.was_due, rows.c.scheduled_for).label("due_at"),
            rows.c.finished_at.label("decided_at"),
            *(mails.c[name] for name in RunMail.model_fields),
        )
        .select_from(rows.join(mails, is_its, full=True))
        .order_by(func.coalesce(rows.c.id, mails.c.recipient_id))
    )


def _of(work: Work, table: Any, named: Mapping[str, Any], name: str) -> Any:
    """Return the contact's rows of a table by themselves: both are few, and found by index."""
    return select(table).where(has_values(table, work.org_id, **named)).subquery(name)
