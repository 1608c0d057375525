"""When an hour of a series is far below its usual one (contract §10).

The usual count of an hour is what the same hour of the week had before: of the four weeks before,
the second lowest count. So three of the four had as many or more, and one quiet week, a holiday or
a pause of a week, changes nothing.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

#: So many weeks before are compared with, and so many hours in a row must be low.
WEEKS: Final = 4
HOURS: Final = 2
#: Usual counts below this are too small to judge by.
LEAST_USUAL: Final = 20
#: An hour is far below with at most one in so many of the usual.
FAR_BELOW: Final = 4


class Activity(StrEnum):
    """What is counted by the hour."""

    ENTRIES = "entries"
    SENDS = "sends"
    OPENS = "opens"


class Hour(NamedTuple):
    """How many there were in an hour, and in the same hour of the week in each of the weeks
    before.
    """

    number: int
    before: Sequence[int]

    @property
    def usual(self) -> int:
        """The second lowest count of the weeks before."""
        return sorted(self.before)[1]

    @property
    def is_far_below(self) -> bool:
        """Whether the usual is enough to judge by, and this far less."""
        return self.usual >= LEAST_USUAL and self.number * FAR_BELOW <= self.usual


def are_far_below(hours: Sequence[Hour]) -> bool:
    """Return whether each of the last whole hours is far below its usual one."""
    return len(hours) == HOURS and all(hour.is_far_below for hour in hours)
