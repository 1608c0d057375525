"""Gathering: everything that exit rules and steps look at, for a set of runs, in one statement.

A contact is scanned once for all its series, and an answer that no rule or step of the set asks for
is not computed.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
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
    any_,
    select,
)

from halo_engine.audience.compiler import Moment, Subject, expression_predicate, predicate
from halo_engine.audience.matching import audience, has_address, matches, scan, suppressed
from halo_engine.domain.decisions import DueFacts, RunFacts, SeatHolder
from halo_engine.domain.expressions import parse_expression
from halo_engine.domain.reasons import ConditionType, ExitReason
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
    given = rows_of("given", _run_columns(runs))
    asked = [series[id_] for id_ in sorted({run.series_id for run in runs})]
    statement = _statement(org_id, moment, asked, [], given)
    return [
        _run_facts(row, series[row["automation_id"]])
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
    given = rows_of(
        "given",
        {
            **_run_columns([row.run for row in rows]),
            "recipient_id": (BigInteger(), [row.id for row in rows]),
            "step_id": (Uuid(), [row.step_id for row in rows]),
            "reached_at": (_INSTANT, [row.reached_at for row in rows]),
        },
    )
    asked = [series[id_] for id_ in sorted({row.run.series_id for row in rows})]
    steps = {row.step_id: series[row.run.series_id].steps_by_id[row.step_id] for row in rows}
    statement = _statement(org_id, moment, asked, list(steps.values()), given)
    found = {row["recipient_id"]: row for row in connection.execute(statement).mappings().all()}
    return [
        _due_facts(found[row.id], series[row.run.series_id], steps[row.step_id]) for row in rows
    ]


def _run_columns(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "end_user_id": (Uuid(), [run.contact_id for run in runs]),
        "automation_id": (Uuid(), [run.series_id for run in runs]),
        "number": (Integer(), [run.number for run in runs]),
    }


def _statement(
    org_id: UUID,
    moment: Moment,
    series: Sequence[Series],
    steps: Sequence[Step],
    given: FromClause,
) -> Any:
    """Join the given runs to their enrollment, their contact's scan and what their series asks."""
    scanned = _scan(org_id, moment, series, steps, given)
    rules = rows_of(
        "rules",
        {
            "automation_id": (Uuid(), [each.id for each in series]),
            "ordinal": (Integer(), range(len(series))),
            "exit_event_name": (Text(), [_exit_event(each) for each in series]),
        },
    )
    runs = automation_enrollments
    holder = runs.alias("holder")
    began = (runs.c.created_at, runs.c.id)
    columns: list[ColumnElement[Any]] = [
        given.c.end_user_id,
        given.c.automation_id,
        given.c.number,
        runs.c.created_at.label("enrolled_at"),
        runs.c.id.label("enrollment_id"),
        scanned.c.company_id,
        runs.c.company_seat,
        holder.c.end_user_id.label("holder_id"),
        holder.c.number.label("holder_number"),
        holder.c.created_at.label("holder_enrolled_at"),
        holder.c.id.label("holder_enrollment_id"),
        (rules.c.ordinal == any_(scanned.c.audiences)).label("audience_holds"),
        (rules.c.ordinal == any_(scanned.c.exit_filters)).label("exit_filter_holds"),
        scanned.c.suppressed,
        replied(org_id, series, given, began).label("replied"),
        fired_since(
            org_id,
            given,
            rules.c.exit_event_name,
            began,
            asked=any(_exit_event(each) for each in series),
        ).label("exit_event_fired"),
    ]
    source = (
        given.join(scanned, scanned.c.end_user_id == given.c.end_user_id)
        .join(rules, rules.c.automation_id == given.c.automation_id)
        .join(runs, is_run(runs, org_id, given))
        .outerjoin(
            holder,
            and_(
                holder.c.org_id == org_id,
                holder.c.automation_id == given.c.automation_id,
                holder.c.company_seat == scanned.c.company_id,
                holder.c.ended_at.is_(None),
                runs.c.company_seat.is_distinct_from(scanned.c.company_id),
            ),
        )
    )
    if steps:
        asks = _asks(steps)
        source = source.join(asks, asks.c.step_id == given.c.step_id)
        columns += [
            given.c.recipient_id,
            scanned.c.has_address,
            (asks.c.ordinal == any_(scanned.c.properties)).label("property_holds"),
            opened(org_id, steps, given).label("email_opened"),
            clicked(org_id, steps, given).label("link_clicked"),
            visited(org_id, series, given).label("visited"),
            fired_since(
                org_id,
                given,
                asks.c.event_name,
                (given.c.reached_at, given.c.recipient_id),
                asked=any_asks(steps, ConditionType.EVENT_FIRED),
            ).label("event_fired"),
        ]
    return select(*columns).select_from(source)


def _scan(
    org_id: UUID,
    moment: Moment,
    series: Sequence[Series],
    steps: Sequence[Step],
    given: FromClause,
) -> CTE:
    """Look at each contact once: which audiences, exit filters and step expressions hold."""
    subject = Subject.of_contacts_unpacked()
    audiences = [(n, audience(each, subject, moment)) for n, each in enumerate(series)]
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
    source = scan(subject, [each for _, each in (*audiences, *exits, *properties)])
    contact = subject.contact
    return (
        select(
            contact.c.id.label("end_user_id"),
            contact.c.company_id,
            suppressed(subject).label("suppressed"),
            has_address(subject).label("has_address"),
            matches(audiences).label("audiences"),
            matches(exits).label("exit_filters"),
            matches(properties).label("properties"),
        )
        .select_from(source)
        .where(contact.c.org_id == org_id, contact.c.id.in_(select(given.c.end_user_id)))
        .cte("scanned")
    )


def _asks(steps: Sequence[Step]) -> FromClause:
    return rows_of(
        "asks",
        {
            "step_id": (Uuid(), [step.id for step in steps]),
            "ordinal": (Integer(), range(len(steps))),
            "event_name": (Text(), [_asked(step, ConditionType.EVENT_FIRED) for step in steps]),
        },
    )


def _asked(step: Step, type_: ConditionType) -> str | None:
    """Return the condition's value if the step is a condition of this type that has one."""
    return step.condition.value if step.condition and step.condition.type is type_ else None


def _exit_event(series: Series) -> str | None:
    return series.settings.exit_event_name if series.has_rule(ExitReason.EVENT) else None


def _run_facts(row: RowMapping, series: Series) -> RunFacts:
    return RunFacts(
        series=series,
        contact_id=row["end_user_id"],
        number=row["number"],
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


def _due_facts(row: RowMapping, series: Series, step: Step) -> DueFacts:
    return DueFacts(
        run=_run_facts(row, series),
        recipient_id=row["recipient_id"],
        step=step,
        has_address=row["has_address"],
        email_opened=row["email_opened"],
        link_clicked=row["link_clicked"],
        property_holds=row["property_holds"],
        event_fired=row["event_fired"],
        visited=row["visited"] or (),
    )
