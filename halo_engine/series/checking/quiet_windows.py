"""Emails that can never be sent: their windows lie inside the quiet hours (contract §8, §20)."""

from collections.abc import Iterator

from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.quiet_hours import Hours
from halo_engine.series.catalogue import load_series
from halo_engine.work import Work


def swallowed_windows(series: Series) -> Iterator[str]:
    """Yield the message of check 10 for each email whose window lies inside the quiet hours of the
    same clock.
    """
    for step in series.steps:
        if series.times(step).never_meet:
            yield f"Step ‘{step.key}’: its send window lies inside the quiet hours."


def swallowed_series(work: Work, hours: Hours) -> tuple[str, ...]:
    """Return the keys of series, active or paused, with such an email under an organisation's
    ``hours``.
    """
    statuses = (SeriesStatus.ACTIVE, SeriesStatus.PAUSED)
    found = load_series(work.connection, work.org_id, hours, statuses=statuses)
    return tuple(each.key for each in found if any(swallowed_windows(each)))
