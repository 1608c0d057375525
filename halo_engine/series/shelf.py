"""Series kept ready between batches: reading and checking a definition costs more than using it.

A series is kept under the version of its row, which whatever changes the series writes.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from threading import Lock
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Text, Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series import Series
from halo_engine.prepared import Prepared
from halo_engine.series.catalogue import RUNNING, load_series
from halo_engine.tables import automations
from halo_engine.tables.versions import row_version

#: How many series a process keeps, the most recently used.
_ROOM: Final = 5_000

_RUNNING: Final = Prepared(
    select(automations.c.id, row_version(automations).label("version"))
    .where(
        automations.c.org_id == bindparam("asked_org", type_=Uuid()),
        automations.c.status == any_(bindparam("asked_statuses", type_=ARRAY(Text()))),
    )
    .order_by(automations.c.created_at, automations.c.id)
)

_Place = tuple[UUID, int, str]
_shelf: OrderedDict[_Place, Series] = OrderedDict()
_access = Lock()


def running_series(
    connection: Connection,
    org_id: UUID,
    zone: ZoneInfo,
    statuses: Collection[SeriesStatus] = RUNNING,
) -> tuple[Series, ...]:
    """Return the organisation's series in these states, in order of creation (contract §1).

    One statement when all are on the shelf, else four. The caller holds the series still.
    """
    asked = {"asked_org": org_id, "asked_statuses": [str(each) for each in statuses]}
    places: list[_Place] = [
        (row["id"], row["version"], zone.key) for row in _RUNNING.rows(connection, asked)
    ]
    found = _taken(places)
    missing = {place[0]: place for place in places if place not in found}
    if missing:
        for series in load_series(connection, org_id, zone, statuses=statuses, ids=missing):
            found[missing[series.id]] = series
        _keep(found)
    return tuple(found[place] for place in places)


def _taken(places: Sequence[_Place]) -> dict[_Place, Series]:
    with _access:
        found = {place: _shelf[place] for place in places if place in _shelf}
        for place in found:
            _shelf.move_to_end(place)
        return found


def _keep(found: dict[_Place, Series]) -> None:
    with _access:
        _shelf.update(found)
        while len(_shelf) > _ROOM:
            _shelf.popitem(last=False)
