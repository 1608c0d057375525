"""A cache of running series: to read, check and index them costs more than to use them.

Every change of a series writes its row, and so gives it a new version (``sql.versions``). The
versions of an organisation's series are read as one text; while that is the same, the cache is
valid.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Engine,
    Select,
    any_,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from halo_engine.domain.reasons import EntryTrigger, SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.running import RunningSeries, SetAsideSeries
from halo_engine.domain.times.quiet_hours import Hours
from halo_engine.series.catalogue import RUNNING, UnreadableDefinition, read_series
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.versions import row_version
from halo_engine.tables import automations
from halo_engine.work import Work

#: How many series a process caches: those of the organisations that were used last.
_ROOM: Final = 5_000

#: A series and its version, as text; the id comes first.
_VERSION: Final = func.concat(automations.c.id, " ", row_version(automations))


@dataclass(frozen=True, slots=True)
class _Kept:
    """An organisation's running series, as of these versions, read with the hours of the
    organisation.
    """

    versions: str
    hours: Hours
    running: RunningSeries
    by_version: Mapping[str, Series | UnreadableDefinition]


#: The key includes the database: several may hold copies of an organisation.
_Whose = tuple[Engine, UUID]
_shelf: OrderedDict[_Whose, _Kept] = OrderedDict()
_access = Lock()


def running_series(work: Work) -> RunningSeries:
    """Return the organisation's running series (contract §1).

    One statement if none changed since the last call, else four. The caller holds the series lock.
    """
    asked = {"org_id": work.org_id, "statuses": [str(each) for each in RUNNING]}
    [row] = _reading_versions().rows(work.connection, asked)
    versions, hours = row["versions"] or "", work.org.hours
    whose = work.connection.engine, work.org_id
    kept = _taken(whose)
    if kept is not None and (kept.versions, kept.hours) == (versions, hours):
        return kept.running
    known = kept.by_version if kept is not None and kept.hours == hours else {}
    found = _read(work, _each(versions), known)
    running = RunningSeries(
        tuple(each for each in found.values() if isinstance(each, Series)),
        {
            each.id: _aside(each)
            for each in found.values()
            if isinstance(each, UnreadableDefinition)
        },
    )
    _keep(whose, _Kept(versions, hours, running, found))
    return running


@prepared("read_series_versions")
def _reading_versions() -> Select[Any]:
    in_order = aggregate_order_by(literal(","), automations.c.created_at, automations.c.id)
    return select(func.string_agg(_VERSION, in_order).label("versions")).where(
        automations.c.org_id == parameter("org_id"),
        automations.c.status == any_(parameter("statuses")),
    )


def _read(
    work: Work, versions: Sequence[str], known: Mapping[str, Series | UnreadableDefinition]
) -> dict[str, Series | UnreadableDefinition]:
    """Return the series of these versions; read those that are not ``known``."""
    missing = {UUID(each[:36]): each for each in versions if each not in known}
    read: dict[str, Series | UnreadableDefinition] = {}
    if missing:
        found = read_series(work.connection, work.org_id, work.org.hours, ids=missing)
        read = {missing[series.id]: series for series in found}
    return {each: known[each] if each in known else read[each] for each in versions}


def _aside(series: UnreadableDefinition) -> SetAsideSeries:
    """Set a series that cannot be read aside. No signal of a contact has to wait for a manual or a
    completed one.
    """
    waits = series.status != SeriesStatus.COMPLETED and series.entry_trigger != EntryTrigger.MANUAL
    return SetAsideSeries(series.key, series.why, waits_for_signals=waits)


def _each(versions: str) -> list[str]:
    return versions.split(",") if versions else []


def _taken(whose: _Whose) -> _Kept | None:
    with _access:
        if whose in _shelf:
            _shelf.move_to_end(whose)
        return _shelf.get(whose)


def _keep(whose: _Whose, kept: _Kept) -> None:
    with _access:
        _shelf.pop(whose, None)
        _shelf[whose] = kept
        taken = sum(map(_room, _shelf.values()))
        while taken > _ROOM and len(_shelf) > 1:
            taken -= _room(_shelf.popitem(last=False)[1])


def _room(kept: _Kept) -> int:
    return 1 + len(kept.by_version)
