"""The guards of contract §4, as one query: for each contact and series, the first reason to refuse,
or none.

Enrollment inserts from this query; explain and the ledger read it. So the three cannot disagree.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Uuid,
    and_,
    any_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.sql.selectable import LateralFromClause

from halo_engine.audience.compiler import Subject, custom_reads, predicate
from halo_engine.audience.matching import audience, matches, scan, suppressed
from halo_engine.audience.moments import When
from halo_engine.domain.reasons import ContactTypeChoice, ReasonCode
from halo_engine.domain.series import Series
from halo_engine.enrollment.candidates import Candidates
from halo_engine.enrollment.rules import have_seats
from halo_engine.tables import automation_enrollments
from halo_engine.tables.enrollments import holds_seat

_Refusal = tuple[ColumnElement[bool], ReasonCode]


def judge(org_id: UUID, series: Sequence[Series], moment: When, candidates: Candidates) -> CTE:
    """Return the CTE ``verdicts``: a row for each candidate and series, ``code`` NULL when nothing
    refuses.
    """
    judged = as_they_stand(org_id, series, moment, candidates)
    # It is read several times.
    judged = judged.prefix_with("MATERIALIZED")
    if not have_seats(series):
        return select(judged, judged.c.guard.label("code")).cte("verdicts")
    return _seat_in_order_of_creation(judged)


def as_they_stand(
    org_id: UUID, series: Sequence[Series], moment: When, candidates: Candidates
) -> CTE:
    """Return the CTE ``judged``: each candidate judged by itself, ``guard`` NULL when nothing
    refuses.

    Candidates of the same call do not yet compete for a company's seat.
    """
    scanned = _scan(org_id, series, moment, candidates)
    pairs = candidates.paired(scanned, series).cte("pairs")
    return _judge_pairs(org_id, pairs, seats=have_seats(series))


def is_matched(judged: FromClause) -> ColumnElement[bool]:
    """Return whether a judged candidate is *matched*: guards 2 to 4 let it through (contract
    §3).
    """
    return and_(~_misfits(judged), judged.c.audience_holds, ~judged.c.suppressed)


def _scan(org_id: UUID, series: Sequence[Series], moment: When, candidates: Candidates) -> CTE:
    """Look at each candidate once, whatever the number of series."""
    subject = Subject.of_contacts(
        sum(
            custom_reads(each.audience_filters, each.exit_filters, each.settings.goal_filters)
            for each in series
        )
    )
    # At entry nothing has fired "since enrollment" (contract §7).
    entering = subject.counting_events(lambda _name: literal(0))
    audiences = [(n, audience(each, subject, moment)) for n, each in enumerate(series)]
    exits = [
        (n, predicate(each.exit_filters, subject, moment))
        for n, each in enumerate(series)
        if each.exit_filters
    ]
    # Also for goals that are off: one may be switched on later, and what held at entry counts.
    goals = [
        (n, predicate(each.settings.goal_filters, entering, moment))
        for n, each in enumerate(series)
        if each.settings.goal_filters
    ]
    contact = subject.contact
    source = scan(subject, [each for _, each in (*audiences, *exits, *goals)])
    scanned = (
        candidates.among(source, contact)
        .add_columns(
            contact.c.id.label("end_user_id"),
            contact.c.contact_type,
            contact.c.company_id,
            contact.c.created_at.label("contact_created_at"),
            suppressed(subject).label("suppressed"),
            matches(audiences).label("audiences"),
            matches(exits).label("exit_filters"),
            matches(goals).label("goals"),
        )
        .where(contact.c.org_id == org_id)
    )
    if candidates.matching_only:
        scanned = scanned.where(or_(*(held for _, held in audiences)))
    # For several series: inlined, the filters would be evaluated for each contact and series.
    cte = scanned.cte("scanned")
    return cte.prefix_with("MATERIALIZED") if len(series) > 1 else cte


def _judge_pairs(org_id: UUID, pairs: CTE, *, seats: bool) -> CTE:
    """Apply guards 1 to 10 in their documented order; the first that refuses gives ``code``.

    Guard 10 is asked only if there are ``seats``.
    """
    latest = latest_run(org_id, pairs)
    holds = pairs.c.ordinal == any_(pairs.c.audiences)
    seat: ColumnElement[UUID | None] = cast(null(), Uuid())
    if seats:
        seat = case((pairs.c.one_per_company, pairs.c.company_id))
    source = pairs.outerjoin(latest, true())
    refusals: list[_Refusal] = [
        (~pairs.c.is_active, ReasonCode.SERIES_NOT_ACTIVE),
        (_misfits(pairs), ReasonCode.CONTACT_TYPE),
        (~holds, ReasonCode.AUDIENCE_MISMATCH),
        (pairs.c.suppressed, ReasonCode.SUPPRESSED),
        *refused_by_history(pairs, latest),
        (pairs.c.ordinal == any_(pairs.c.exit_filters), ReasonCode.EXIT_FILTER),
    ]
    if seats:
        seated = _seated(org_id, pairs, seat)
        source = source.outerjoin(seated, true())
        refusals.append((seated.c.number.is_not(None), ReasonCode.COMPANY_ALREADY_ENROLLED))
    return (
        select(
            pairs,
            holds.label("audience_holds"),
            seat.label("seat"),
            latest.c.id.label("latest_id"),
            latest.c.number.label("latest_number"),
            latest.c.created_at.label("latest_at"),
            _is_enrolled(latest).label("is_enrolled"),
            case(*[(refuses, code.value) for refuses, code in refusals], else_=null()).label(
                "guard"
            ),
        )
        .select_from(source)
        .cte("judged")
    )


def latest_run(org_id: UUID, pairs: FromClause) -> LateralFromClause:
    """Return the last run of each pair's contact in its series, if there is any."""
    runs = automation_enrollments
    return (
        select(
            runs.c.id,
            runs.c.number,
            runs.c.created_at,
            runs.c.ended_at,
            (runs.c.left_audience | runs.c.outside_by_definition).label("was_outside"),
        )
        .where(
            runs.c.org_id == org_id,
            runs.c.end_user_id == pairs.c.end_user_id,
            runs.c.automation_id == pairs.c.automation_id,
        )
        .order_by(runs.c.number.desc())
        .limit(1)
        .lateral("latest")
    )


def refused_by_history(pairs: FromClause, latest: FromClause) -> list[_Refusal]:
    """Return guards 5 to 8: what the contact's last run in the series refuses."""
    enrolled_before = latest.c.number.is_not(None)
    return [
        (_is_enrolled(latest), ReasonCode.ALREADY_ACTIVE),
        (and_(enrolled_before, ~pairs.c.reenrolls), ReasonCode.ALREADY_ENROLLED),
        (
            pairs.c.entered_at - latest.c.created_at < pairs.c.reenroll_delay,
            ReasonCode.REENROLL_DELAY,
        ),
        (
            and_(enrolled_before, pairs.c.wants_new_match, ~latest.c.was_outside),
            ReasonCode.NOT_NEWLY_MATCHING,
        ),
    ]


def _is_enrolled(latest: FromClause) -> ColumnElement[bool]:
    return and_(latest.c.number.is_not(None), latest.c.ended_at.is_(None))


def _misfits(pairs: FromClause) -> ColumnElement[bool]:
    return and_(
        pairs.c.wants != ContactTypeChoice.BOTH.value, pairs.c.wants != pairs.c.contact_type
    )


def _seated(org_id: UUID, pairs: CTE, seat: ColumnElement[UUID | None]) -> LateralFromClause:
    """Return the run that has the seat, looked up by index."""
    runs = automation_enrollments.alias("seated")
    return (
        select(runs.c.number)
        .where(holds_seat(runs, org_id, pairs.c.automation_id, seat))
        .limit(1)
        .lateral("seated")
    )


def _seat_in_order_of_creation(judged: CTE) -> CTE:
    """Give a company's seat to the first created of the contacts enrolled together (guard 10)."""
    turn = func.row_number().over(
        partition_by=(judged.c.ordinal, judged.c.seat, judged.c.guard.is_(None)),
        order_by=(judged.c.contact_created_at, judged.c.end_user_id),
    )
    too_late = and_(judged.c.guard.is_(None), judged.c.seat.is_not(None), turn > 1)
    return select(
        judged,
        case((too_late, ReasonCode.COMPANY_ALREADY_ENROLLED.value), else_=judged.c.guard).label(
            "code"
        ),
    ).cte("verdicts")
