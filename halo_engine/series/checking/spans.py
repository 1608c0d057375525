"""How far back a series' filters count events, and whether those are kept as long (§22, §24)."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from halo_engine.domain.errors import Fault, Path, Refusal, conflict, shown, together
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import Series, SeriesDefinition
from halo_engine.domain.series.settings import FILTER_SETTINGS
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.retention import History, Keeps, written_span
from halo_engine.series.catalogue import load_series
from halo_engine.series.histories import complete_since
from halo_engine.work import Work

_ZERO: Final = timedelta(0)


class CountedSpan(NamedTuple):
    """A part of a definition, or a setting, that counts what is kept; how far back from now."""

    path: Path
    span: timedelta


def counted_spans(series: Series | SeriesDefinition) -> Iterator[CountedSpan]:
    """Yield each filter with a span, and the window of a goal that counts events."""
    settings = series.settings
    yield from _within(("audience_filters",), series.audience_filters)
    for name in FILTER_SETTINGS:
        yield from _within(("settings", name), getattr(settings, name))
    if settings.goal_enabled and _names_events(settings.goal_filters):
        window = timedelta(days=settings.goal_window_days)
        yield CountedSpan(("settings", "goal_window_days"), window)


def _within(path: Path, groups: FilterGroups) -> Iterator[CountedSpan]:
    for g, group in enumerate(groups):
        for n, item in enumerate(group):
            if item.within is not None:
                yield CountedSpan((*path, g, n, "within"), item.within)


def _names_events(groups: FilterGroups) -> bool:
    return any(item.target.entity is Entity.EVENT for group in groups for item in group)


def longest_span(series: Series) -> timedelta:
    """Return how far back from now a series counts events."""
    return max((each.span for each in counted_spans(series)), default=_ZERO)


def refuse_longer_than_kept(work: Work, key: str, definition: SeriesDefinition) -> None:
    """Raise a 400 that names each part of ``longer_than_kept``."""
    refusals = longer_than_kept(work, key, definition)
    if refusals:
        raise together(refusals)


def longer_than_kept(work: Work, key: str, definition: SeriesDefinition) -> list[Refusal]:
    """Return a 400 for each part that counts events further back than they are kept, or than they
    are there: what was deleted is not back when they are kept longer (contract §22).
    """
    spans = list(counted_spans(definition))
    if not spans:
        return []
    faults = beyond_what_is_kept(work, History.EVENTS, work.org.keeps, spans)
    return [each.refusal(f"series.{key}") for each in faults]


def beyond_what_is_kept(
    work: Work, history: History, keeps: Keeps, spans: Iterable[CountedSpan]
) -> list[Fault]:
    """Return what is wrong with each span that is longer than a history is kept, or than it goes
    back.
    """
    since = complete_since(work, history)
    there = None if since is None else work.now - since
    bounds = [bound for bound in (keeps[history], there) if bound is not None]
    if not bounds:
        return []
    allowed = min(bounds)
    return [
        Fault(each.path, _problem(history, each.span, allowed, since), "longer_than_kept")
        for each in spans
        if each.span > allowed
    ]


def _problem(history: History, span: timedelta, allowed: timedelta, since: datetime | None) -> str:
    whole_days = format_duration(timedelta(days=allowed.days))
    there = "" if since is None else f", and those since {since:%Y-%m-%d} are there"
    return (
        f"{shown(format_duration(span))} is longer than {history.value} are kept{there}; allowed "
        f"are spans up to {whole_days}"
    )


def refuse_shorter_than_counted(work: Work, keeps: Keeps) -> None:
    """Raise a 409 if events would be kept for a shorter time than a series counts them."""
    kept = keeps[History.EVENTS]
    if kept is None:
        return
    all_states = list(SeriesStatus)
    for series in load_series(work.connection, work.org_id, work.org.hours, statuses=all_states):
        needed = longest_span(series)
        if series.status is not SeriesStatus.COMPLETED and needed > kept:
            raise conflict(
                "counted_longer",
                f"keeps.events: {shown(written_span(kept))} is too short: series "
                f"{shown(series.key)} counts events of the last {format_duration(needed)}.",
            )
