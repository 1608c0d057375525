"""What of surges concerns a batch: who is held, who was discarded, whether a span may become too
full (contract §19).

Mostly it is none of them. The statement that enrolls then asks nothing of its candidates.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Select, Table, Uuid, any_, exists, func, select

from halo_engine.domain.series.definition import Series
from halo_engine.enrollment.candidates import Entrants
from halo_engine.sql.metadata import INSTANT
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.rows import asked_values, rows_asked
from halo_engine.tables import discarded_entries, held_entries, surge_entries
from halo_engine.work import Work


class Traces(NamedTuple):
    """Whether anybody is held, anybody was discarded, and a span may become too full."""

    held: bool
    discards: bool
    tight: bool

    @property
    def may_hold(self) -> bool:
        """Whether somebody of a batch may be held: behind others, or where a span is full."""
        return self.held or self.tight


EVERY_TRACE: Final = Traces(held=True, discards=True, tight=True)
_NONE: Final = Traces(held=False, discards=False, tight=False)
#: How many more than those who come may have begun ``since``, in each series that has a bound.
_BOUNDS: Final = rows_asked(
    "bounds", {"automation_id": Uuid(), "room": BigInteger(), "since": INSTANT}
)


def find_traces(work: Work, series: Sequence[Series], coming: Entrants | None = None) -> Traces:
    """Return what surges left in any of the series, and whether those who are ``coming`` fit in.

    Under the locks of the surges (``locks``) it stays so until the transaction ends.
    """
    asked = [each for each in series if each.has_surges]
    if not asked:
        return _NONE
    values = {"org_id": work.org_id, "series_ids": [each.id for each in asked]}
    [row] = _finding().rows(work.connection, {**values, **_bounds(asked, coming)})
    return Traces(**row)


def _bounds(series: Sequence[Series], coming: Entrants | None) -> dict[str, Any]:
    bounds: list[tuple[Any, ...]] = []
    if coming is not None and not coming.planned:
        first, who = min(coming.instants), coming.contact_ids
        for each in series:
            surge, most = each.settings.surge, each.surge_at_most
            if surge is not None and most is not None:
                room = -1 if who is None else most - len(who)
                bounds.append((each.id, room, first - surge.within))
    columns = zip(*bounds, strict=True) if bounds else ((), (), ())
    return asked_values(
        "bounds", dict(zip(("automation_id", "room", "since"), columns, strict=True))
    )


@prepared("find_surge_traces")
def _finding() -> Select[Any]:
    held, discards = _is_any(held_entries), _is_any(discarded_entries)
    taken = (
        select(func.coalesce(func.sum(surge_entries.c.entries), 0))
        .where(
            surge_entries.c.org_id == parameter("org_id"),
            surge_entries.c.automation_id == _BOUNDS.c.automation_id,
            surge_entries.c.began_at > _BOUNDS.c.since,
        )
        .correlate(_BOUNDS)
        .scalar_subquery()
    )
    tight = exists(select(_BOUNDS).where(taken > _BOUNDS.c.room))
    return select(held.label("held"), discards.label("discards"), tight.label("tight"))


def _is_any(table: Table) -> Any:
    return exists().where(
        table.c.org_id == parameter("org_id"),
        table.c.automation_id == any_(parameter("series_ids")),
    )
