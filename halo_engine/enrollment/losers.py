"""Who loses where seats and addresses depend on each other: gathered in SQL, decided in Python.

``contest`` settles each guard by itself. That is exact unless somebody who would have got a
company's seat is refused for the address: then everybody who contends is judged again, in order of
creation (``domain.entering.contests``). It is rare, and asked only of series with both settings.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, or_, select

from halo_engine.audience.moments import ANY_MOMENT, When
from halo_engine.domain.entering.contests import Contender, losers_of
from halo_engine.domain.series.definition import Series
from halo_engine.enrollment.candidates import Candidates, Entrants
from halo_engine.enrollment.contest import LOSERS
from halo_engine.enrollment.guards import AS_SAVED, AfterSave, as_they_stand
from halo_engine.enrollment.rules import have_both
from halo_engine.sql.cache import StatementCache
from halo_engine.sql.rows import asked_values
from halo_engine.sql.statements import statement
from halo_engine.work import Work

#: Keyed by organisation, shape of the candidates, and series.
_KEPT: Final = StatementCache()


def losers(work: Work, series: Sequence[Series], candidates: Entrants) -> Mapping[str, Any]:
    """Return who does not enter, as parameters of the statement that enrolls (``contest``)."""
    if not have_both(series):
        return {}
    statement = _KEPT.get(
        (work.org_id, candidates.shape, tuple(series)),
        lambda: _find_contenders(work.org_id, series, ANY_MOMENT, candidates, AS_SAVED),
        size=len(series),
    )
    return _lost(statement.rows(work.connection, candidates.values, work.moment))


def foreseen_losers(
    work: Work, series: Sequence[Series], candidates: Candidates, save: AfterSave = AS_SAVED
) -> Mapping[str, Any]:
    """Return the same for a statement that foresees who enters."""
    if not have_both(series):
        return {}
    asked = _find_contenders(work.org_id, series, work.moment, candidates, save)
    return _lost(work.connection.execute(asked).mappings().all())


def _lost(rows: Iterable[Mapping[Any, Any]]) -> Mapping[str, Any]:
    found = list(losers_of(Contender(**row) for row in rows))
    return asked_values(
        LOSERS,
        {
            "end_user_id": [each.contact_id for each in found],
            "ordinal": [each.ordinal for each in found],
            "lost": [each.code.value for each in found],
        },
    )


@statement("find_contenders", moment=ANY_MOMENT, save=AS_SAVED)
def _find_contenders(
    org_id: UUID,
    series: Sequence[Series],
    moment: When,
    candidates: Candidates,
    save: AfterSave,
) -> Select[Any]:
    """Find who shares a seat or an address with others of the set; nobody, where the guards can be
    settled one by one.
    """
    judged = as_they_stand(org_id, series, moment, candidates, save)
    free = (
        select(
            judged.c.ordinal,
            judged.c.end_user_id.label("contact_id"),
            judged.c.contact_created_at,
            judged.c.seat,
            judged.c.held_address,
        )
        .where(judged.c.guard.is_(None))
        .subquery("free")
    )
    placed = select(
        free,
        _place(free, free.c.seat).label("place"),
        _sharing(free, free.c.seat).label("colleagues"),
        _sharing(free, free.c.held_address).label("namesakes"),
    ).subquery("placed")
    has_seat = or_(placed.c.seat.is_(None), placed.c.place == 1)
    within = _place(placed, placed.c.held_address, has_seat)
    loses = and_(has_seat, placed.c.held_address.is_not(None), within > 1, placed.c.colleagues > 1)
    settled = select(placed, loses.label("leaves_seat")).subquery("settled")
    decided = select(
        settled, func.bool_or(settled.c.leaves_seat).over().label("is_contested")
    ).subquery("decided")
    return (
        select(
            decided.c.ordinal,
            decided.c.contact_id,
            decided.c.seat,
            decided.c.held_address.label("address"),
        )
        .where(decided.c.is_contested, or_(decided.c.colleagues > 1, decided.c.namesakes > 1))
        .order_by(decided.c.contact_created_at, decided.c.contact_id)
    )


def _place(
    rows: FromClause, shared: ColumnElement[Any], *apart: ColumnElement[Any]
) -> ColumnElement[int]:
    return func.row_number().over(
        partition_by=(rows.c.ordinal, shared, *apart),
        order_by=(rows.c.contact_created_at, rows.c.contact_id),
    )


def _sharing(rows: FromClause, shared: ColumnElement[Any]) -> ColumnElement[int]:
    """Return how many share it; nobody shares what is missing."""
    return func.count(shared).over(partition_by=(rows.c.ordinal, shared))
