"""Dates in custom fields are text that is ISO 8601, read on the organisation's clock (§1, §3)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.audience.dates import first_shown
from halo_engine.domain.times.instants import from_wall_clock
from tests.audience.people import People

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
)


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-27",
        "2026-05-27T08:00",
        "2026-05-27T08:00:00",
        "2026-05-27T08:00:00.1",
        "2026-05-27T08:00:00.123456789",
        "2026-05-27T08:00:00,5",
        "2026-05-27T08:00:00Z",
        "2026-05-27T08:00:00.123Z",
        "2026-05-27T08:00+02",
        "2026-05-27 08:00",
        "2026-05-27 08:00:00",
        "2026-05-27 08:00:00.5+00",
        "2026-05-27T08:00:00-0530",
        "2026-05-27T08:00:00,123456+14:00",
        "2024-02-29",
        "2000-02-29T00:00Z",
        "2026-12-31",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999-12:00",
    ],
)
def test_a_date_is_iso_8601(people: People, text: str) -> None:
    """Dates alone and timestamps of any precision, with and without an offset, are dates."""
    people.add_traits("d", dated=text)
    since_ever = people.passing("custom:d", "after", "2026-01-01")
    until_ever = people.passing("custom:d", "before", "2026-01-01")
    assert since_ever + until_ever == "dated"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "today",
        "infinity",
        "-infinity",
        "epoch",
        "-30d",
        "May 27, 2026",
        "27/05/2026",
        "20260527",
        "2026-5-27",
        "2026-02-29",
        "2026-02-30",
        "2026-04-31",
        "2100-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-01-00",
        "2026-01-32",
        "0000-01-01",
        "10000-01-01",
        "2026-05-27  08:00:00",
        "2026-05-27 ",
        "2026-05-27t08:00:00",
        "2026-05-27T",
        "2026-05-27T8:00",
        "2026-05-27T24:00:00",
        "2026-05-27T08:60",
        "2026-05-27T08:00:60",
        "2026-05-27T08:00:00.",
        "2026-05-27T08:00:00 Z",
        "2026-05-27T08:00:00+2",
        "2026-05-27T08:00:00+16:00",
        "2026-05-27T08:00:00+02:60",
        "2026-05-27Z",
        "2026-05-27\n",
        " 2026-05-27",
        "2026-05-27 BC",
        "2026-W22-3",
        "٢٠٢٦-05-27",
        "2026-05-27T08:00:00 Europe/Berlin",
    ],
)
def test_other_text_is_no_date(people: People, text: str) -> None:
    """It matches nothing and raises nothing, even if PostgreSQL itself would read a date."""
    people.add_traits("d", text=text)
    assert people.passing("custom:d", "before", "9999-01-01") == ""
    assert people.passing("custom:d", "after", "0001-01-02") == ""


def test_an_offset_is_taken_from_the_time_before_it(people: People) -> None:
    """Eight o'clock five hours west of Greenwich is one in the afternoon there."""
    people.add_traits(
        "d", west="2026-05-27T08:00-05", east="2026-05-27T18:30:00.0+0530", utc="2026-05-27T13:00Z"
    )
    assert people.passing("custom:d", "after", "2026-05-27T13:00:00Z") == "east utc west"
    assert people.passing("custom:d", "before", "2026-05-27T13:00:00.000001Z") == "east utc west"


def test_text_without_an_offset_is_read_in_the_zone_of_the_organisation(people: People) -> None:
    """Eight o'clock in Berlin is six in UTC; what carries an offset is the same everywhere."""
    people.add_traits("d", local="2026-05-27T08:00:00", utc="2026-05-27T06:00:00Z")
    bound = "2026-05-27T06:00:00Z"
    assert people.passing("custom:d", "after", bound, zone="Europe/Berlin") == "local utc"
    assert people.passing("custom:d", "before", bound, zone="Asia/Tokyo") == "local"
    assert people.passing("custom:d", "after", bound, zone="America/New_York") == "local utc"


@pytest.mark.parametrize(
    ("bound", "after"),
    [
        ("2026-10-25T00:29:59Z", "at_0230 at_0259 at_0300"),
        ("2026-10-25T00:30:00Z", "at_0230 at_0259 at_0300"),
        ("2026-10-25T00:30:01Z", "at_0259 at_0300"),
        ("2026-10-25T01:30:00Z", "at_0300"),
        ("2026-10-25T02:00:00Z", "at_0300"),
        ("2026-10-25T02:00:01Z", ""),
    ],
)
def test_an_hour_that_comes_twice_is_its_first(people: People, bound: str, after: str) -> None:
    """Half past two on the night the clock goes back is the earlier of the two."""
    people.add_traits(
        "d",
        at_0230="2026-10-25T02:30",
        at_0259="2026-10-25T02:59:59",
        at_0300="2026-10-25T03:00",
    )
    assert people.passing("custom:d", "after", bound, zone="Europe/Berlin") == after


@pytest.mark.parametrize(
    ("bound", "after"),
    [
        ("2026-03-29T00:59:59Z", "at_0200 at_0230 at_0300"),
        ("2026-03-29T01:00:00Z", "at_0200 at_0230 at_0300"),
        ("2026-03-29T01:00:01Z", ""),
    ],
)
def test_a_time_that_is_skipped_is_the_end_of_the_gap(
    people: People, bound: str, after: str
) -> None:
    """On the night the clock goes forward two, half past two and three are one instant."""
    people.add_traits(
        "d", at_0200="2026-03-29T02:00", at_0230="2026-03-29T02:30", at_0300="2026-03-29T03:00"
    )
    assert people.passing("custom:d", "after", bound, zone="Europe/Berlin") == after


_HOURS = st.integers(-30 * 60, 30 * 60).map(lambda minutes: timedelta(minutes=minutes))
_CHANGES = st.sampled_from(
    [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
        datetime(2026, 3, 8, 7, tzinfo=UTC),
        datetime(2026, 11, 1, 6, tzinfo=UTC),
        datetime(2026, 4, 4, 15, tzinfo=UTC),
        datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
        datetime(2011, 12, 30, 10, tzinfo=UTC),
        datetime(2018, 11, 4, 3, tzinfo=UTC),
        datetime(1700, 1, 1, tzinfo=UTC),
    ]
)


@given(
    _CHANGES,
    _HOURS,
    st.timedeltas(timedelta(hours=-30), timedelta(hours=30)),
    st.sampled_from(ZONES),
)
def test_one_wall_clock_time_divides_all_others(
    change: datetime, until_bound: timedelta, until_other: timedelta, zone: str
) -> None:
    """Comparing wall-clock times equals comparing instants, around every change of the clock."""
    place = ZoneInfo(zone)
    bound = change + until_bound
    other = (change + until_other).astimezone(place).replace(tzinfo=None)
    assert (other >= first_shown(bound, place)) == (from_wall_clock(other, place) >= bound)


@pytest.mark.parametrize("bound", ["0001-01-01T00:00+00:00", "9999-12-31T23:59+00:00"])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_ends_of_the_calendar_divide_too(bound: str, zone: str) -> None:
    """An instant whose local year does not exist is compared without an error."""
    instant = datetime.fromisoformat(bound)
    shown = first_shown(instant, ZoneInfo(zone)).replace(tzinfo=UTC)
    assert abs(shown - instant) < timedelta(days=1)
