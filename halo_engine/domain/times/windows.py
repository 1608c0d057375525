"""Send windows: the days and hours in which an email step may send (contract §5).

A window opens once on each of its days and is half-open: ``from`` counts, ``to`` does not. One that
passes midnight belongs to the day it opens. Both ends follow the clock on the wall: a time that a
change of the clock skips is the first instant after the gap, one that comes twice is its first.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import count
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from halo_engine.domain.errors import in_its_place, shown
from halo_engine.domain.times.instants import from_wall_clock, parse_zone, to_wall_clock

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Weekday(StrEnum):
    """The days of the week, Monday first, as windows name them."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


EVERY_DAY: Final = tuple(Weekday)
#: Instead of a zone's name: the zone that a contact is in (contract §20).
CONTACT: Final = "contact"
_zone_in_place: Final = in_its_place(parse_zone)


def clock_name(name: str | None) -> str | None:
    """Return the name of a clock if it is one: a zone, ``contact``, or None for the
    organisation's.
    """
    return name if name in (None, CONTACT) else _zone_in_place(name).key


def clock_of(name: str | None, zone: ZoneInfo, contact: ZoneInfo | None) -> ZoneInfo:
    """Return the zone that a clock's name means; ``zone`` is the organisation's, ``contact`` that
    of the contact, if it is known.
    """
    if name == CONTACT:
        return contact or zone
    return zone if name is None else parse_zone(name)


def _parse_time(value: object) -> time:
    if isinstance(value, time):
        return value
    if isinstance(value, str) and _TIME.fullmatch(value):
        return time.fromisoformat(value)
    raise ValueError(f"{shown(value)} is not a time; allowed is HH:MM from 00:00 to 23:59")


ClockTime = Annotated[
    time,
    BeforeValidator(_parse_time),
    PlainSerializer(lambda value: f"{value:%H:%M}", return_type=str),
]


class SendWindow(BaseModel):
    """A send window, written ``{days, from, to, timezone}`` (contract §5).

    Without a ``timezone`` it is read in the organisation's. One that is empty, without days or with
    ``from`` equal to ``to``, is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    days: tuple[Weekday, ...] = Field(description="The days on which the window opens.")
    opens: ClockTime = Field(alias="from", description="When it opens, as HH:MM.")
    closes: ClockTime = Field(
        alias="to", description="When it closes, as HH:MM; earlier than `from` is the next day."
    )
    timezone: str | None = Field(
        default=None,
        description="On which clock, as Europe/Berlin, or `contact` for the contact's own (trait "
        "`timezone`); the organisation's if unset.",
    )

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str | None) -> str | None:
        return clock_name(name)

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if not self.days:
            raise ValueError(f"days is empty; allowed are one or more of {', '.join(Weekday)}")
        if self.opens == self.closes:
            raise ValueError(f"from and to are both {self.opens:%H:%M}; they must differ")
        return self

    def contains(self, instant: datetime, zone: ZoneInfo, contact: ZoneInfo | None = None) -> bool:
        """Return whether an email may be sent at ``instant``; ``zone`` is the organisation's."""
        return self.next_opening(instant, zone, contact) == instant

    def next_opening(
        self, instant: datetime, zone: ZoneInfo, contact: ZoneInfo | None = None
    ) -> datetime:
        """Return the first instant at or after ``instant`` that lies in the window."""
        opens, _ = next(self.openings_from(instant, clock_of(self.timezone, zone, contact)))
        return max(opens, instant)

    def openings_from(
        self, instant: datetime, zone: ZoneInfo
    ) -> Iterator[tuple[datetime, datetime]]:
        """Yield when it opens and closes on the clock of ``zone``, in order, without end; the first
        closes after ``instant``.
        """
        return (
            (opens, closes)
            for opens, closes in self._openings(instant, zone)
            # A change of the clock can skip a whole opening.
            if opens < closes and instant < closes
        )

    def _openings(self, instant: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        # Yesterday's may still be open, as may tomorrow's where the clock goes back at midnight.
        today = to_wall_clock(instant, zone).date()
        for offset in count(-1):
            day = today + timedelta(days=offset)
            if EVERY_DAY[day.weekday()] in self.days:
                yield _opening(self, day, zone)


@lru_cache(maxsize=1024)
def _opening(window: SendWindow, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    last = day if window.opens < window.closes else day + timedelta(days=1)
    return (
        from_wall_clock(datetime.combine(day, window.opens), zone),
        from_wall_clock(datetime.combine(last, window.closes), zone),
    )
