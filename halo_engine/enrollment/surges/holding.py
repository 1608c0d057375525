"""Guard 12: whoever comes when a span is full is held, and everybody behind them (contract §19).

A batch is cut by one statement. As long as nobody is held, candidates enter in order of arrival;
the first of them with whom a span would hold too many is held, and so is everybody after. Which one
that is ``room`` says.
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
    Select,
    Table,
    Uuid,
    and_,
    any_,
    case,
    cast,
    delete,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.audience.moments import ANY_MOMENT
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.domain.times.surges import LONGEST
from halo_engine.enrollment.events import EVENT_ID, begins_with_event
from halo_engine.enrollment.surges.room import admitted
from halo_engine.sql.metadata import arrivals
from halo_engine.tables import discarded_entries, held_entries, surge_entries

_INSTANT: Final = DateTime(timezone=True)
_FORGOTTEN: Final = ANY_MOMENT.parameter(lambda at: at.now - LONGEST, _INSTANT)
_HELD: Final = ReasonCode.SURGE_HELD.value


def hold_back(org_id: UUID, series: Sequence[Series], verdicts: CTE) -> CTE:
    """Return the verdicts with guard 12: ``surge_held`` for each candidate that no other guard
    refuses and that may not enter yet. The caller holds the locks (``locks``).
    """
    return _with_those_held(verdicts, admitted(org_id, series, verdicts))


def arrival_order(candidates: FromClause) -> list[ColumnElement[Any]]:
    """Return how candidates arrive: by instant, then place in their batch, then creation."""
    place = [candidates.c.place] if "place" in candidates.c else []
    at = candidates.c
    return [at.entered_at, *place, at.contact_created_at, at.end_user_id]


def _with_those_held(verdicts: CTE, admits: CTE) -> CTE:
    """Return all verdicts; only those of series that cannot take everybody are put in order."""
    limited = select(admits.c.ordinal)
    columns = [verdicts.c[each.name] for each in verdicts.c if each.name != "code"]
    free = select(*columns, verdicts.c.code).where(verdicts.c.ordinal.not_in(limited))
    return free.union_all(_cut(verdicts, admits)).cte("with_those_held").prefix_with("MATERIALIZED")


def _cut(verdicts: CTE, admits: CTE) -> Select[Any]:
    """Return the verdicts of the series that admit so many, ``surge_held`` for those behind."""
    enters = verdicts.c.code.is_(None)
    before = func.count().filter(enters)
    ranked = (
        select(
            verdicts,
            admits.c.last,
            # Those before it, itself included, who would enter.
            before.over(
                partition_by=verdicts.c.ordinal, order_by=arrival_order(verdicts), rows=(None, 0)
            ).label("before"),
        )
        .select_from(verdicts.join(admits, admits.c.ordinal == verdicts.c.ordinal))
        .subquery("ranked")
    )
    is_held = and_(ranked.c.code.is_(None), ranked.c.before > ranked.c.last)
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
    return select(*kept, code.label("code"))


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
