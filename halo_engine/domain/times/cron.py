"""When a cron expression fires, on the organisation's clock (contract §1, §4).

An expression that names hours (``30 2 * * *``) means wall clock times: a time that a clock change
skips fires at the first instant after the gap; one that comes twice fires only the first time. An
expression for every hour (``*/15 * * * *``) means an interval, which a clock change does not break.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import heappop, heappush
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter

from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.times.instants import from_wall_clock, to_wall_clock

_LONGEST: Final = 200
#: No clock goes back by more at once; the largest step is two hours (Troll).
_LONGEST_REPEAT: Final = timedelta(hours=3)
# Jenkins' hashed and random fields are refused: nobody could predict when they fire.
_HASHED_OR_RANDOM: Final = re.compile(r"(?<![a-z])[hr](?![a-z])", re.IGNORECASE)


def parse_cron(text: object, field: str = "reevaluate_cron") -> str:
    """Return the expression ``text`` if it has five fields and fires; else raise a 400."""
    if isinstance(text, str) and len(text) <= _LONGEST and _is_sound(text):
        return text
    problem = (
        f"{shown(text)} is not a cron expression; allowed are five fields (minute, hour, day, "
        "month, weekday) such as */15 * * * *, without H and R"
    )
    raise bad_input(field, problem, "bad_cron")


def next_instant(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first instant after ``after`` at which ``cron`` fires in ``zone``."""
    return next(_instants(cron, zone, after))


def instants_between(
    cron: str, zone: ZoneInfo, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Yield in order the instants at which ``cron`` fires: after ``after``, up to ``until``."""
    return takewhile(lambda instant: instant <= until, _instants(cron, zone, after))


def _instants(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    if _is_paced(cron):
        yield from _pace(cron, zone, after)
    latest = after
    times = croniter(cron, to_wall_clock(after, zone))
    while True:
        instant = from_wall_clock(times.get_next(datetime), zone)
        # All times of a skipped hour give the same instant; those of a repeated hour were yielded
        # the first time.
        if instant > latest:
            latest = instant
            yield instant


def _pace(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield the instants at which the clock shows a time of ``cron``.

    A skipped time has none, a repeated one has two. (croniter leaves out the second if the clock
    goes back by less than an hour.)
    """
    shown = to_wall_clock(after, zone)
    # Start earlier: a time that comes again was shown before ``after``.
    times = croniter(cron, max(shown, datetime.min + _LONGEST_REPEAT) - _LONGEST_REPEAT)  # noqa: DTZ901
    waiting: list[datetime] = []
    while True:
        local = times.get_next(datetime)
        instants = _instants_of(local, zone)
        # No later time is shown before this one for the first time, so earlier instants can be
        # yielded.
        while waiting and instants and waiting[0] < instants[0]:
            yield heappop(waiting)
        for instant in instants:
            if instant > after:
                heappush(waiting, instant)


def _instants_of(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the instants at which the clock in ``zone`` shows ``local``, the first one first."""
    both = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(each for each in both if to_wall_clock(each, zone) == local)


@lru_cache(maxsize=256)
def _is_paced(cron: str) -> bool:
    hours = croniter.expand(cron)[0][1]
    return hours == ["*"] or len(hours) == 24


def _is_sound(text: str) -> bool:
    if len(text.split()) != 5 or _HASHED_OR_RANDOM.search(text):
        return False
    try:
        croniter.expand(text, strict=True)
        croniter(text, datetime(2024, 1, 1)).get_next()  # noqa: DTZ001 -- a wall clock time
    except CroniterError:
        return False
    return True
