"""The statement that enrolls: guards, enrollments, first recipients and kept refusals at once
(contract §4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    CompoundSelect,
    Connection,
    DateTime,
    FromClause,
    Interval,
    Uuid,
    and_,
    any_,
    case,
    delete,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.audience.moments import ANY_MOMENT, Moment, When
from halo_engine.domain.reasons import FailReason, ReasonCode, Status
from halo_engine.domain.series import Series
from halo_engine.enrollment.candidates import Candidates, Entrants
from halo_engine.enrollment.guards import judge
from halo_engine.prepared import KeptStatements
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    cleared_recipients,
    end_users,
    enrollment_refusals,
)
from halo_engine.tables.enrollments import ACTIVE
from halo_engine.tables.metadata import arrivals
from halo_engine.tables.rows import array_of, rows_of

_INSTANT: Final = DateTime(timezone=True)
#: By the kind of the candidates, and the series at whose doors they are.
_KEPT: Final = KeptStatements(room=100)


@dataclass(frozen=True, slots=True)
class Admission:
    """How many candidates of one series were enrolled (``code`` None) or refused for one reason."""

    series: Series
    code: ReasonCode | None
    count: int


def enroll(
    connection: Connection,
    org_id: UUID,
    series: Sequence[Series],
    moment: Moment,
    candidates: Entrants,
) -> list[Admission]:
    """Enroll every candidate that no guard refuses, in one statement (contract §4).

    A racer that took the contact's next number or the company's seat first wins without an error:
    the unique indexes decide. The caller holds the series still (``series.locks``).
    """
    statement = _KEPT.get(
        (candidates.shape, tuple(series)),
        lambda: _statement(org_id, series, ANY_MOMENT, candidates),
    )
    by_id = {each.id: each for each in series}
    return [
        Admission(
            by_id[row["automation_id"]],
            ReasonCode(row["code"]) if row["code"] else None,
            row["contacts"],
        )
        for row in statement.rows(connection, candidates.values, moment)
    ]


def _statement(
    org_id: UUID, series: Sequence[Series], when: When, candidates: Candidates
) -> CompoundSelect[Any]:
    verdicts = judge(org_id, series, when, candidates)
    enrolled = _insert_enrollments(org_id, verdicts)
    cleared = _clear_earlier_recipients(org_id, enrolled)
    placed = _insert_first_recipients(org_id, _first_places(series, when), enrolled, cleared)
    refused = _keep_refusals(org_id, verdicts)
    placed_count = select(
        placed.c.automation_id, null().label("code"), func.count().label("contacts")
    ).group_by(placed.c.automation_id)
    refused_count = (
        select(verdicts.c.automation_id, verdicts.c.code, func.count())
        .where(verdicts.c.code.is_not(None))
        .group_by(verdicts.c.automation_id, verdicts.c.code)
    )
    counted = _count_cleared(org_id, cleared)
    return placed_count.union_all(refused_count).add_cte(refused, counted)


def _insert_enrollments(org_id: UUID, verdicts: CTE) -> CTE:
    """Insert the runs: numbered in order of their contacts' creation, which says whose is earlier
    (guard 10), and sorted by seat, since racers that lock in one order do not deadlock.
    """
    admitted = (
        select(
            literal(org_id).label("org_id"),
            arrivals.next_value().label("id"),
            verdicts.c.end_user_id,
            verdicts.c.automation_id,
            (func.coalesce(verdicts.c.latest_number, 0) + 1).label("number"),
            verdicts.c.seat,
            verdicts.c.entered_at,
            (verdicts.c.ordinal == any_(verdicts.c.goals)).label("goal_held"),
        )
        .where(verdicts.c.code.is_(None))
        .order_by(verdicts.c.contact_created_at, verdicts.c.end_user_id)
        .cte("admitted")
    )
    runs = automation_enrollments
    columns = [
        runs.c.org_id,
        runs.c.id,
        runs.c.end_user_id,
        runs.c.automation_id,
        runs.c.number,
        runs.c.company_seat,
        runs.c.created_at,
        runs.c.goal_held,
    ]
    return (
        insert(runs)
        .from_select(
            columns,
            select(admitted).order_by(admitted.c.seat, admitted.c.id),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
        .returning(runs.c.end_user_id, runs.c.automation_id, runs.c.number, runs.c.created_at)
        .cte("enrolled")
    )


def _clear_earlier_recipients(org_id: UUID, enrolled: CTE) -> CTE:
    """Delete what an earlier run left: (step, contact) is unique. Active rows are spared
    (facts).
    """
    rows, left = automation_recipients, automation_recipients.alias("left_behind")
    # Looked for contact by contact: a join would read all rows, though nobody enters again.
    found = (
        select(left.c.id)
        .where(
            left.c.org_id == org_id,
            left.c.end_user_id == enrolled.c.end_user_id,
            left.c.automation_id == enrolled.c.automation_id,
            left.c.status.not_in(ACTIVE),
        )
        .offset(literal_column("0"))
        .lateral("found")
    )
    earlier = (
        select(found.c.id)
        .select_from(enrolled.join(found, true()))
        .where(enrolled.c.number > 1)
        .subquery("earlier")
    )
    return (
        delete(rows)
        .where(rows.c.org_id == org_id, rows.c.id == earlier.c.id)
        .returning(rows.c.automation_id, rows.c.step_id, rows.c.status, rows.c.reason)
        .cte("cleared")
    )


def _count_cleared(org_id: UUID, cleared: CTE) -> CTE:
    """Keep what the cleared rows came to; what became of emails the send ledger keeps."""
    is_skipped = cleared.c.status == Status.SKIPPED
    reason = case((is_skipped, cleared.c.reason)).label("reason")
    has_failed = and_(
        cleared.c.status == Status.FAILED, cleared.c.reason != FailReason.OUTCOME_UNKNOWN
    )
    counts = (
        select(
            literal(org_id),
            cleared.c.automation_id,
            cleared.c.step_id,
            cleared.c.status,
            reason,
            func.count(),
        )
        .where(or_(is_skipped, has_failed))
        .group_by(cleared.c.automation_id, cleared.c.step_id, cleared.c.status, reason)
    )
    table = cleared_recipients
    columns = [
        table.c.org_id,
        table.c.automation_id,
        table.c.step_id,
        table.c.status,
        table.c.reason,
        table.c.recipients,
    ]
    return insert(table).from_select(columns, counts, include_defaults=False).cte("counted")


def _first_places(series: Sequence[Series], when: When) -> FromClause:
    """Return where a run of each series begins, and when its first row is due (contract §5).

    ``opens_at`` is set for a step with a send window alone; any other is due after its delay.
    """
    steps = [(each, step) for each in series if (step := each.first_step) is not None]

    def openings(at: Moment) -> list[datetime | None]:
        return [each.opening(step, at.now) if step.window else None for each, step in steps]

    return rows_of(
        "places",
        {
            "automation_id": (Uuid(), [each.id for each, _ in steps]),
            "step_id": (Uuid(), [step.id for _, step in steps]),
            "delay": (Interval(), [step.delay for _, step in steps]),
            "opens_at": (_INSTANT, when.parameter(openings, array_of(_INSTANT))),
        },
    )


def _insert_first_recipients(org_id: UUID, places: FromClause, enrolled: CTE, cleared: CTE) -> CTE:
    """Place each run at its first step, in the order in which the contacts were created.

    Counting ``cleared`` makes the deletion come first.
    """
    done = select(func.count().label("rows")).select_from(cleared).subquery("done")
    due = func.coalesce(places.c.opens_at, enrolled.c.created_at + places.c.delay)
    contact = end_users
    placed = (
        select(
            literal(org_id),
            enrolled.c.automation_id,
            places.c.step_id,
            enrolled.c.end_user_id,
            enrolled.c.number,
            case((done.c.rows >= 0, due)),
            enrolled.c.created_at,
        )
        .select_from(
            enrolled.join(places, places.c.automation_id == enrolled.c.automation_id)
            .join(
                contact,
                and_(contact.c.org_id == org_id, contact.c.id == enrolled.c.end_user_id),
            )
            .join(done, true())
        )
        .order_by(contact.c.created_at, contact.c.id)
    )
    rows = automation_recipients
    columns = [
        rows.c.org_id,
        rows.c.automation_id,
        rows.c.step_id,
        rows.c.end_user_id,
        rows.c.enrollment_number,
        rows.c.scheduled_for,
        rows.c.created_at,
    ]
    return (
        insert(rows)
        .from_select(columns, placed, include_defaults=False)
        .returning(rows.c.automation_id)
        .cte("placed")
    )


def _keep_refusals(org_id: UUID, verdicts: CTE) -> CTE:
    """Keep the latest refusal where a trigger fires at an instant; written when it says something
    new.
    """
    kept = enrollment_refusals.alias("kept")
    news = (
        select(
            literal(org_id),
            verdicts.c.automation_id,
            verdicts.c.end_user_id,
            verdicts.c.code,
            verdicts.c.entered_at,
            arrivals.next_value(),
        )
        .select_from(
            verdicts.outerjoin(
                kept,
                and_(
                    kept.c.org_id == org_id,
                    kept.c.automation_id == verdicts.c.automation_id,
                    kept.c.end_user_id == verdicts.c.end_user_id,
                ),
            )
        )
        .where(
            verdicts.c.keeps_refusals,
            verdicts.c.code != ReasonCode.ALREADY_ACTIVE.value,
            or_(
                kept.c.code.is_(None),
                kept.c.code != verdicts.c.code,
                kept.c.arrival < verdicts.c.latest_id,
            ),
        )
    )
    refusals = enrollment_refusals
    statement = insert(refusals).from_select(
        [
            refusals.c.org_id,
            refusals.c.automation_id,
            refusals.c.end_user_id,
            refusals.c.code,
            refusals.c.refused_at,
            refusals.c.arrival,
        ],
        news,
        include_defaults=False,
    )
    return (
        statement.on_conflict_do_update(
            index_elements=[
                refusals.c.org_id,
                refusals.c.automation_id,
                refusals.c.end_user_id,
            ],
            set_={
                "code": statement.excluded.code,
                "refused_at": statement.excluded.refused_at,
                "arrival": statement.excluded.arrival,
            },
        )
        .returning(refusals.c.end_user_id)
        .cte("refused")
    )
