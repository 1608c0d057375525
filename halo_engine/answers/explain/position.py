"""Where an active contact stands in a series, and what happens next and when (contract §10).

It gathers the facts of now and decides by the rules of ``domain.series.decisions``, but records
nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Select, Uuid, and_, any_, exists, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.answers.explain.position_words import WAITS, at_the_latest, then, worded
from halo_engine.answers.held_mail import what_holds_mail
from halo_engine.domain.answer import Answer
from halo_engine.domain.phrases import on_the_clock
from halo_engine.domain.reasons import SeriesStatus, Status
from halo_engine.domain.series.decisions import (
    DueFacts,
    Finish,
    Postpone,
    decide_step,
    exit_reason,
)
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.times.instants import Instant
from halo_engine.journey.claim import DueRow, Run
from halo_engine.journey.facts import gather_due
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automation_recipients, messages
from halo_engine.tables.enrollments import DUE, FIRST_DUE, IS_ACTIVE
from halo_engine.work import Work


class Position(Answer):
    """The position of an active enrollment; ``next`` says what happens at ``next_at``.

    ``next_at`` is None while the series is not active, while mail that is due is held, and if the
    step was set aside; then ``problem`` is the error. ``number`` and ``enrolled_at`` are the
    enrollment's; ``since`` is when the contact reached ``step``. ``event_properties`` are what the
    run keeps of the event that began it, None if there are none (contract §21).
    """

    number: int
    enrolled_at: Instant
    step: str
    status: Status
    since: Instant
    next: str
    next_at: Instant | None
    problem: str | None = None
    event_properties: dict[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class _Fault:
    """The error that handling the row raised, since when, and when it is retried."""

    problem: str
    failed_at: datetime
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Standing:
    """An active recipient row; ``machines``: some opened or clicked mails of the run (§16);
    ``event`` is what the run keeps of its event (§21).
    """

    row: DueRow
    step: Step
    status: Status
    scheduled_for: datetime
    first_due: datetime
    enrolled_at: datetime
    fault: _Fault | None
    machines: bool
    event: dict[str, JsonValue] | None

    @property
    def latest(self) -> datetime | None:
        """Until when its email may leave (contract §20)."""
        return self.first_due + self.step.send_by if self.step.send_by is not None else None


def locate(work: Work, series: Series, contacts: Collection[UUID]) -> Mapping[UUID, Position]:
    """Return the position of those ``contacts`` that are active in ``series``; three statements."""
    standing = _standing(work, series, contacts)
    if not series.is_active:
        return {each.row.run.contact_id: _held(work, series, each) for each in standing}
    # Gathering may be what fails, so rows that failed are left out.
    sound = [each for each in standing if each.fault is None]
    by_id, rows = {series.id: series}, [each.row for each in sound]
    facts = gather_due(work.connection, work.org_id, work.moment, by_id, rows) if rows else []
    found = {
        each.row.run.contact_id: _failed(work, each, each.fault)
        for each in standing
        if each.fault is not None
    }
    held = what_holds_mail(work) if sound else None
    return found | {
        each.row.run.contact_id: _next(work, each, its, held)
        for each, its in zip(sound, facts, strict=True)
    }


def _standing(work: Work, series: Series, contacts: Collection[UUID]) -> Sequence[_Standing]:
    found = work.connection.execute(_find_position(work, series, contacts))
    return [
        _Standing(
            DueRow(
                row.id,
                row.step_id,
                row.created_at,
                Run(row.end_user_id, series.id, row.enrollment_number),
            ),
            series.steps_by_id[row.step_id],
            Status(row.status),
            row.scheduled_for,
            row.first_due,
            row.enrolled_at,
            _Fault(row.error, row.failed_at, row.retry_at) if row.error is not None else None,
            row.machines,
            row.event_properties,
        )
        for row in found
    ]


@statement("find_position")
def _find_position(work: Work, series: Series, contacts: Collection[UUID]) -> Select[Any]:
    rows, runs = automation_recipients, automation_enrollments
    machines = exists().where(
        messages.c.org_id == rows.c.org_id,
        messages.c.end_user_id == rows.c.end_user_id,
        messages.c.automation_id == rows.c.automation_id,
        messages.c.enrollment_number == rows.c.enrollment_number,
        or_(messages.c.machine_opened_at.is_not(None), messages.c.machine_clicked_at.is_not(None)),
    )
    return (
        select(
            rows.c.id,
            rows.c.step_id,
            rows.c.created_at,
            rows.c.status,
            DUE.label("scheduled_for"),
            FIRST_DUE.label("first_due"),
            rows.c.error,
            rows.c.failed_at,
            rows.c.retry_at,
            rows.c.end_user_id,
            rows.c.enrollment_number,
            runs.c.created_at.label("enrolled_at"),
            machines.label("machines"),
            runs.c.event_properties,
        )
        .join(
            runs,
            and_(
                runs.c.org_id == rows.c.org_id,
                runs.c.end_user_id == rows.c.end_user_id,
                runs.c.automation_id == rows.c.automation_id,
                runs.c.number == rows.c.enrollment_number,
            ),
        )
        .where(
            rows.c.org_id == work.org_id,
            rows.c.automation_id == series.id,
            rows.c.end_user_id == any_(literal(list(contacts), ARRAY(Uuid()))),
            IS_ACTIVE,
        )
    )


def _held(work: Work, series: Series, standing: _Standing) -> Position:
    if series.status is SeriesStatus.COMPLETED:
        text = "Nothing but leaving: the series was stopped. Stop it again to end who is still in."
        return _position(standing, text, None)
    due = on_the_clock(standing.scheduled_for, work.org.zone)
    text = f"Nothing, until the series is resumed. Its step was scheduled for {due}."
    return _position(standing, text + at_the_latest(standing.latest, work.org.zone), None)


def _next(work: Work, standing: _Standing, facts: DueFacts, held: str | None) -> Position:
    """Return what happens next; ``held`` says what holds mail now."""
    if standing.status is Status.PROCESSING:
        return _position(standing, "The email is being sent.", work.now)
    at = max(standing.scheduled_for, work.now)
    exits = exit_reason(facts.run)
    if exits is not None:
        text = f"As things stand, it leaves the series ({exits}) when its step is due."
        return _position(standing, text, at)
    decision = decide_step(facts, at)
    waits = ""
    if isinstance(decision, Postpone):
        at, waits = decision.until, WAITS.get(decision.why, "")
        decision = decide_step(facts, at)
    text = waits + worded(decision, facts, machines=standing.machines)
    if isinstance(decision, Finish):
        return _position(standing, text, at)
    limit = at_the_latest(standing.latest, work.org.zone)
    if held is None:
        return _position(standing, text + limit, at)
    if at > work.now:
        text = f"{text} Now {held}: if it still is then, it waits.{limit}"
        return _position(standing, text, at)
    following = then(facts.run.series.step_after(facts.step, facts.visited))
    text = f"The email is held: {held}. Once that is over, it will be sent, {following}.{limit}"
    return _position(standing, text, None)


def _failed(work: Work, standing: _Standing, fault: _Fault) -> Position:
    since = on_the_clock(fault.failed_at, work.org.zone)
    text = f"Its step could not be handled since {since}: {fault.problem}."
    if fault.retry_at is None:
        text += f" It was set aside: mend the cause, then `halo rows retry {standing.row.id}`."
    else:
        text += " It is tried again."
    found = _position(standing, text, fault.retry_at)
    return found.model_copy(update={"problem": fault.problem})


def _position(standing: _Standing, text: str, at: datetime | None) -> Position:
    return Position(
        number=standing.row.run.number,
        enrolled_at=standing.enrolled_at,
        step=standing.step.key,
        status=standing.status,
        since=standing.row.reached_at,
        next=text,
        next_at=at,
        event_properties=standing.event,
    )
