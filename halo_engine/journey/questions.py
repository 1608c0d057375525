"""The statement that gathers facts: runs joined to what their series and steps ask (§5, §6).

For each run only the questions of its own series and step are evaluated; what nobody asks is NULL.
The statement depends on series and steps alone, so it is cached; runs and rows are parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    Subquery,
    Text,
    Uuid,
    and_,
    any_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.audience.compiler import Subject, custom_reads, expression_predicate, predicate
from halo_engine.audience.matching import audience, has_address, scan, suppressed
from halo_engine.audience.moments import ANY_MOMENT
from halo_engine.domain.expressions import parse_expression
from halo_engine.domain.reasons import AudienceType, ConditionType, ExitReason
from halo_engine.domain.series import Series, Step
from halo_engine.journey.history import (
    clicked,
    fired_since,
    opened,
    replied,
    visited,
)
from halo_engine.tables import automation_enrollments, automation_recipients
from halo_engine.tables.enrollments import holds_seat, is_run
from halo_engine.tables.rows import rows_asked

#: Columns that differ from row to row: a group takes those of one row.
_OF_ONE: Mapping[str, Any] = {
    "end_user_id": Uuid(),
    "number": Integer(),
    "enrolled_at": DateTime(timezone=True),
    "enrollment_id": BigInteger(),
    "company_id": Uuid(),
    "company_seat": Uuid(),
    "holder_id": Uuid(),
    "holder_number": Integer(),
    "holder_enrolled_at": DateTime(timezone=True),
    "holder_enrollment_id": BigInteger(),
}
_FEW_CASES = 4
#: The order of rows.
_ORDER = ("scheduled_for", "recipient_id")


def about_runs(org_id: UUID, series: Sequence[Series]) -> Select[Any]:
    """Return the statement for runs, passed as ``given`` with the numbers of their ``series``."""
    given = rows_asked(
        "given",
        {
            "place": Integer(),
            "end_user_id": Uuid(),
            "automation_id": Uuid(),
            "number": Integer(),
            "series": Integer(),
        },
    )
    facts = _about(org_id, series, [], given)
    return facts.add_columns(given.c.place)


def about_rows(org_id: UUID, series: Sequence[Series], steps: Sequence[Step]) -> Select[Any]:
    """Return the statement for recipient rows, one result each. They are passed as ``given``: an
    array of ids for each step, with the numbers of ``series`` and ``step``.
    """
    return _about(org_id, series, steps, _given_rows(org_id))


def about_rows_alike(
    org_id: UUID,
    series: Sequence[Series],
    steps: Sequence[Step],
    alone: Sequence[int],
) -> Select[Any]:
    """Return the same with one result for all rows whose facts are equal, ordered by the earliest
    due; rows at steps whose numbers are in ``alone`` come one by one.
    """
    facts = about_rows(org_id, series, steps).subquery("facts")
    is_alone = facts.c.step == any_(literal(list(alone), ARRAY(Integer())))
    shared = [each for each in facts.c if each.name not in _OF_ONE and each.name not in _ORDER]
    return (
        select(
            *shared,
            *(_first(facts.c[name], type_).label(name) for name, type_ in _OF_ONE.items()),
            func.array_agg(facts.c.recipient_id).label("recipient_ids"),
        )
        .group_by(*shared, case((is_alone, facts.c.recipient_id)))
        .order_by(*(func.min(facts.c[name]) for name in _ORDER))
    )


def _first(value: ColumnElement[Any], type_: Any) -> ColumnElement[Any]:
    first: ColumnElement[Any] = func.array_agg(value, type_=ARRAY(type_))[1]
    return first


def _given_rows(org_id: UUID) -> Subquery:
    named = rows_asked("given", {"ids": Text(), "series": Integer(), "step": Integer()})
    rows = automation_recipients
    # A lateral look-up by index: a plain join would read the whole table unless it is very large.
    found = (
        select(
            rows.c.id.label("recipient_id"),
            rows.c.end_user_id,
            rows.c.automation_id,
            rows.c.enrollment_number.label("number"),
            rows.c.created_at.label("reached_at"),
            rows.c.scheduled_for,
        )
        .where(
            rows.c.org_id == org_id,
            rows.c.id == any_(cast(named.c.ids, ARRAY(BigInteger()))),
        )
        .offset(literal_column("0"))
        .lateral("found")
    )
    return (
        select(named.c.series, named.c.step, found)
        .select_from(named.join(found, true()))
        .subquery("due")
    )


def _about(
    org_id: UUID,
    series: Sequence[Series],
    steps: Sequence[Step],
    given: FromClause,
) -> Select[Any]:
    """Join the given runs to their enrollment, their contact and what is asked."""
    reads = [custom_reads(each.audience_filters, each.exit_filters) for each in series]
    subject = Subject.of_contacts(max(reads))
    contact = subject.contact
    filters = _Filters.of(series, steps, subject)
    holder = automation_enrollments.alias("holder")
    has_seats = any(each.settings.one_per_company for each in series)
    source = scan(subject, filters.all).join(given, given.c.end_user_id == contact.c.id)
    if has_seats or any(map(_asks_when_it_began, series)):
        runs = automation_enrollments
        source = source.join(runs, is_run(runs, org_id, given))
    if has_seats:
        moves = automation_enrollments.c.company_seat.is_distinct_from(contact.c.company_id)
        held = holds_seat(holder, org_id, given.c.automation_id, contact.c.company_id)
        source = source.outerjoin(holder, and_(moves, held))
    columns = [
        *_of_runs(org_id, series, given, filters, subject),
        *(
            (value if has_seats else null()).label(name)
            for name, value in _seats(contact, holder).items()
        ),
        *(_of_rows(org_id, series, steps, given, filters, subject) if steps else ()),
    ]
    return select(*columns).select_from(source).where(contact.c.org_id == org_id)


_Numbered = Sequence[tuple[int, ColumnElement[bool]]]


@dataclass(frozen=True, slots=True)
class _Filters:
    """The predicates evaluated on a contact, with the number of the series or step that asks."""

    audiences: _Numbered
    exits: _Numbered
    properties: _Numbered

    @classmethod
    def of(cls, series: Sequence[Series], steps: Sequence[Step], subject: Subject) -> Self:
        """Compile the predicates of these series and steps."""
        properties = [
            (n, _asked(step, ConditionType.USER_PROPERTY)) for n, step in enumerate(steps)
        ]
        return cls(
            [
                (n, audience(each, subject, ANY_MOMENT))
                for n, each in enumerate(series)
                if _asks_audience(each)
            ],
            [
                (n, predicate(each.exit_filters, subject, ANY_MOMENT))
                for n, each in enumerate(series)
                if each.exit_filters
            ],
            [
                (n, expression_predicate(parse_expression(value), subject, ANY_MOMENT))
                for n, value in properties
                if value is not None
            ],
        )

    @property
    def all(self) -> Sequence[ColumnElement[bool]]:
        """All predicates, for the scan."""
        return [each for _, each in (*self.audiences, *self.exits, *self.properties)]


def _of_runs(
    org_id: UUID,
    series: Sequence[Series],
    given: FromClause,
    filters: _Filters,
    subject: Subject,
) -> Iterator[ColumnElement[Any]]:
    """Yield what exit rules ask of a run."""
    began = (automation_enrollments.c.created_at, automation_enrollments.c.id)
    exit_events = [(n, name) for n, each in enumerate(series) if (name := _exit_event(each))]
    yield from (given.c.end_user_id, given.c.number)
    yield _of(given.c.series, filters.audiences).label("audience_holds")
    yield _of(given.c.series, filters.exits).label("exit_filter_holds")
    yield suppressed(subject).label("suppressed")
    yield replied(org_id, series, given, began).label("replied")
    fired = fired_since(org_id, given, given.c.series, exit_events, began)
    yield fired.label("exit_event_fired")


def _of_rows(
    org_id: UUID,
    series: Sequence[Series],
    steps: Sequence[Step],
    given: FromClause,
    filters: _Filters,
    subject: Subject,
) -> Iterator[ColumnElement[Any]]:
    """Yield what steps ask of a recipient row."""
    reached = (given.c.reached_at, given.c.recipient_id)
    events = [(n, _asked(step, ConditionType.EVENT_FIRED)) for n, step in enumerate(steps)]
    named = [(n, name) for n, name in events if name]
    yield from (given.c.series, given.c.step, given.c.recipient_id, given.c.scheduled_for)
    yield has_address(subject).label("has_address")
    yield _of(given.c.step, filters.properties).label("property_holds")
    yield opened(org_id, steps, given).label("email_opened")
    yield clicked(org_id, steps, given).label("link_clicked")
    yield visited(org_id, series, given).label("visited")
    yield fired_since(org_id, given, given.c.step, named, reached).label("event_fired")


def _seats(contact: FromClause, holder: FromClause) -> Mapping[str, ColumnElement[Any]]:
    """Return what decides who has a company's seat: the run, and the run that has the seat."""
    runs = automation_enrollments
    return {
        "enrolled_at": runs.c.created_at,
        "enrollment_id": runs.c.id,
        "company_id": contact.c.company_id,
        "company_seat": runs.c.company_seat,
        "holder_id": holder.c.end_user_id,
        "holder_number": holder.c.number,
        "holder_enrolled_at": holder.c.created_at,
        "holder_enrollment_id": holder.c.id,
    }


def _of(
    number: ColumnElement[int], predicates: Sequence[tuple[int, ColumnElement[bool]]]
) -> ColumnElement[bool]:
    """Return the predicate of that number; false if there is none.

    A binary search down to a few cases: PostgreSQL checks the cases of a CASE one by one.
    """
    if not predicates:
        return false()
    if len(predicates) <= _FEW_CASES:
        return case(*[(number == n, held) for n, held in predicates], else_=false())
    middle = len(predicates) // 2
    lower, upper = predicates[:middle], predicates[middle:]
    return case((number < upper[0][0], _of(number, lower)), else_=_of(number, upper))


def _asks_audience(series: Series) -> bool:
    """Return whether the series asks if a contact is still in its audience or list (§5, §6)."""
    is_list = series.audience_type is AudienceType.SUBSCRIPTION
    return is_list or series.has_rule(ExitReason.SEGMENT_LEAVE)


def _asked(step: Step, type_: ConditionType) -> str | None:
    """Return the condition's value if the step is a condition of this type that has one."""
    return step.condition.value if step.condition and step.condition.type is type_ else None


def _asks_when_it_began(series: Series) -> bool:
    return series.has_rule(ExitReason.REPLIED) or _exit_event(series) is not None


def _exit_event(series: Series) -> str | None:
    return series.settings.exit_event_name if series.has_rule(ExitReason.EVENT) else None
