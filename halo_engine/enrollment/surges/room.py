"""How many may enter a series before a span is full: a sweep over the instants (contract §19).

Each entry counts from its instant until the span has passed, so at every instant the running sum is
what the span that ends there holds. Where all who arrive fit into one span nothing is swept.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Interval,
    and_,
    case,
    exists,
    func,
    literal,
    select,
    union_all,
)

from halo_engine.domain.series.definition import Series
from halo_engine.sql.rows import rows_of
from halo_engine.tables import held_entries, surge_entries


def admitted(org_id: UUID, series: Sequence[Series], verdicts: CTE) -> CTE:
    """Return how many of the candidates may enter the series that cannot take all of them, as
    ``ordinal`` and ``last``: nobody where somebody is held.
    """
    arriving = _arriving(verdicts, _surges(series))
    spans = _spans(arriving)
    return _admits(org_id, arriving, spans, _tight(org_id, spans))


def _surges(series: Sequence[Series]) -> FromClause:
    """Return the series that have surges by their ordinals; without bounds if theirs is gone."""
    having = [(n, each) for n, each in enumerate(series) if each.has_surges]
    spans = [each.settings.surge and each.settings.surge.within for _, each in having]
    return rows_of(
        "surges",
        {
            "ordinal": (BigInteger(), [n for n, _ in having]),
            "at_most": (BigInteger(), [each.surge_at_most for _, each in having]),
            "within": (Interval(), spans),
        },
    )


def _arriving(verdicts: CTE, surges: FromClause) -> FromClause:
    """Return the candidates who would enter series that have surges, with the bounds of these."""
    v = verdicts.c
    return (
        select(v.ordinal, v.automation_id, v.entered_at, surges.c.at_most, surges.c.within)
        .select_from(verdicts.join(surges, surges.c.ordinal == v.ordinal))
        .where(v.code.is_(None))
        .subquery("arriving")
    )


def _spans(arriving: FromClause) -> CTE:
    """Return for each series how many arrive, and the first of them."""
    of = arriving.c
    whose = of.ordinal, of.automation_id, of.at_most, of.within
    first = func.min(of.entered_at).label("first")
    arrive = func.count().label("arrive")
    return select(*whose, first, arrive).group_by(*whose).cte("spans").prefix_with("MATERIALIZED")


def _known(org_id: UUID, spans: FromClause) -> ColumnElement[bool]:
    """Return which entries may be in one span with those who arrive."""
    return and_(
        surge_entries.c.org_id == org_id,
        surge_entries.c.automation_id == spans.c.automation_id,
        surge_entries.c.began_at > spans.c.first - spans.c.within,
    )


def _tight(org_id: UUID, spans: CTE) -> CTE:
    """Return the series that may become too full; where all fit in one span no sweep is needed."""
    known = select(func.coalesce(func.sum(surge_entries.c.entries), 0)).where(_known(org_id, spans))
    taken = known.correlate(spans).scalar_subquery()
    return (
        select(spans)
        .where(spans.c.at_most.is_not(None), spans.c.arrive + taken > spans.c.at_most)
        .cte("tight")
        .prefix_with("MATERIALIZED")
    )


def _admits(org_id: UUID, arriving: FromClause, spans: CTE, tight: CTE) -> CTE:
    room = _room(org_id, arriving, tight)
    waiting = exists().where(
        held_entries.c.org_id == org_id, held_entries.c.automation_id == spans.c.automation_id
    )
    last = case((waiting, literal(0, BigInteger())), else_=room.c.last).label("last")
    found = (
        select(spans.c.ordinal, last)
        .select_from(spans.outerjoin(room, room.c.ordinal == spans.c.ordinal))
        .subquery("found")
    )
    limited = select(found).where(found.c.last.is_not(None))
    return limited.cte("admits").prefix_with("MATERIALIZED")


def _room(org_id: UUID, arriving: FromClause, tight: CTE) -> CTE:
    """Return for each series in which a span would be too full the last candidate before that."""
    entries = surge_entries
    one, number = literal(1, BigInteger()), entries.c.entries
    nobody = literal(0, BigInteger())
    come = arriving.join(tight, tight.c.ordinal == arriving.c.ordinal)
    known = tight.join(entries, _known(org_id, tight))
    begins, began, within = arriving.c.entered_at, entries.c.began_at, tight.c.within
    steps = union_all(
        select(
            tight.c.ordinal, begins.label("at"), one.label("come"), nobody.label("were")
        ).select_from(come),
        select(tight.c.ordinal, begins + within, -one, nobody).select_from(come),
        select(tight.c.ordinal, began, nobody, number).select_from(known),
        select(tight.c.ordinal, began + within, nobody, -number).select_from(known),
    ).subquery("steps")
    ordinal, at, comes, were = steps.c
    window: dict[str, Any] = {"partition_by": ordinal, "order_by": at}
    sums = select(
        ordinal.label("ordinal"),
        func.sum(comes).over(**window).label("inside"),
        func.sum(were).over(**window).label("taken"),
        func.sum(func.greatest(comes, 0)).over(**window).label("so_far"),
    ).subquery("sums")
    free = func.greatest(tight.c.at_most - sums.c.taken, 0)
    return (
        select(tight.c.ordinal, func.min(sums.c.so_far - sums.c.inside + free).label("last"))
        .select_from(sums.join(tight, tight.c.ordinal == sums.c.ordinal))
        .where(sums.c.inside > free)
        .group_by(tight.c.ordinal)
        .cte("room")
    )
