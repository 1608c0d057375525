"""The statement that gathers facts: runs, and the answers to their questions (§5, §6).

For each run only the questions of its own series and step are evaluated; what nobody asks is NULL.
The statement depends on series and steps alone, so it is cached; runs and rows are parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
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
    func,
    literal,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.audience.compiler import Subject, custom_reads
from halo_engine.audience.matching import has_address, scan
from halo_engine.audience.zones import zone_trait
from halo_engine.domain.series.definition import Series, Step
from halo_engine.journey.capped import mailed
from halo_engine.journey.condition_questions import ConditionQuestions
from halo_engine.journey.exit_questions import ExitQuestions
from halo_engine.journey.history import visited
from halo_engine.sql.rows import rows_asked
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automation_recipients
from halo_engine.tables.enrollments import FIRST_DUE, holds_seat, is_run

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
#: The order of rows.
_ORDER = ("scheduled_for", "recipient_id")


@statement("gather_runs")
def about_runs(org_id: UUID, series: Sequence[Series]) -> Select[Any]:
    """Return the statement for runs, passed as ``given`` with the numbers of their ``series``."""
    given = rows_asked(
        "given",
        {
            "ordinal": Integer(),
            "end_user_id": Uuid(),
            "automation_id": Uuid(),
            "number": Integer(),
            "series": Integer(),
        },
    )
    facts = _about(org_id, series, [], given)
    return facts.add_columns(given.c.ordinal)


@statement("gather_rows")
def about_rows(org_id: UUID, series: Sequence[Series], steps: Sequence[Step]) -> Select[Any]:
    """Return the statement for recipient rows, one result each. They are passed as ``given``: an
    array of ids for each step, with the numbers of ``series`` and ``step``.
    """
    opens = any(step.is_early for step in steps)
    return _about(org_id, series, steps, _given_rows(org_id, opens=opens))


@statement("gather_rows_alike", alone=())
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


def _given_rows(org_id: UUID, *, opens: bool) -> Subquery:
    """Return the given rows; with ``opens`` they say whether an event opened their gate."""
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
            *([rows.c.latest_due.is_not(None).label("is_open")] if opens else []),
            FIRST_DUE.label("first_due"),
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
    """Join the given runs to their enrollments, their contacts and the answers to questions."""
    reads = [custom_reads(each.audience_filters, each.filters_of_exits) for each in series]
    runs = automation_enrollments
    subject = Subject.of_contacts(max(reads)).with_properties(runs.c.event_properties)
    contact = subject.contact
    exits, conditions = (
        ExitQuestions.of(series, subject),
        ConditionQuestions.of(series, steps, subject),
    )
    holder = automation_enrollments.alias("holder")
    has_seats = any(each.settings.one_per_company for each in series)
    predicates = [*exits.predicates, *conditions.predicates]
    source = scan(subject, predicates).join(given, given.c.end_user_id == contact.c.id)
    if has_seats or exits.need_run or conditions.need_run:
        source = source.join(runs, is_run(runs, org_id, given))
    if has_seats:
        moves = automation_enrollments.c.company_seat.is_distinct_from(contact.c.company_id)
        held = holds_seat(holder, org_id, given.c.automation_id, contact.c.company_id)
        source = source.outerjoin(holder, and_(moves, held))
    columns = [
        given.c.end_user_id,
        given.c.number,
        *exits.columns(org_id, given),
        *(
            (value if has_seats else null()).label(name)
            for name, value in _seats(contact, holder).items()
        ),
        *(_of_rows(org_id, series, conditions, given, subject) if steps else ()),
    ]
    return select(*columns).select_from(source).where(contact.c.org_id == org_id)


def _of_rows(
    org_id: UUID,
    series: Sequence[Series],
    conditions: ConditionQuestions,
    given: FromClause,
    subject: Subject,
) -> Iterator[ColumnElement[Any]]:
    """Yield what steps ask of a recipient row."""
    yield from (given.c.series, given.c.step, given.c.recipient_id, given.c.scheduled_for)
    yield has_address(subject).label("has_address")
    yield from conditions.columns(org_id, given)
    yield visited(org_id, series, given).label("visited")
    asking = [n for n, each in enumerate(series) if _asks_zone(each)]
    zone = case((given.c.series.in_(asking), zone_trait(subject.contact))) if asking else null()
    yield zone.label("zone")
    limited = [n for n, step in enumerate(conditions.steps) if step.send_by is not None]
    first_due = case((given.c.step.in_(limited), given.c.first_due)) if limited else null()
    yield first_due.label("first_due")
    yield mailed(org_id, series, conditions.steps, given).label("mailed")


def _asks_zone(series: Series) -> bool:
    """Return whether the zone of a contact decides when it gets an email (contract §20)."""
    return any(series.times(step).asks_zone for step in series.steps_by_id.values())


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
