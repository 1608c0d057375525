"""Rings of series that start each other by their audiences (contract §22)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from halo_engine.domain.errors import shown
from halo_engine.domain.reasons import AudienceType, EntryTrigger, SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.series.catalogue import load_series
from halo_engine.series.checking.named_series import keys_in
from halo_engine.work import Work

#: Series that can enroll, now or once they are resumed.
_RUNNING: Final = (SeriesStatus.ACTIVE, SeriesStatus.PAUSED)

Ring = tuple[str, ...]


def named_by(series: Series) -> frozenset[str]:
    """Return the keys of the series whose stages let contacts enter ``series`` by its audience."""
    is_segment = series.audience_type is AudienceType.SEGMENT
    if series.entry_trigger is not EntryTrigger.SEGMENT_MATCH or not is_segment:
        return frozenset()
    return frozenset(keys_in(series.audience_filters))


def ring_of(series: Series, others: Iterable[Series]) -> Ring | None:
    """Return the shortest ring that ``series`` is in, from its first key; None if in none.

    Each series of a ring names the next one, the last one the first.
    """
    names = {each.key: named_by(each) for each in others} | {series.key: named_by(series)}
    return _shortest(series.key, names)


def endless_ring(work: Work, series: Series) -> str | None:
    """Return the refusal of a series that others start again and again, and it them (check 12)."""
    if not named_by(series) or not _may_repeat(series):
        return None
    loaded = load_series(work.connection, work.org_id, work.org.hours)
    others = [
        each
        for each in loaded
        if each.key != series.key and each.status in _RUNNING and _may_repeat(each)
    ]
    ring = ring_of(series, others)
    if ring is None:
        return None
    named = ", ".join(map(shown, ring))
    return f"Series {named} start each other without end: set reenroll_delay_days."


def _may_repeat(series: Series) -> bool:
    settings = series.settings
    return settings.reenroll_enabled and not settings.reenroll_delay_days


def _shortest(start: str, names: Mapping[str, frozenset[str]]) -> Ring | None:
    seen = {start}
    paths: list[Ring] = [(start,)]
    while paths:
        longer: list[Ring] = []
        for path in paths:
            for key in sorted(names.get(path[-1], ())):
                if key == start:
                    return _from_the_first(path)
                if key not in seen:
                    seen.add(key)
                    longer.append((*path, key))
        paths = longer
    return None


def _from_the_first(ring: Sequence[str]) -> Ring:
    first = ring.index(min(ring))
    return (*ring[first:], *ring[:first])
