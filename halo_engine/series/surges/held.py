"""How many contacts a series' surge holds (contract §19)."""

from typing import Any

from sqlalchemy import Select, func, select

from halo_engine.domain.series.definition import Series
from halo_engine.sql.statements import statement
from halo_engine.tables import held_entries
from halo_engine.work import Work


def count_held(work: Work, series: Series) -> int:
    """Return how many contacts ``series`` holds; no statement if it never had a surge."""
    if not series.has_surges:
        return 0
    number: int = work.connection.execute(_count_held(work, series)).scalar_one()
    return number


@statement("count_held")
def _count_held(work: Work, series: Series) -> Select[Any]:
    held = held_entries
    return select(func.count()).where(
        held.c.org_id == work.org_id, held.c.automation_id == series.id
    )
