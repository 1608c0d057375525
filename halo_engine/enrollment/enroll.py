"""The statement that enrolls: guards, enrollments, first recipients and kept refusals at once
(contract §4).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    FromClause,
    any_,
    func,
    literal,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.audience.moments import ANY_MOMENT
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.domain.series.happenings import Happening, Kinds
from halo_engine.enrollment.candidates import Entrants
from halo_engine.enrollment.contest import order_of_creation
from halo_engine.enrollment.events import keep_properties
from halo_engine.enrollment.first_openings import openings
from halo_engine.enrollment.first_recipients import (
    clear_earlier_recipients,
    count_cleared,
    insert_first_recipients,
)
from halo_engine.enrollment.guards import judge
from halo_engine.enrollment.kept_refusals import keep_refusals
from halo_engine.enrollment.losers import losers
from halo_engine.enrollment.namesakes import hold_addresses, kept_address
from halo_engine.enrollment.patience import note_waiting
from halo_engine.enrollment.rules import (
    have_addresses,
    have_seats,
    keeps_refusals,
)
from halo_engine.enrollment.surges.holding import (
    count_entries,
    drop_places,
    end_discards,
    hold_back,
    keep_held,
)
from halo_engine.enrollment.surges.pacing import count_released
from halo_engine.enrollment.surges.traces import EVERY_TRACE, Traces, find_traces
from halo_engine.happenings import Happened, announce, note_happenings
from halo_engine.series.early_gates import Waiting, open_gates
from halo_engine.sql.cache import StatementCache
from halo_engine.sql.metadata import INSTANT, arrivals
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments
from halo_engine.work import Work

_NOW: Final = ANY_MOMENT.parameter(lambda at: at.now, INSTANT)
#: Keyed by organisation, shape of the candidates, series, what surges left, what webhooks ask for,
#: and which of the series filters name.
_KEPT: Final = StatementCache()
#: What can happen to candidates.
_TOLD: Final[Kinds] = frozenset({Happening.ENTERED, Happening.REFUSED})


@dataclass(frozen=True, slots=True)
class Admission:
    """How many candidates of one series were enrolled (``code`` None) or refused for one reason."""

    series: Series
    code: ReasonCode | None
    count: int


def enroll(work: Work, series: Sequence[Series], candidates: Entrants) -> list[Admission]:
    """Enroll every candidate that no guard refuses, in one statement (contract §4).

    If another transaction took the contact's next number or the company's seat first, the unique
    indexes let it win without an error. The caller holds the series lock (``series.locks``), and
    those of surges (``surges.locks``).
    """
    org_id, kinds = work.org_id, work.org.webhook_kinds & _TOLD
    if have_addresses(series):
        hold_addresses(work, candidates)
    left = find_traces(work, series, candidates)
    announced = tuple(each.key for each in series if each.key in work.org.announced_series)
    statement = _KEPT.get(
        (org_id, candidates.shape, tuple(series), left, kinds, announced),
        lambda: _statement(org_id, series, candidates, left, kinds, announced),
        size=len(series),
    )
    values = {
        **candidates.values,
        **openings(work, series, candidates),
        **losers(work, series, candidates),
    }
    by_id = {each.id: each for each in series}
    admissions = [
        Admission(
            by_id[row["automation_id"]],
            ReasonCode(row["code"]) if row["code"] else None,
            row["contacts"],
        )
        for row in statement.rows(work.connection, values, work.moment)
    ]
    # A run begins at the instant of its signal; the event may have fired since.
    early = [each for each in series if each.first_step and each.first_step.is_early]
    if early and any(each.code is None for each in admissions):
        named = candidates.contact_ids
        whose = Waiting(reached=candidates.instants) if named is None else Waiting(contacts=named)
        open_gates(work, early, whose)
    return admissions


@statement("enroll", left=EVERY_TRACE, kinds=frozenset(), named=())
def _statement(
    org_id: UUID,
    series: Sequence[Series],
    candidates: Entrants,
    left: Traces,
    kinds: Kinds,
    named: Sequence[str],
) -> CompoundSelect[Any]:
    """Build the statement, without the parts that none of the series needs."""
    verdicts = judge(org_id, series, ANY_MOMENT, candidates, discards=left.discards)
    surges = any(each.has_surges for each in series)
    if surges and left.may_hold and not candidates.planned:
        verdicts = hold_back(org_id, series, verdicts)
    admitted = _admitted(org_id, verdicts, series, events=candidates.brings_events)
    enrolled = _insert_enrollments(admitted, series, events=candidates.brings_events)
    beside: list[CTE] = []
    happened = [_entered(enrolled)]
    cleared = None
    if any(each.settings.reenroll_enabled for each in series):
        cleared = clear_earlier_recipients(org_id, enrolled)
        beside.append(count_cleared(org_id, cleared))
    if any(keeps_refusals(each) for each in series):
        refused = keep_refusals(org_id, verdicts, surges=surges)
        beside.append(refused)
        happened.append(_refused(refused))
    if surges:
        beside.extend(_note_surges(org_id, series, candidates, left, verdicts, enrolled))
    if any(each.patience for each in series):
        beside.extend(note_waiting(org_id, verdicts))
    beside.extend(note_happenings(org_id, kinds, *happened))
    if named:
        beside.append(announce(org_id, named, enrolled, _NOW))
    placed = insert_first_recipients(org_id, series, enrolled, cleared)
    placed_count = select(
        placed.c.automation_id, null().label("code"), func.count().label("contacts")
    ).group_by(placed.c.automation_id)
    refused_count = (
        select(verdicts.c.automation_id, verdicts.c.code, func.count())
        .where(verdicts.c.code.is_not(None))
        .group_by(verdicts.c.automation_id, verdicts.c.code)
    )
    return placed_count.union_all(refused_count).add_cte(*beside)


def _note_surges(
    org_id: UUID,
    series: Sequence[Series],
    candidates: Entrants,
    left: Traces,
    verdicts: CTE,
    enrolled: CTE,
) -> Iterator[CTE]:
    """Yield what is noted of those who entered and of those who are held (contract §19)."""
    entrants = {"ended_discards": enrolled}
    if candidates.planned:
        is_release = "held_place" in verdicts.c
        if left.held:
            yield drop_places(org_id, verdicts if is_release else enrolled)
        if "at_a_pace" in verdicts.c:
            yield from count_released(org_id, enrolled)
    else:
        if left.may_hold:
            held = keep_held(org_id, series, verdicts)
            entrants["ended_discards_of_held"] = held
            yield held
        yield from count_entries(org_id, series, enrolled)
    if left.discards:
        yield from (end_discards(org_id, name, each) for name, each in entrants.items())


def _entered(enrolled: CTE) -> Happened:
    given = {"enrollment_number": enrolled.c.number}
    return Happened(Happening.ENTERED, enrolled, enrolled.c.created_at, given)


def _refused(refused: CTE) -> Happened:
    given = {"reason": refused.c.code}
    return Happened(Happening.REFUSED, refused, refused.c.refused_at, given)


def _admitted(org_id: UUID, verdicts: CTE, series: Sequence[Series], *, events: bool) -> CTE:
    """Return the runs of whom no guard refuses, in order of the contacts' creation: their ids then
    decide which is earlier (guard 10). With ``events`` each keeps the properties of the event that
    begins it.
    """
    source: FromClause = verdicts
    kept: list[ColumnElement[Any]] = []
    if events:
        source, properties = keep_properties(org_id, verdicts, series)
        kept.append(properties.label("kept"))
    return (
        select(
            literal(org_id).label("org_id"),
            arrivals.next_value().label("id"),
            verdicts.c.end_user_id,
            verdicts.c.automation_id,
            (func.coalesce(verdicts.c.latest_number, 0) + 1).label("number"),
            verdicts.c.seat,
            *kept_address(verdicts),
            verdicts.c.entered_at,
            (verdicts.c.ordinal == any_(verdicts.c.goals)).label("goal_held"),
            verdicts.c.series_version,
            *kept,
        )
        .select_from(source)
        .where(verdicts.c.code.is_(None))
        .order_by(*order_of_creation(verdicts))
        .cte("admitted")
    )


def _insert_enrollments(admitted: CTE, series: Sequence[Series], *, events: bool) -> CTE:
    """Insert the runs. If they have seats they are inserted sorted by seat, so that two
    transactions do not deadlock.
    """
    runs = automation_enrollments
    columns = [
        runs.c.org_id,
        runs.c.id,
        runs.c.end_user_id,
        runs.c.automation_id,
        runs.c.number,
        runs.c.company_seat,
        runs.c.address,
        runs.c.holds_address,
        runs.c.created_at,
        runs.c.goal_held,
        runs.c.series_version,
        *([runs.c.event_properties] if events else []),
    ]
    in_order = [admitted.c.seat] if have_seats(series) else []
    return (
        insert(runs)
        .from_select(
            columns,
            select(admitted).order_by(*in_order, admitted.c.id),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
        .returning(
            runs.c.id, runs.c.end_user_id, runs.c.automation_id, runs.c.number, runs.c.created_at
        )
        .cte("enrolled")
    )
