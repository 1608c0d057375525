"""The fate of each active recipient under a definition that is not saved (contract §18).

It is asked by what the pipeline asks by: the questions of the exit rules, ``Series.step_after``,
and the times that a reschedule gives.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Subquery,
    Text,
    Uuid,
    and_,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
)

from halo_engine.answers.plans.fate_names import FateName
from halo_engine.audience.compiler import Subject, custom_reads
from halo_engine.audience.everybody import APART, Everybody
from halo_engine.audience.matching import audience, fits_contact_type, scan, suppressed
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.series.exits import ExitReason
from halo_engine.journey.exit_questions import ExitQuestions, first_that_fires
from halo_engine.series.early_gates import early_steps, is_opened
from halo_engine.series.rescheduling import Retimed
from halo_engine.sql.rows import rows_of
from halo_engine.tables import automation_enrollments, automation_recipients
from halo_engine.tables.enrollments import DUE, IS_ACTIVE, is_run
from halo_engine.work import Work

_ROWS: Final = automation_recipients
#: Whether a contact outside matches now, and after the save.
MATCHED: Final = ("matched_before", "matched_after")


@dataclass(frozen=True, slots=True)
class PlannedSave:
    """A series as a save would leave it, and the rows that it would move."""

    series: Series
    retimed: Retimed

    @property
    def step_keys(self) -> dict[UUID, str]:
        """The keys of its steps by their ids."""
        return {id_: step.key for id_, step in self.series.steps_by_id.items()}


def fates(work: Work, planned: PlannedSave, before: Series | None = None) -> Subquery:
    """Return a row for each active recipient: its ``fate``, the ``exit_reason`` or the ``next_id``
    of the step that it walks to, when it is due now (``was_due``) and by the save (``due``).

    With the series as it is ``before``, there are also rows of the contacts outside who match
    (``matched_before``, ``matched_after``); they have no fate.
    """
    left = _exits(work, planned, before)
    fate = case(
        (left.c.recipient_id.is_(None), null()),
        (left.c.exit_reason.is_not(None), FateName.EXITS.value),
        (left.c.is_removed & left.c.next_id.is_(None), FateName.COMPLETES.value),
        (left.c.is_removed, FateName.SKIPS_STEP.value),
        (left.c.is_moved & (left.c.due <= work.now), FateName.SENT_NOW.value),
        (left.c.is_moved, FateName.RESCHEDULED.value),
        else_=FateName.STAYS.value,
    )
    due = case((left.c.is_moved, left.c.due), else_=left.c.was_due)
    walks = case((left.c.exit_reason.is_(None), left.c.next_id))
    return select(
        left.c.recipient_id,
        left.c.end_user_id,
        left.c.step_id,
        left.c.company_id,
        left.c.exit_reason,
        walks.label("next_id"),
        left.c.was_due,
        due.label("due"),
        fate.label("fate"),
        *(left.c[name] for name in MATCHED if before is not None),
    ).subquery("fates")


def _exits(work: Work, planned: PlannedSave, before: Series | None) -> Subquery:
    """Return the active recipients with the reason for which each will leave, if it will."""
    answered = _answers(work, planned, before)
    is_in = answered.c.recipient_id.is_not(None)
    reason = case((is_in, first_that_fires(planned.series, answered)))
    judged = select(answered, reason.label("rule")).subquery("judged")
    seat: ColumnElement[Any] = null()
    if planned.series.settings.one_per_company:
        # The earliest of those who stay has the company's seat (guard 10).
        place = func.row_number().over(
            partition_by=(
                judged.c.company_id,
                judged.c.recipient_id.is_(None),
                judged.c.rule.is_(None),
            ),
            order_by=(judged.c.enrolled_at, judged.c.enrollment_id),
        )
        is_late = and_(
            judged.c.recipient_id.is_not(None),
            judged.c.company_id.is_not(None),
            judged.c.rule.is_(None),
            place > 1,
        )
        seat = case((is_late, ExitReason.COMPANY_ALREADY_ENROLLED.value))
    left = func.coalesce(judged.c.rule, seat, type_=Text())
    # Apart, so that the questions are asked once of each row, however often the answer is read.
    return select(judged, left.label("exit_reason")).offset(APART).subquery("left")


def _answers(work: Work, planned: PlannedSave, before: Series | None) -> Subquery:
    """Return the active recipients with the answers to the questions of the exit rules; ``before``
    is given for those outside too.
    """
    series, runs = planned.series, automation_enrollments
    given = _active_rows(work, planned)
    filters = (
        *series.audience_filters,
        *(before.audience_filters if before else ()),
        *series.filters_of_exits,
    )
    everybody = Everybody([item.target for group in filters for item in group]) if before else None
    subject = everybody.subject if everybody else Subject.of_contacts(custom_reads(filters))
    contact = subject.contact
    exits = ExitQuestions.of([series], subject, work.moment)
    matched = _matched(work, series, before, subject) if before else ()
    is_suppressed = everybody.suppressed if everybody else suppressed(subject)
    asks = [*exits.predicates, *matched, is_suppressed]
    source = (everybody.scan(asks) if everybody else scan(subject, asks)).join(
        given, given.c.end_user_id == contact.c.id, isouter=before is not None
    )
    has_seats = series.settings.one_per_company
    columns: list[ColumnElement[Any]] = [
        *(each for each in given.c if each.name != "end_user_id"),
        contact.c.id.label("end_user_id"),
        contact.c.company_id,
    ]
    if has_seats or exits.need_run:
        is_its = is_run(runs, work.org_id, given)
        source = source.join(runs, is_its, isouter=before is not None)
    if has_seats:
        began = runs.c.created_at.label("enrolled_at"), runs.c.id.label("enrollment_id")
        columns.extend(began)
    is_out = given.c.recipient_id.is_(None)
    columns.extend(
        case((is_out, held)).label(name) for name, held in zip(MATCHED, matched, strict=False)
    )
    asked = select(*columns, *exits.columns(work.org_id, given, is_suppressed)).select_from(source)
    if matched:
        # Of those outside only who matches counts.
        asked = asked.where(~is_out | (or_(*matched) & ~is_suppressed))
    return asked.where(contact.c.org_id == work.org_id).subquery("answered")


def _matched(
    work: Work, after: Series, before: Series, subject: Subject
) -> Sequence[ColumnElement[bool]]:
    """Return whether a contact fits the series as it is, and as it would be."""
    is_ = _fits(work, after, subject)
    if audience_of(before) == audience_of(after):
        return is_, is_
    return _fits(work, before, subject), is_


def _fits(work: Work, series: Series, subject: Subject) -> ColumnElement[bool]:
    return and_(
        fits_contact_type(series.contact_type, subject), audience(series, subject, work.moment)
    )


def audience_of(series: Series) -> tuple[object, ...]:
    """Return what says whom a series is for."""
    return (
        series.audience_type,
        series.audience_filters,
        series.subscription_id,
        series.contact_type,
        bool(series.patience),
    )


def _active_rows(work: Work, planned: PlannedSave) -> Subquery:
    series, retimed = planned.series, planned.retimed
    removed = [step.id for step in series.removed_steps]
    is_removed = _ROWS.c.step_id.in_(removed)
    # A subquery hides the value: of a series younger than the statistics the planner would expect
    # one row, and compare each contact with each row.
    its_id = select(literal(series.id, Uuid())).scalar_subquery()
    overdue = and_(work.now >= DUE, retimed.due <= work.now)
    moves, due = retimed.moves & ~overdue, retimed.due
    if series.is_active and early_steps(series):
        now = literal(work.now, _ROWS.c.scheduled_for.type)
        opens = is_opened(work.org_id, [series], now, work.moment)
        moves, due = moves | opens, case((opens, now), else_=due)
    return (
        select(
            literal(0, Integer()).label("series"),
            _ROWS.c.id.label("recipient_id"),
            _ROWS.c.end_user_id,
            _ROWS.c.automation_id,
            _ROWS.c.enrollment_number.label("number"),
            _ROWS.c.step_id,
            is_removed.label("is_removed"),
            case((is_removed, _next_step(series))).label("next_id"),
            moves.is_(True).label("is_moved"),
            due.label("due"),
            DUE.label("was_due"),
        )
        .where(_ROWS.c.org_id == work.org_id, _ROWS.c.automation_id == its_id, IS_ACTIVE)
        .subquery("given")
    )


def _next_step(series: Series) -> ColumnElement[UUID | None]:
    """Return the step to which a row at a removed step walks: the first that its run has not had
    (§5).
    """
    walks = [
        (step.id, place, later.id)
        for step in series.removed_steps
        for place, later in enumerate(_walk(series, step))
    ]
    if not walks:
        return literal(None, Uuid())
    walk = rows_of(
        "walk",
        {
            "step_id": (Uuid(), [step for step, _, _ in walks]),
            "place": (Integer(), [place for _, place, _ in walks]),
            "next_id": (Uuid(), [later for _, _, later in walks]),
        },
    )
    had = automation_recipients.alias("had")
    was_there = (
        exists()
        .where(
            had.c.org_id == _ROWS.c.org_id,
            had.c.end_user_id == _ROWS.c.end_user_id,
            had.c.step_id == walk.c.next_id,
            had.c.enrollment_number == _ROWS.c.enrollment_number,
        )
        # Two levels up: else it would be asked of any row.
        .correlate(_ROWS, walk)
    )
    return (
        select(walk.c.next_id)
        .where(walk.c.step_id == _ROWS.c.step_id, ~was_there)
        .order_by(walk.c.place)
        .limit(1)
        .correlate(_ROWS)
        .scalar_subquery()
    )


def _walk(series: Series, step: Step) -> Iterator[Step]:
    """Yield the steps to which a row at a removed step may walk, in order."""
    visited: list[UUID] = []
    while (later := series.step_after(step, visited)) is not None:
        yield later
        visited.append(later.id)
