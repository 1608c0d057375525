"""Emails go out inside their window, on the local clock (contract §5)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.times.instants import to_wall_clock
from halo_engine.domain.times.windows import SendWindow, Weekday

ZONE = ZoneInfo("UTC")
WEEK = [day.value for day in Weekday]
OFFICE = {"days": WEEK[:5], "from": "09:00", "to": "17:00"}
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    """Return the instant that ``text`` writes in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(**changes: object) -> SendWindow:
    """Return the office hours with some keys changed; ``opens`` and ``closes`` are from and to."""
    names = {"opens": "from", "closes": "to"}
    data = OFFICE | {names.get(key, key): value for key, value in changes.items()}
    return validated(SendWindow, data, "send_window")


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        ("2026-06-01T08:59:59.999999", False),
        ("2026-06-01T09:00", True),
        ("2026-06-01T16:59:59.999999", True),
        ("2026-06-01T17:00", False),
        ("2026-06-06T12:00", False),
    ],
)
def test_a_window_is_half_open_on_each_of_its_days(instant: str, inside: bool) -> None:
    """From counts, to does not; Saturday is no working day."""
    assert window().contains(utc(instant), ZONE) is inside


@pytest.mark.parametrize(
    ("instant", "opening"),
    [
        ("2026-06-01T08:00", "2026-06-01T09:00"),
        ("2026-06-01T12:34:56", "2026-06-01T12:34:56"),
        ("2026-06-01T17:00", "2026-06-02T09:00"),
        ("2026-06-05T17:00", "2026-06-08T09:00"),
    ],
)
def test_a_due_email_moves_to_the_next_opening(instant: str, opening: str) -> None:
    """Inside it stays where it is; after hours it waits until the next day, or over the weekend."""
    assert window().next_opening(utc(instant), ZONE) == utc(opening)


def test_a_window_has_a_zone_of_its_own_or_the_organisations() -> None:
    """Nine o'clock in Berlin, in Kolkata where that is the organisation's zone."""
    midnight, kolkata = utc("2026-06-01T00:00"), ZoneInfo("Asia/Kolkata")
    berlin = window(timezone="Europe/Berlin")
    assert berlin.next_opening(midnight, kolkata) == utc("2026-06-01T07:00")
    assert window().next_opening(midnight, kolkata) == utc("2026-06-01T03:30")


def test_a_window_that_passes_midnight_belongs_to_the_day_it_opens() -> None:
    """Friday night lasts until Saturday morning, and Monday morning is no part of it."""
    night = window(days=["fri"], opens="22:00", closes="02:00")
    assert night.contains(utc("2026-06-06T01:59"), ZONE)
    assert not night.contains(utc("2026-06-06T02:00"), ZONE)
    assert not night.contains(utc("2026-06-05T01:00"), ZONE)
    assert night.next_opening(utc("2026-06-06T02:00"), ZONE) == utc("2026-06-12T22:00")


@pytest.mark.parametrize(
    ("opens", "closes", "instant", "opening"),
    [
        # The clock goes from 02:00 to 03:00, which is 01:00 in UTC.
        ("02:30", "05:00", "2026-03-29T00:00", "2026-03-29T01:00"),
        ("01:00", "02:30", "2026-03-29T00:59", "2026-03-29T00:59"),
        ("01:00", "02:30", "2026-03-29T01:00", "2026-03-29T23:00"),
        ("02:10", "02:50", "2026-03-29T00:00", "2026-03-30T00:10"),
        # The clock goes from 03:00 back to 02:00, which is 01:00 in UTC.
        ("02:30", "05:00", "2026-10-25T00:00", "2026-10-25T00:30"),
        ("01:00", "02:30", "2026-10-25T00:30", "2026-10-26T00:00"),
        ("01:00", "03:30", "2026-10-25T01:30", "2026-10-25T01:30"),
    ],
)
def test_windows_follow_the_clock_through_its_changes(
    opens: str, closes: str, instant: str, opening: str
) -> None:
    """A skipped time is the first instant after the gap, a repeated one its first."""
    berlin = window(days=WEEK, opens=opens, closes=closes, timezone="Europe/Berlin")
    assert berlin.next_opening(utc(instant), ZONE) == utc(opening)


CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Asia/Kolkata", "2026-06-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    # Back at midnight, back at a minute past it, and a day that did not exist.
    ("America/Havana", "2026-11-01"),
    ("America/St_Johns", "2010-11-07"),
    ("Pacific/Apia", "2011-12-30"),
]

times = st.sampled_from(["00:00", "00:01", "01:00", "01:30", "02:00", "02:10", "02:30", "03:00"])
any_window = st.tuples(
    st.sets(st.sampled_from(WEEK), min_size=1).map(sorted),
    times | st.sampled_from(["09:00", "22:00", "23:30"]),
    times | st.sampled_from(["17:00", "23:59"]),
).filter(lambda parts: parts[1] != parts[2])


def open_minutes(
    own: SendWindow, start: datetime, zone: ZoneInfo
) -> Iterator[tuple[datetime, bool]]:
    """Watch the clock on the wall minute by minute for five days, by the furthest it has come.

    A skipped time is reached with the first after it, a repeated one the first time round, so that
    the furthest time that the clock has shown says whether the window is open.
    """
    furthest = to_wall_clock(start - timedelta(days=1), zone)
    for minute in range(5 * 24 * 60):
        instant = start + minute * MINUTE
        furthest = max(furthest, to_wall_clock(instant, zone))
        opened = furthest.time() >= own.opens
        before_close = furthest.time() < own.closes
        today, yesterday = WEEK[furthest.weekday()], WEEK[furthest.weekday() - 1]
        if own.opens < own.closes:
            yield instant, opened and before_close and today in own.days
        else:
            yield (
                instant,
                (opened and today in own.days) or (before_close and yesterday in own.days),
            )


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CHANGES), any_window)
def test_windows_agree_with_a_watch_on_the_clock(
    change: tuple[str, str], parts: tuple[list[str], str, str]
) -> None:
    """Around changes of the clock, each minute is open or closed as a watcher would find it."""
    zone, (days, opens, closes) = ZoneInfo(change[0]), parts
    own = window(days=days, opens=opens, closes=closes, timezone=change[0])
    watched = dict(open_minutes(own, utc(change[1]) - timedelta(days=2), zone))
    upcoming = None
    for instant, is_open in reversed(watched.items()):
        upcoming = instant if is_open else upcoming
        if upcoming is not None:
            assert own.next_opening(instant, ZONE) == upcoming


def test_a_window_is_saved_as_it_was_written() -> None:
    """A definition that is read back is the same."""
    written = OFFICE | {"timezone": "Europe/Berlin"}
    own = validated(SendWindow, written, "send_window")
    assert own.model_dump(mode="json") == written
    assert validated(SendWindow, own.model_dump(), "send_window") == own


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (OFFICE | {"days": []}, "send_window: days is empty; allowed are one or more of mon, tue"),
        (OFFICE | {"to": "09:00"}, "send_window: from and to are both 09:00; they must differ"),
        (
            OFFICE | {"days": ["Mon"]},
            "send_window.days[0]: ‘Mon’ is refused; allowed are mon, tue, ",
        ),
        (
            OFFICE | {"from": "9:00"},
            "send_window.from: ‘9:00’ is not a time; allowed is HH:MM from",
        ),
        (OFFICE | {"to": "24:00"}, "send_window.to: ‘24:00’ is not a time"),
        (OFFICE | {"from": 540}, "send_window.from: 540 is not a time"),
        (OFFICE | {"timezone": "Berlin"}, "send_window.timezone: ‘Berlin’ is not a time zone"),
        (OFFICE | {"until": "x"}, "send_window.until: unknown key; allowed are days, from, to"),
        ({"days": ["mon"], "from": "09:00"}, "send_window.to: is required"),
        ("always", "send_window: ‘always’ is not an object with days, from, to, timezone"),
    ],
)
def test_an_unsound_window_is_refused(data: object, message: str) -> None:
    """An empty window, a time that no clock shows and an unknown key are refused by name."""
    with pytest.raises(Refusal) as caught:
        validated(SendWindow, data, "send_window")
    assert caught.value.status == 400
    assert str(caught.value).startswith(message)
