"""Quiet hours, and when an email may be sent: outside of them and in its window (contract §20).

Both are daily times on the clock of some zone, which may be the contact's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Final, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from halo_engine.domain.times.durations import LONGEST
from halo_engine.domain.times.frequency import FrequencyCaps
from halo_engine.domain.times.windows import (
    CONTACT,
    EVERY_DAY,
    ClockTime,
    SendWindow,
    clock_name,
    clock_of,
)

#: A contact for whom window and quiet hours do not meet within this is passed over.
FURTHEST: Final = timedelta(days=8)

UTC: Final = ZoneInfo("UTC")


class QuietHours(BaseModel):
    """An organisation's quiet hours, written ``{from, to, timezone}``: every day, no marketing.

    Half-open: ``from`` is quiet, ``to`` is not. Where both are equal they are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    begins: ClockTime = Field(alias="from", description="When they begin, as HH:MM.")
    ends: ClockTime = Field(
        alias="to", description="When they end, as HH:MM; earlier than `from` is the next day."
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
        if self.begins == self.ends:
            raise ValueError(f"from and to are both {self.begins:%H:%M}; they must differ")
        return self

    @property
    def rest(self) -> SendWindow:
        """The hours that are not quiet, as a window of every day."""
        return _rest(self)

    def swallow(self, window: SendWindow) -> bool:
        """Return whether the window lies inside the quiet hours on every day, on one clock."""
        begins, length = _span(self.begins, self.ends)
        opens, open_for = _span(window.opens, window.closes)
        return (opens - begins) % _DAY + open_for <= length


@lru_cache(maxsize=1024)
def _rest(quiet: QuietHours) -> SendWindow:
    given = {"days": EVERY_DAY, "from": quiet.ends, "to": quiet.begins}
    return SendWindow.model_validate({**given, "timezone": quiet.timezone})


_DAY: Final = timedelta(days=1)


def _span(first: ClockTime, last: ClockTime) -> tuple[timedelta, timedelta]:
    """Return when a daily span begins, after midnight, and how long it is."""
    begins = timedelta(hours=first.hour, minutes=first.minute)
    ends = timedelta(hours=last.hour, minutes=last.minute)
    return begins, (ends - begins) % _DAY


def parsed_quiet_hours(stored: object) -> QuietHours | None:
    """Return quiet hours as they are stored; None if there are none."""
    return None if stored is None else QuietHours.model_validate(stored)


@dataclass(frozen=True, slots=True)
class Hours:
    """An organisation's zone, its quiet hours and its frequency caps."""

    zone: ZoneInfo = UTC
    quiet: QuietHours | None = None
    caps: FrequencyCaps = ()


@dataclass(frozen=True, slots=True)
class MailTimes:
    """When an email may be sent: in ``window``, and outside the ``quiet`` hours that hold for it.

    ``zone`` is the organisation's.
    """

    window: SendWindow | None
    quiet: QuietHours | None
    zone: ZoneInfo

    @property
    def is_always(self) -> bool:
        """Whether it may be sent at any time."""
        return self.window is None and self.quiet is None

    @property
    def asks_zone(self) -> bool:
        """Whether it depends on the zone that a contact is in."""
        return any(each.timezone == CONTACT for each in (self.window, self.quiet) if each)

    @property
    def furthest(self) -> timedelta:
        """How long after an instant the first at which it may be sent can lie."""
        return FURTHEST if self.window and self.quiet else LONGEST

    @property
    def never_meet(self) -> bool:
        """Whether the window lies inside the quiet hours of the same clock (contract §20)."""
        if self.window is None or self.quiet is None:
            return False
        clocks = [
            CONTACT if each.timezone == CONTACT else clock_of(each.timezone, self.zone, None).key
            for each in (self.window, self.quiet)
        ]
        return clocks[0] == clocks[1] and self.quiet.swallow(self.window)

    def is_quiet(self, instant: datetime, contact: ZoneInfo | None) -> bool:
        """Return whether quiet hours hold at ``instant``."""
        return self.quiet is not None and not self.quiet.rest.contains(instant, self.zone, contact)

    def first(self, instant: datetime, contact: ZoneInfo | None = None) -> datetime | None:
        """Return the first instant at or after ``instant`` at which it may be sent; None if there
        is none within ``FURTHEST``.
        """
        if self.is_always:
            return instant
        opens, _ = next(self.openings_from(instant, contact), (None, None))
        return None if opens is None else max(opens, instant)

    def due(self, instant: datetime, contact: ZoneInfo | None = None) -> datetime:
        """Return when an email that would be due at ``instant`` is due; ``instant`` itself if
        window and quiet hours do not meet: then it is passed over.
        """
        return self.first(instant, contact) or instant

    def openings(
        self, first: datetime, last: datetime, contact: ZoneInfo | None = None
    ) -> list[tuple[datetime, datetime]]:
        """Return when it may be sent, from and to, in order: what ``first`` needs for each instant
        from ``first`` to ``last``.
        """
        found = []
        for opens, closes in self.openings_from(first, contact, last):
            found.append((opens, closes))
            if last < closes:
                break
        return found

    def openings_from(
        self, instant: datetime, contact: ZoneInfo | None, last: datetime | None = None
    ) -> Iterator[tuple[datetime, datetime]]:
        """Yield when it may be sent, in order; the first ends after ``instant``.

        Where quiet hours hold too, it ends ``FURTHEST`` after ``last`` (default: ``instant``).
        """
        own = self.window and self.window.openings_from(
            instant, clock_of(self.window.timezone, self.zone, contact)
        )
        rest = self.quiet and self.quiet.rest.openings_from(
            instant, clock_of(self.quiet.timezone, self.zone, contact)
        )
        if own and rest:
            yield from _both(own, rest, (last or instant) + FURTHEST)
        else:
            yield from own or rest or ()


def _both(
    one: Iterator[tuple[datetime, datetime]],
    other: Iterator[tuple[datetime, datetime]],
    until: datetime,
) -> Iterator[tuple[datetime, datetime]]:
    """Yield when both are open, until an instant."""
    a, b = next(one), next(other)
    while (opens := max(a[0], b[0])) <= until:
        closes = min(a[1], b[1])
        if opens < closes:
            yield opens, closes
        if a[1] <= b[1]:
            a = next(one)
        else:
            b = next(other)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def contact_zone(name: object) -> ZoneInfo | None:
    """Return the zone of a contact whose trait ``timezone`` is ``name``; None if it names none
    (contract §20).
    """
    return ZoneInfo(name) if isinstance(name, str) and name in _zones() else None


def zone_names() -> frozenset[str]:
    """Return every name of a zone, old ones too."""
    return _zones()
