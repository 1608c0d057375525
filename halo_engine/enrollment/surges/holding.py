"""Guard 12: whoever comes when a span is full is held, and everybody behind them (contract §19).

A batch is cut by one statement. As long as nobody is held, candidates enter in order of arrival;
the first of them with whom a span would hold too many is held, and so is everybody after. Which one
that is, a sweep over the instants says: each entry counts from its instant until the span has
passed, so at every instant the running sum is what the span that ends there holds.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Delete,
    FromClause,
    Interval,
    Table,
    Uuid,
    and_,
    any_,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.audience.moments import ANY_MOMENT
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.domain.times.surges import LONGEST
from halo_engine.enrollment.events import EVENT_ID, begins_with_event
from halo_engine.sql.metadata import arrivals
from halo_engine.sql.rows import rows_of
from halo_engine.tables import discarded_entries, held_entries, surge_entries

_INSTANT: Final = DateTime(timezone=True)
_FORGOTTEN: Final = ANY_MOMENT.parameter(lambda at: at.now - LONGEST, _INSTANT)
_HELD: Final = ReasonCode.SURGE_HELD.value


def hold_back(org_id: UUID, series: Sequence[Series], verdicts: CTE) -> CTE:
    """Return the verdicts with guard 12: ``surge_held`` for each candidate that no other guard
    refuses and that may not enter yet. The caller holds the locks (``locks``).
    """
    surges = _surges(series)
    ranked = _ranked(verdicts, surges)
    admits = _admits(org_id, ranked)
    return _with_those_held(verdicts, ranked, admits)


def _surges(series: Sequence[Series]) -> FromClause:
    """Return the series that have surges by their ordinals; without bounds if theirs is gone."""
    having = [(n, each.settings.surge) for n, each in enumerate(series) if each.has_surges]
    return rows_of(
        "surges",
        {
            "ordinal": (BigInteger(), [n for n, _ in having]),
            "at_most": (BigInteger(), [surge and surge.at_most for _, surge in having]),
            "within": (Interval(), [surge and surge.within for _, surge in having]),
        },
    )


def arrival_order(candidates: FromClause) -> list[ColumnElement[Any]]:
    """Return how candidates arrive: by instant, then place in their batch, then creation."""
    place = [candidates.c.place] if "place" in candidates.c else []
    at = candidates.c
    return [at.entered_at, *place, at.contact_created_at, at.end_user_id]


def _ranked(verdicts: CTE, surges: FromClause) -> CTE:
    """Count for each candidate those before it, itself included, who would enter."""
    enters = verdicts.c.code.is_(None)
    before = func.count().filter(enters)
    return (
        select(
            verdicts,
            surges.c.at_most,
            surges.c.within,
            surges.c.ordinal.is_not(None).label("has_surges"),
            before.over(
                partition_by=verdicts.c.ordinal, order_by=arrival_order(verdicts), rows=(None, 0)
            ).label("before"),
        )
        .select_from(verdicts.outerjoin(surges, surges.c.ordinal == verdicts.c.ordinal))
        .cte("ranked")
        .prefix_with("MATERIALIZED")
    )


def _admits(org_id: UUID, ranked: CTE) -> CTE:
    """Return for each series how many of its candidates may enter: all of them where NULL, nobody
    where somebody is held.
    """
    comes = and_(ranked.c.has_surges, ranked.c.code.is_(None))
    spans = (
        select(
            ranked.c.ordinal,
            ranked.c.automation_id,
            ranked.c.at_most,
            ranked.c.within,
            func.min(ranked.c.entered_at).label("first"),
        )
        .where(comes)
        .group_by(ranked.c.ordinal, ranked.c.automation_id, ranked.c.at_most, ranked.c.within)
        .cte("spans")
    )
    room = _room(org_id, ranked, spans, comes)
    waiting = exists().where(
        held_entries.c.org_id == org_id, held_entries.c.automation_id == spans.c.automation_id
    )
    return (
        select(
            spans.c.ordinal,
            case((waiting, literal(0, BigInteger())), else_=room.c.last).label("last"),
        )
        .select_from(spans.outerjoin(room, room.c.ordinal == spans.c.ordinal))
        .cte("admits")
    )


def _room(org_id: UUID, ranked: CTE, spans: CTE, comes: ColumnElement[bool]) -> CTE:
    """Return for each series in which a span would be too full the last candidate before that."""
    entries = surge_entries
    its = and_(
        entries.c.org_id == org_id,
        entries.c.automation_id == spans.c.automation_id,
        entries.c.began_at > spans.c.first - spans.c.within,
    )
    one, number = literal(1, BigInteger()), entries.c.entries
    nobody = literal(0, BigInteger())
    known = spans.join(entries, its)
    steps = union_all(
        select(
            ranked.c.ordinal,
            ranked.c.entered_at.label("at"),
            one.label("come"),
            nobody.label("were"),
        ).where(comes),
        select(ranked.c.ordinal, ranked.c.entered_at + ranked.c.within, -one, nobody).where(
            comes, ranked.c.within.is_not(None)
        ),
        select(spans.c.ordinal, entries.c.began_at, nobody, number).select_from(known),
        select(spans.c.ordinal, entries.c.began_at + spans.c.within, nobody, -number).select_from(
            known
        ),
    ).subquery("steps")
    ordinal, at, come, were = steps.c
    window: dict[str, Any] = {"partition_by": ordinal, "order_by": at}
    sums = select(
        ordinal.label("ordinal"),
        func.sum(come).over(**window).label("inside"),
        func.sum(were).over(**window).label("taken"),
        func.sum(func.greatest(come, 0)).over(**window).label("so_far"),
    ).subquery("sums")
    free = func.greatest(spans.c.at_most - sums.c.taken, 0)
    return (
        select(spans.c.ordinal, func.min(sums.c.so_far - sums.c.inside + free).label("last"))
        .select_from(sums.join(spans, spans.c.ordinal == sums.c.ordinal))
        # GREATEST passes over NULL.
        .where(spans.c.at_most.is_not(None), sums.c.inside > free)
        .group_by(spans.c.ordinal)
        .cte("room")
    )


def _with_those_held(verdicts: CTE, ranked: CTE, admits: CTE) -> CTE:
    is_held = and_(ranked.c.code.is_(None), ranked.c.before > admits.c.last)
    # Whoever lost its seat or its address to one that is held lost it to nobody: it is held too.
    shares = {
        ReasonCode.COMPANY_ALREADY_ENROLLED: ranked.c.seat,
        ReasonCode.ADDRESS_ALREADY_ENROLLED: ranked.c.held_address,
    }
    lost = [
        and_(
            ranked.c.code == code.value,
            func.bool_or(is_held).over(partition_by=(ranked.c.ordinal, shared)),
        )
        for code, shared in shares.items()
    ]
    code = case((or_(is_held, *lost), _HELD), else_=ranked.c.code)
    kept = [ranked.c[each.name] for each in verdicts.c if each.name != "code"]
    return (
        select(*kept, code.label("code"))
        .select_from(ranked.outerjoin(admits, admits.c.ordinal == ranked.c.ordinal))
        .cte("with_those_held")
        .prefix_with("MATERIALIZED")
    )


def keep_held(org_id: UUID, series: Sequence[Series], verdicts: CTE) -> CTE:
    """Insert whom the verdicts hold, in order of arrival; who is held already keeps its place."""
    table = held_entries
    begun = [n for n, each in enumerate(series) if begins_with_event(each)]
    event: ColumnElement[int | None] = cast(null(), BigInteger())
    if EVENT_ID in verdicts.c:
        event = case((verdicts.c.ordinal.in_(begun), verdicts.c[EVENT_ID]))
    held = (
        select(
            literal(org_id),
            verdicts.c.automation_id,
            verdicts.c.end_user_id,
            arrivals.next_value(),
            verdicts.c.entered_at,
            event,
        )
        .where(verdicts.c.code == _HELD)
        .order_by(*arrival_order(verdicts))
    )
    columns = ["org_id", "automation_id", "end_user_id", "id", "held_at", "event_id"]
    return (
        insert(table)
        .from_select(columns, held, include_defaults=False)
        .on_conflict_do_nothing()
        .returning(table.c.automation_id, table.c.end_user_id)
        .cte("held")
    )


def count_entries(org_id: UUID, series: Sequence[Series], enrolled: CTE) -> list[CTE]:
    """Count who entered series that have a surge; forget those whom no span can reach."""
    ids = [each.id for each in series if each.settings.surge is not None]
    if not ids:
        return []
    bounded, table = any_(literal(ids, ARRAY(Uuid()))), surge_entries
    begun = (
        select(enrolled.c.automation_id, enrolled.c.created_at, func.count().label("entries"))
        .where(enrolled.c.automation_id == bounded)
        .group_by(enrolled.c.automation_id, enrolled.c.created_at)
        .subquery("begun")
    )
    rows = select(literal(org_id), *begun.c)
    columns = ["org_id", "automation_id", "began_at", "entries"]
    past = delete(table).where(
        table.c.org_id == org_id, table.c.automation_id == bounded, table.c.began_at < _FORGOTTEN
    )
    return [insert(table).from_select(columns, rows).cte("counted_entries"), past.cte("past")]


def drop_places(org_id: UUID, freed: CTE) -> CTE:
    """Delete the held places of those who entered all the same by an activation, or of all who are
    released, whether they enter or not.
    """
    return _delete_of(org_id, held_entries, freed).cte("dropped_places")


def end_discards(org_id: UUID, name: str, entrants: CTE) -> CTE:
    """Delete the discards of those who entered, or who are held again."""
    return _delete_of(org_id, discarded_entries, entrants).cte(name)


def _delete_of(org_id: UUID, table: Table, entrants: CTE) -> Delete:
    return delete(table).where(
        table.c.org_id == org_id,
        table.c.automation_id == entrants.c.automation_id,
        table.c.end_user_id == entrants.c.end_user_id,
    )
