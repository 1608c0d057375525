"""Gathering: everything that exit rules and steps look at, for a set of runs, in one statement.

An answer that no rule or step of the set asks for is not computed.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    Integer,
    RowMapping,
    Text,
    Uuid,
    and_,
    case,
    false,
    null,
    select,
)

from halo_engine.audience.compiler import Subject, expression_predicate, predicate
from halo_engine.audience.matching import audience, has_address, scan, suppressed
from halo_engine.audience.moments import Moment
from halo_engine.domain.decisions import DueFacts, RunFacts, SeatHolder
from halo_engine.domain.expressions import parse_expression
from halo_engine.domain.reasons import AudienceType, ConditionType, ExitReason
from halo_engine.domain.series import Series, Step
from halo_engine.journey.claim import DueRow, Run
from halo_engine.journey.history import (
    any_asks,
    clicked,
    fired_since,
    opened,
    replied,
    visited,
)
from halo_engine.tables import automation_enrollments
from halo_engine.tables.enrollments import is_run
from halo_engine.tables.rows import rows_of

_INSTANT = DateTime(timezone=True)


def gather_runs(
    connection: Connection,
    org_id: UUID,
    moment: Moment,
    series: Mapping[UUID, Series],
    runs: Sequence[Run],
) -> list[RunFacts]:
    """Return the facts of ``runs``, all of whose series are in ``series``; their order is not
    kept.
    """
    ids = sorted({run.series_id for run in runs})
    asked = [series[id_] for id_ in ids]
    numbers = {id_: number for number, id_ in enumerate(ids)}
    places = [numbers[run.series_id] for run in runs]
    given = rows_of("given", _run_columns(runs, asked, places))
    statement = _statement(org_id, moment, asked, [], given)
    return [
        _run_facts(row, runs[row["place"]], asked[places[row["place"]]])
        for row in connection.execute(statement).mappings().all()
    ]


def gather_due(
    connection: Connection,
    org_id: UUID,
    moment: Moment,
    series: Mapping[UUID, Series],
    rows: Sequence[DueRow],
) -> list[DueFacts]:
    """Return the facts of claimed ``rows``, in their order."""
    # Ids are hashed in Python: each row's step is looked up once, and all else found by number.
    known: dict[UUID, int] = {}
    series_of: list[UUID] = []
    at_step = []
    for row in rows:
        number = known.setdefault(row.step_id, len(known))
        if number == len(series_of):
            series_of.append(row.run.series_id)
        at_step.append(number)
    ids = sorted(set(series_of))
    asked = [series[id_] for id_ in ids]
    in_series = [ids.index(id_) for id_ in series_of]
    steps = [series[of].steps_by_id[id_] for id_, of in zip(known, series_of, strict=True)]
    events = [_asked(step, ConditionType.EVENT_FIRED) for step in steps]
    places = [in_series[number] for number in at_step]
    given = rows_of(
        "given",
        {
            **_run_columns([row.run for row in rows], asked, places),
            "recipient_id": (BigInteger(), [row.id for row in rows]),
            "step": (Integer(), at_step),
            "event_name": (Text(), [events[number] for number in at_step]),
            "reached_at": (_INSTANT, [row.reached_at for row in rows]),
        },
    )
    statement = _statement(org_id, moment, asked, steps, given)
    found = {row["place"]: row for row in connection.execute(statement).mappings().all()}
    return [
        _due_facts(found[n], row, asked[places[n]], steps[at_step[n]]) for n, row in enumerate(rows)
    ]


def _run_columns(
    runs: Sequence[Run], series: Sequence[Series], places: Sequence[int]
) -> dict[str, Any]:
    """Return the runs as columns; ``places`` says which of ``series`` each belongs to."""
    events = [_exit_event(each) for each in series]
    return {
        "place": (Integer(), range(len(runs))),
        "end_user_id": (Uuid(), [run.contact_id for run in runs]),
        "automation_id": (Uuid(), [run.series_id for run in runs]),
        "number": (Integer(), [run.number for run in runs]),
        "series": (Integer(), places),
        "exit_event_name": (Text(), [events[place] for place in places]),
    }


def _statement(
    org_id: UUID,
    moment: Moment,
    series: Sequence[Series],
    steps: Sequence[Step],
    given: FromClause,
) -> Any:
    """Join the given runs to their enrollment, their contact and what their series ask.

    Of each run only what its own series and step ask is evaluated; what nobody asks is no column.
    """
    subject = Subject.of_contacts_unpacked()
    contact = subject.contact
    audiences = [
        (n, audience(each, subject, moment))
        for n, each in enumerate(series)
        if _asks_audience(each)
    ]
    exits = [
        (n, predicate(each.exit_filters, subject, moment))
        for n, each in enumerate(series)
        if each.exit_filters
    ]
    properties = [
        (n, expression_predicate(parse_expression(value), subject, moment))
        for n, step in enumerate(steps)
        if (value := _asked(step, ConditionType.USER_PROPERTY)) is not None
    ]
    runs = automation_enrollments
    began = (runs.c.created_at, runs.c.id)
    seats = any(each.settings.one_per_company for each in series)
    holder = runs.alias("holder")
    held: Mapping[str, ColumnElement[Any]] = {
        "company_id": contact.c.company_id,
        "company_seat": runs.c.company_seat,
        "holder_id": holder.c.end_user_id,
        "holder_number": holder.c.number,
        "holder_enrolled_at": holder.c.created_at,
        "holder_enrollment_id": holder.c.id,
    }
    columns: list[ColumnElement[Any]] = [
        given.c.place,
        runs.c.created_at.label("enrolled_at"),
        runs.c.id.label("enrollment_id"),
        *[(value if seats else null()).label(name) for name, value in held.items()],
        _of(given.c.series, audiences).label("audience_holds"),
        _of(given.c.series, exits).label("exit_filter_holds"),
        suppressed(subject).label("suppressed"),
        replied(org_id, series, given, began).label("replied"),
        fired_since(
            org_id,
            given,
            given.c.exit_event_name,
            began,
            asked=any(_exit_event(each) for each in series),
        ).label("exit_event_fired"),
    ]
    read = [each for _, each in (*audiences, *exits, *properties)]
    source = (
        scan(subject, read)
        .join(given, given.c.end_user_id == contact.c.id)
        .join(runs, is_run(runs, org_id, given))
    )
    if seats:
        source = source.outerjoin(
            holder,
            and_(
                holder.c.org_id == org_id,
                holder.c.automation_id == given.c.automation_id,
                holder.c.company_seat == contact.c.company_id,
                holder.c.ended_at.is_(None),
                runs.c.company_seat.is_distinct_from(contact.c.company_id),
            ),
        )
    if steps:
        columns += [
            has_address(subject).label("has_address"),
            _of(given.c.step, properties).label("property_holds"),
            opened(org_id, steps, given).label("email_opened"),
            clicked(org_id, steps, given).label("link_clicked"),
            visited(org_id, series, given).label("visited"),
            fired_since(
                org_id,
                given,
                given.c.event_name,
                (given.c.reached_at, given.c.recipient_id),
                asked=any_asks(steps, ConditionType.EVENT_FIRED),
            ).label("event_fired"),
        ]
    return select(*columns).select_from(source).where(contact.c.org_id == org_id)


def _of(
    number: ColumnElement[int], predicates: Sequence[tuple[int, ColumnElement[bool]]]
) -> ColumnElement[bool]:
    """Return what the predicate of that number says; false when it has none."""
    if not predicates:
        return false()
    return case(*[(number == n, held) for n, held in predicates], else_=false())


def _asks_audience(series: Series) -> bool:
    """Whether anything depends on the audience: leaving it, or the list that it is (§5, §6)."""
    is_list = series.audience_type is AudienceType.SUBSCRIPTION
    return is_list or series.has_rule(ExitReason.SEGMENT_LEAVE)


def _asked(step: Step, type_: ConditionType) -> str | None:
    """Return the condition's value if the step is a condition of this type that has one."""
    return step.condition.value if step.condition and step.condition.type is type_ else None


def _exit_event(series: Series) -> str | None:
    return series.settings.exit_event_name if series.has_rule(ExitReason.EVENT) else None


def _run_facts(row: RowMapping, run: Run, series: Series) -> RunFacts:
    return RunFacts(
        series=series,
        contact_id=run.contact_id,
        number=run.number,
        enrolled_at=row["enrolled_at"],
        enrollment_id=row["enrollment_id"],
        company_id=row["company_id"],
        company_seat=row["company_seat"],
        seat_holder=_seat_holder(row),
        audience_holds=row["audience_holds"],
        exit_filter_holds=row["exit_filter_holds"],
        suppressed=row["suppressed"],
        replied=row["replied"],
        exit_event_fired=row["exit_event_fired"],
    )


def _seat_holder(row: RowMapping) -> SeatHolder | None:
    if row["holder_id"] is None:
        return None
    return SeatHolder(
        row["holder_id"],
        row["holder_number"],
        row["holder_enrolled_at"],
        row["holder_enrollment_id"],
    )


def _due_facts(row: RowMapping, due: DueRow, series: Series, step: Step) -> DueFacts:
    return DueFacts(
        run=_run_facts(row, due.run, series),
        recipient_id=due.id,
        step=step,
        has_address=row["has_address"],
        email_opened=row["email_opened"],
        link_clicked=row["link_clicked"],
        property_holds=row["property_holds"],
        event_fired=row["event_fired"],
        visited=row["visited"] or (),
    )
