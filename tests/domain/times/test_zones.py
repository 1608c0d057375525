"""Windows and quiet hours in every time zone, against a walk from minute to minute (§5, §20)."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from halo_engine.domain.times.quiet_hours import MailTimes, QuietHours, contact_zone, zone_names
from halo_engine.domain.times.windows import EVERY_DAY, SendWindow

#: Zones whose clocks change in a way of their own: by half an hour, by two, at midnight, for
#: Ramadan, by rules that are of this year; and two that never change.
TELLING = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Nuuk",
    "America/Santiago",
    "America/Vancouver",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Chatham",
    "UTC",
)
IS_TORTURE = "HALO_TEST_SEED" in os.environ
ZONES = sorted(zone_names()) if IS_TORTURE else TELLING
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: A window, and quiet hours; each of them may be missing. A window may be of some days alone.
PAIRS = (
    (("02:15", "02:45"), None),
    (("23:30", "01:15"), None),
    (("23:30", "02:30", "sat", "sun"), None),
    (("02:30", "00:15", "sun", "tue"), ("12:00", "13:00")),
    (None, ("21:00", "08:00")),
    (None, ("00:00", "00:30")),
    (("20:30", "21:15"), ("21:00", "08:00")),
    (("01:30", "03:30"), ("02:10", "02:50")),
)
Span = tuple[time, time, tuple[str, ...]]


def read(span: tuple[str, ...] | None) -> Span | None:
    """Return a span of the day as times, and the days on which it begins."""
    if span is None:
        return None
    return time.fromisoformat(span[0]), time.fromisoformat(span[1]), days_of(span)


def days_of(span: tuple[str, ...]) -> tuple[str, ...]:
    """Return the days on which a span begins."""
    return span[2:] or tuple(EVERY_DAY)


def times_of(window: tuple[str, ...] | None, quiet: tuple[str, ...] | None) -> MailTimes:
    """Return when mail may be sent by a window and quiet hours, of the contact's."""
    own = {"timezone": "contact"}
    opens = None
    if window is not None:
        given = {"days": days_of(window), "from": window[0], "to": window[1], **own}
        opens = SendWindow.model_validate(given)
    silent = None
    if quiet is not None:
        silent = QuietHours.model_validate({"from": quiet[0], "to": quiet[1], **own})
    return MailTimes(opens, silent, ZoneInfo("UTC"))


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the hours in which the clock of a zone changes, of two years; and a leap day."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    offset = at.astimezone(zone).utcoffset()
    while at.year < 2028:
        at += timedelta(hours=1)
        if (now := at.astimezone(zone).utcoffset()) != offset:
            offset = now
            yield at
    yield datetime(2028, 2, 29, tzinfo=UTC)


def walk(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield each minute, and the latest time that the clock on the wall has shown until then."""
    at = first
    shown = datetime.min  # noqa: DTZ901 -- a wall clock time
    while at < last:
        shown = max(shown, at.astimezone(zone).replace(tzinfo=None))
        yield at, shown
        at += MINUTE


def is_within(span: Span, shown: datetime) -> bool:
    """Say whether the clock has reached the beginning of a span of some day, and not its end."""
    begins, ends, days = span
    for day in (shown.date() - DAY, shown.date()):
        if WEEK[day.weekday()] not in days:
            continue
        last = day if begins < ends else day + DAY
        if datetime.combine(day, begins) <= shown < datetime.combine(last, ends):
            return True
    return False


@pytest.mark.parametrize("name", ZONES)
def test_windows_and_quiet_hours_hold_through_changes_of_the_clock(name: str) -> None:
    """Around each change of a zone's clock an email may be sent first at the minute that a walk
    along the clock on the wall finds.
    """
    zone = contact_zone(name)
    assert zone is not None
    # How far apart the instants are that are asked about; the walk itself takes every minute.
    stride = 1 if IS_TORTURE and name in TELLING else 17
    for change in changes(zone):
        minutes = [*walk(zone, change - 2 * DAY, change + 3 * DAY)]
        for window, quiet in PAIRS:
            own, silent, times = read(window), read(quiet), times_of(window, quiet)
            following: datetime | None = None
            for number, (at, shown) in reversed([*enumerate(minutes)]):
                opens = own is None or is_within(own, shown)
                if opens and not (silent and is_within(silent, shown)):
                    following = at
                # The first day only warms up what the clock has shown.
                if following and number % stride == 0 and change - DAY <= at < change + DAY:
                    assert times.first(at, zone) == following, (name, window, quiet, at)


def test_rules_of_this_year_are_read() -> None:
    """Morocco keeps its winter time from September 2026 on, and Vancouver its summer time."""
    noon = datetime(2027, 1, 15, 12, tzinfo=UTC)
    rabat, vancouver = ZoneInfo("Africa/Casablanca"), ZoneInfo("America/Vancouver")
    assert noon.astimezone(rabat).utcoffset() == timedelta(0)
    assert noon.astimezone(vancouver).utcoffset() == timedelta(hours=-7)


def test_names_of_contacts_are_zones_by_old_names_too() -> None:
    """A contact's zone may be called by an old name; what is no name counts as missing."""
    assert contact_zone("Asia/Calcutta") is not None
    assert contact_zone("Europe/Kiev") is not None
    missing = [contact_zone(each) for each in ("Mars/Base", "europe/berlin", "", None, 5, ["UTC"])]
    assert missing == [None] * 6


def test_quiet_hours_swallow_a_window_of_the_same_clock() -> None:
    """A window never meets the quiet hours' rest if it lies inside them, on one clock alone."""
    inside, reaching = ("23:00", "02:00"), ("20:59", "02:00")
    quiet = ("21:00", "08:00")
    assert times_of(inside, quiet).never_meet
    assert times_of(quiet, quiet).never_meet
    assert not times_of(reaching, quiet).never_meet
    assert not times_of(("07:00", "08:01"), quiet).never_meet
    in_utc = SendWindow.model_validate({"days": EVERY_DAY, "from": "23:00", "to": "02:00"})
    assert not MailTimes(in_utc, times_of(None, quiet).quiet, ZoneInfo("UTC")).never_meet
