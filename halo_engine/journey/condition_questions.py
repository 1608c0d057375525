"""The questions that conditions ask of a recipient row, in SQL: a column for each kind (§5).

A condition's column is named after it, and NULL or false if no step of the set asks it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_, exists, null, or_, select

from halo_engine.audience.compiler import Subject, expression_predicate
from halo_engine.audience.fired import Awaited, fired_since
from halo_engine.audience.moments import ANY_MOMENT
from halo_engine.audience.numbered import Numbered, of_number
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.fields.event_filters import names_run
from halo_engine.domain.fields.expressions import parse_expression
from halo_engine.domain.series.conditions import CONDITIONS, Condition, ConditionType
from halo_engine.domain.series.definition import Series, Step
from halo_engine.tables import automation_enrollments, messages


@dataclass(frozen=True, slots=True)
class ConditionQuestions:
    """The questions of the conditions among ``steps``; a step is known by its number among them.

    ``properties`` are predicates on the contact, for the scan. ``counting`` are the numbers of the
    series in which machines count as readers (§16).
    """

    steps: Sequence[Step]
    properties: Numbered
    counting: Sequence[int]

    @classmethod
    def of(cls, series: Sequence[Series], steps: Sequence[Step], subject: Subject) -> Self:
        """Compile the expressions of these steps, which are steps of ``series``."""
        return cls(
            steps,
            [
                (n, expression_predicate(parse_expression(value), subject, ANY_MOMENT))
                for n, value in _values(steps, ConditionType.USER_PROPERTY)
            ],
            [n for n, each in enumerate(series) if each.settings.count_machine_opens],
        )

    @property
    def predicates(self) -> Sequence[ColumnElement[bool]]:
        """All predicates, for the scan."""
        return [each for _, each in self.properties]

    @property
    def need_run(self) -> bool:
        """Whether an answer depends on what the run keeps of the event that began it (§21)."""
        reads = any(
            parse_expression(value).field.entity is Entity.PROPERTY
            for _, value in _values(self.steps, ConditionType.USER_PROPERTY)
        )
        return reads or any(
            step.condition is not None and names_run(step.condition.filters) for step in self.steps
        )

    def columns(self, org_id: UUID, given: FromClause) -> Iterator[ColumnElement[Any]]:
        """Yield the answers for the rows that are ``given``, each with the number of its step."""
        for rule in CONDITIONS:
            yield _ANSWERS[rule.key](self, org_id, given).label(rule.key)


def _opened(asked: ConditionQuestions, org_id: UUID, given: FromClause) -> ColumnElement[Any]:
    """Whether the most recent earlier email of the run was opened."""
    if not _any_asks(asked.steps, ConditionType.EMAIL_OPENED):
        return null()
    return (
        select(_done(asked, given, messages.c.opened_at, messages.c.machine_opened_at))
        .where(*_earlier_emails(org_id, given))
        .order_by(messages.c.recipient_id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _clicked(asked: ConditionQuestions, org_id: UUID, given: FromClause) -> ColumnElement[Any]:
    """Whether a link in any earlier email of the run was clicked."""
    if not _any_asks(asked.steps, ConditionType.LINK_CLICKED):
        return null()
    clicked = _done(asked, given, messages.c.clicked_at, messages.c.machine_clicked_at)
    return exists().where(*_earlier_emails(org_id, given), clicked)


def _done(
    asked: ConditionQuestions,
    given: FromClause,
    by_person: ColumnElement[Any],
    by_machine: ColumnElement[Any],
) -> ColumnElement[bool]:
    """Whether a person did it, or a machine that counts in the row's series."""
    if not asked.counting:
        return by_person.is_not(None)
    counts = given.c.series.in_(asked.counting)
    return or_(by_person.is_not(None), and_(counts, by_machine.is_not(None)))


def _property(asked: ConditionQuestions, _org_id: UUID, given: FromClause) -> ColumnElement[Any]:
    """Whether the expression of the row's step holds."""
    return of_number(given.c.step, asked.properties)


def _fired(asked: ConditionQuestions, org_id: UUID, given: FromClause) -> ColumnElement[Any]:
    """Whether the event that the row's step names fired since the contact reached it.

    A gate that the event opened stays open: its row says so.
    """
    awaited = [
        Awaited(n, condition.value, condition.filters)
        for n, condition in _conditions(asked.steps, ConditionType.EVENT_FIRED)
        if condition.value
    ]
    reached = (given.c.reached_at, given.c.recipient_id)
    kept = automation_enrollments.c.event_properties
    fired = fired_since(org_id, given, given.c.step, awaited, reached, kept, ANY_MOMENT)
    early = [n for n, step in enumerate(asked.steps) if step.is_early]
    return or_(fired, and_(given.c.step.in_(early), given.c.is_open)) if early else fired


_ANSWERS: Final[
    Mapping[ConditionType, Callable[[ConditionQuestions, UUID, FromClause], ColumnElement[Any]]]
] = {
    ConditionType.EMAIL_OPENED: _opened,
    ConditionType.LINK_CLICKED: _clicked,
    ConditionType.USER_PROPERTY: _property,
    ConditionType.EVENT_FIRED: _fired,
}


def _any_asks(steps: Sequence[Step], type_: ConditionType) -> bool:
    return any(step.condition and step.condition.type is type_ for step in steps)


def _values(steps: Sequence[Step], type_: ConditionType) -> Iterator[tuple[int, str]]:
    """Yield the values of conditions of this type, each with the number of its step."""
    for n, condition in _conditions(steps, type_):
        if condition.value is not None:
            yield n, condition.value


def _conditions(steps: Sequence[Step], type_: ConditionType) -> Iterator[tuple[int, Condition]]:
    for n, step in enumerate(steps):
        if step.condition is not None and step.condition.type is type_:
            yield n, step.condition


def _earlier_emails(org_id: UUID, given: FromClause) -> list[ColumnElement[bool]]:
    return [
        messages.c.org_id == org_id,
        messages.c.end_user_id == given.c.end_user_id,
        messages.c.automation_id == given.c.automation_id,
        messages.c.enrollment_number == given.c.number,
        messages.c.state == "sent",
        messages.c.recipient_id < given.c.recipient_id,
    ]
