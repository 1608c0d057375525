"""What surges left behind: who is held, and who was discarded (contract §19).

Mostly nobody is. A statement that enrolls then asks nothing about them of its candidates.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, Table, any_, exists, select

from halo_engine.domain.series.definition import Series
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.tables import discarded_entries, held_entries
from halo_engine.work import Work


class Traces(NamedTuple):
    """Whether anybody is held, and whether anybody was discarded."""

    held: bool
    discards: bool


EVERY_TRACE: Final = Traces(held=True, discards=True)
_NONE: Final = Traces(held=False, discards=False)


def find_traces(work: Work, series: Sequence[Series]) -> Traces:
    """Return what surges left in any of the series; under their locks (``locks``) nobody is held or
    discarded before the transaction ends.
    """
    asked = [each.id for each in series if each.has_surges]
    if not asked:
        return _NONE
    values = {"org_id": work.org_id, "series_ids": asked}
    [row] = _finding().rows(work.connection, values)
    return Traces(**row)


@prepared("find_surge_traces")
def _finding() -> Select[Any]:
    held, discards = _is_any(held_entries), _is_any(discarded_entries)
    return select(held.label("held"), discards.label("discards"))


def _is_any(table: Table) -> Any:
    return exists().where(
        table.c.org_id == parameter("org_id"),
        table.c.automation_id == any_(parameter("series_ids")),
    )
