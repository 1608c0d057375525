"""The guards of contract §4, as one query: for each contact and series, the first reason to refuse,
or none.

Enrollment inserts from this query; explain and the ledger read it. So the three cannot disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    case,
    cast,
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
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guard_parts import GuardScope
from halo_engine.domain.series.guards import GUARDS
from halo_engine.enrollment.candidates import Candidates
from halo_engine.enrollment.contest import Asks, asks_about, first_created, without_losers
from halo_engine.enrollment.events import offered_by_events
from halo_engine.enrollment.namesakes import held_address, namesake_of
from halo_engine.enrollment.rules import have_both, have_discards
from halo_engine.enrollment.surges.discards import was_discarded
from halo_engine.tables import automation_enrollments
from halo_engine.tables.enrollments import holds_seat


@dataclass(frozen=True, slots=True)
class AfterSave:
    """What a save that is planned would change of what the guards look at (contract §18).

    ``moved_audience``: it changes the audience, so those who match were not put outside by the
    definition. ``taken``: the companies whose seat is taken, if the save gives seats.
    ``addresses``: the addresses that are taken, if it gives seats or begins to count addresses.
    """

    moved_audience: bool = False
    taken: Select[Any] | None = None
    addresses: Select[Any] | None = None


#: Nothing is planned.
AS_SAVED: Final = AfterSave()


def judge(
    org_id: UUID,
    series: Sequence[Series],
    moment: When,
    candidates: Candidates,
    save: AfterSave = AS_SAVED,
    *,
    discards: bool = True,
) -> CTE:
    """Return the CTE ``verdicts``: a row for each candidate and series, ``code`` NULL when nothing
    refuses.

    ``discards``: contacts may have been discarded from the series that have surges.
    """
    judged = as_they_stand(org_id, series, moment, candidates, save, discards=discards)
    # It is read several times.
    judged = judged.prefix_with("MATERIALIZED")
    if have_both(series):
        judged = without_losers(judged)
    return first_created(series, judged)


def as_they_stand(
    org_id: UUID,
    series: Sequence[Series],
    moment: When,
    candidates: Candidates,
    save: AfterSave = AS_SAVED,
    *,
    discards: bool = True,
) -> CTE:
    """Return the CTE ``judged``: each candidate judged by itself, ``guard`` NULL when nothing
    refuses.

    Candidates of the same call do not yet compete for a company's seat.
    """
    scanned = _scan(org_id, series, moment, candidates)
    paired = candidates.paired(scanned, series)
    # The event of whoever was held has triggered already.
    if candidates.brings_events and "held_place" not in scanned.c:
        paired = offered_by_events(org_id, paired, series, moment)
    pairs = paired.cte("pairs")
    return _judge_pairs(org_id, pairs, save, asks_about(series, candidates, discards=discards))


def is_matched(judged: FromClause) -> ColumnElement[bool]:
    """Return whether a judged candidate is *matched*: guards 2 to 4 let it through (contract
    §3).
    """
    return and_(*(~guard.refuses(judged.c) for guard in GUARDS if guard.about is GuardScope.MATCH))


def _scan(org_id: UUID, series: Sequence[Series], moment: When, candidates: Candidates) -> CTE:
    """Look at each candidate once, whatever the number of series."""
    subject = Subject.of_contacts(
        sum(
            custom_reads(each.audience_filters, each.exit_filters, each.settings.goal_filters)
            for each in series
        )
    )
    # At entry nothing has fired "since enrollment" (contract §7).
    entering = subject.counting_events(lambda _firings: literal(0))
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
            contact.c.address,
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


def _judge_pairs(org_id: UUID, pairs: CTE, save: AfterSave, asked: Asks) -> CTE:
    """Ask the guards in their documented order; the first that refuses gives ``guard``.

    The guards about seats and addresses are asked only if there are any.
    """
    latest = latest_run(org_id, pairs, save)
    holds = pairs.c.ordinal == any_(pairs.c.audiences)
    facts = {"audience_holds": holds, "exit_filter_holds": _exit_filter_holds(pairs)}
    seat: ColumnElement[UUID | None] = cast(null(), Uuid())
    source = pairs.outerjoin(latest, true())
    if asked.discards:
        facts["was_discarded"] = was_discarded(org_id, pairs, moved_audience=save.moved_audience)
    if asked.seats:
        seat = case((pairs.c.one_per_company, pairs.c.company_id))
        if save.taken is None:
            seated = _seated(org_id, pairs, seat)
            source = source.outerjoin(seated, true())
            facts["seat_is_taken"] = seated.c.number.is_not(None)
        else:
            # In an expression PostgreSQL hashes them; joined without statistics, it compares all.
            facts["seat_is_taken"] = seat.in_(save.taken)
    address: ColumnElement[str | None] = cast(null(), Text())
    if asked.addresses:
        address = held_address(pairs)
        if save.addresses is None:
            namesake = namesake_of(org_id, pairs, address, ever=asked.of_activation)
            source = source.outerjoin(namesake, true())
            facts["address_is_taken"] = namesake.c.number.is_not(None)
        else:
            facts["address_is_taken"] = address.in_(save.addresses)
    pair = SimpleNamespace(**pairs.c, **_history(latest), **facts)
    refusals = [
        (guard.refuses(pair), guard.key.value)
        for guard in GUARDS
        if guard.about not in asked.left_out
    ]
    return (
        select(
            pairs,
            holds.label("audience_holds"),
            seat.label("seat"),
            address.label("held_address"),
            latest.c.id.label("latest_id"),
            latest.c.number.label("latest_number"),
            latest.c.created_at.label("latest_at"),
            pair.is_enrolled.label("is_enrolled"),
            case(*refusals, else_=null()).label("guard"),
        )
        .select_from(source)
        .cte("judged")
    )


def _exit_filter_holds(pairs: CTE) -> ColumnElement[bool]:
    return pairs.c.ordinal == any_(pairs.c.exit_filters)


def latest_run(org_id: UUID, pairs: FromClause, save: AfterSave = AS_SAVED) -> LateralFromClause:
    """Return the last run of each pair's contact in its series, if there is any."""
    runs = automation_enrollments
    was_outside: ColumnElement[bool] = runs.c.left_audience
    if not save.moved_audience:
        was_outside = was_outside | runs.c.outside_by_definition
    return (
        select(
            runs.c.id,
            runs.c.number,
            runs.c.created_at,
            runs.c.ended_at,
            was_outside.label("was_outside"),
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


def refused_by_history(
    org_id: UUID, series: Sequence[Series], pairs: FromClause, latest: FromClause
) -> list[ColumnElement[bool]]:
    """Return for each guard about history, or about discards, whether it refuses."""
    scopes, facts = {GuardScope.HISTORY}, dict(_history(latest))
    if have_discards(series):
        scopes.add(GuardScope.DISCARD)
        facts["was_discarded"] = was_discarded(org_id, pairs, moved_audience=False)
    pair = SimpleNamespace(**pairs.c, **facts)
    return [guard.refuses(pair) for guard in GUARDS if guard.about in scopes]


def _history(latest: FromClause) -> Mapping[str, ColumnElement[Any]]:
    """Return what the guards look at in the contact's last run in the series."""
    was_enrolled = latest.c.number.is_not(None)
    return {
        "was_enrolled": was_enrolled,
        "is_enrolled": and_(was_enrolled, latest.c.ended_at.is_(None)),
        "latest_at": latest.c.created_at,
        "was_outside": latest.c.was_outside,
    }


def _seated(org_id: UUID, pairs: CTE, seat: ColumnElement[UUID | None]) -> LateralFromClause:
    """Return the run that has the seat, looked up by index."""
    runs = automation_enrollments.alias("seated")
    return (
        select(runs.c.number)
        .where(holds_seat(runs, org_id, pairs.c.automation_id, seat))
        .limit(1)
        .lateral("seated")
    )
