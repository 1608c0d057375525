"""Dates and times are ISO 8601, on the organisation's clock where no offset is given (§1)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal
from halo_engine.domain.times.instants import (
    RelativeInstant,
    clock_shows,
    format_instant,
    from_wall_clock,
    parse_date_value,
    parse_instant,
    parse_zone,
    to_wall_clock,
)

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
KOLKATA = ZoneInfo("Asia/Kolkata")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")


def utc(text: str) -> datetime:
    """Return the instant that ``text`` writes in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-05-27T08:00:00Z", "2026-05-27T08:00"),
        ("2026-05-27T08:00:00+02:00", "2026-05-27T06:00"),
        ("2026-05-27T08:00:00-0530", "2026-05-27T13:30"),
        ("2026-05-27T08:00+02", "2026-05-27T06:00"),
        ("2026-05-27 08:00:00+00", "2026-05-27T08:00"),
        ("2026-05-27 08:00:00.5-05:30", "2026-05-27T13:30:00.5"),
        ("2026-05-27 08:00Z", "2026-05-27T08:00"),
        ("2026-05-27T08:00:00.123456Z", "2026-05-27T08:00:00.123456"),
        ("2026-05-27T08:00:00,5Z", "2026-05-27T08:00:00.5"),
        ("2026-05-27T08:00:00.123456789Z", "2026-05-27T08:00:00.123456"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00"),
    ],
)
def test_a_timestamp_with_an_offset_is_that_instant(text: str, instant: str) -> None:
    """The organisation's zone does not matter where an offset is given."""
    assert parse_instant(text, BERLIN) == parse_instant(text, NEW_YORK) == utc(instant)


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-05-27", ZoneInfo("UTC"), "2026-05-27T00:00"),
        ("2026-05-27", BERLIN, "2026-05-26T22:00"),
        ("2026-05-27", NEW_YORK, "2026-05-27T04:00"),
        ("2026-05-27", KOLKATA, "2026-05-26T18:30"),
        ("2026-05-27T08:00", BERLIN, "2026-05-27T06:00"),
        ("2026-05-27 08:00", BERLIN, "2026-05-27T06:00"),
        ("2026-01-27T08:00:00.25", BERLIN, "2026-01-27T07:00:00.25"),
    ],
)
def test_without_an_offset_the_organisations_clock_counts(
    text: str, zone: ZoneInfo, instant: str
) -> None:
    """A date alone is its midnight there."""
    assert parse_instant(text, zone) == utc(instant)


@pytest.mark.parametrize(
    ("local", "zone", "instant"),
    [
        ("2026-03-29T02:00", BERLIN, "2026-03-29T01:00"),
        ("2026-03-29T02:30", BERLIN, "2026-03-29T01:00"),
        ("2026-03-29T03:00", BERLIN, "2026-03-29T01:00"),
        ("2026-03-08T02:59:59.999999", NEW_YORK, "2026-03-08T07:00"),
        ("2026-10-04T02:15", LORD_HOWE, "2026-10-03T15:30"),
        ("2011-12-30T12:00", APIA, "2011-12-30T10:00"),
    ],
)
def test_a_time_that_the_clock_skips_is_the_first_instant_after_the_gap(
    local: str, zone: ZoneInfo, instant: str
) -> None:
    """An hour, half an hour or a whole day can be skipped."""
    assert parse_instant(local, zone) == utc(instant)


@pytest.mark.parametrize(
    ("local", "zone", "instant"),
    [
        ("2026-10-25T02:30", BERLIN, "2026-10-25T00:30"),
        ("2026-11-01T01:00", NEW_YORK, "2026-11-01T05:00"),
        ("2026-04-05T01:45", LORD_HOWE, "2026-04-04T14:45"),
    ],
)
def test_a_time_that_comes_twice_is_its_first(local: str, zone: ZoneInfo, instant: str) -> None:
    """The clock shows it again later; that does not count."""
    assert parse_instant(local, zone) == utc(instant)


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "now",
        "infinity",
        "",
        "1748304000",
        "20260527",
        "20260527T080000Z",
        "2026-W22-3",
        "2026-147",
        "2026-05",
        "2026-13-01",
        "2026-02-30",
        "0000-01-01",
        "2026-05-27  08:00:00",
        "2026-05-27 ",
        "2026-05-27 08:00:00 +00",
        "2026-05-27t08:00:00z",
        "2026-05-27T08",
        "2026-05-27T24:00",
        "2026-05-27T08:00:60Z",
        "2026-05-27T08:00:00Z ",
        "2026-05-27T08:00:00Z\n",
        "2026-05-27T08:00:00+24:00",
        "2026-05-27T08:00:00[Europe/Berlin]",
        "२०२६-०५-२७",
        "+2026-05-27",
        "27/05/2026",
        1748304000,
        None,
        True,
        {},
    ],
)
def test_anything_but_iso_8601_is_refused_by_name(text: object) -> None:
    """The refusal says what is allowed."""
    with pytest.raises(Refusal) as caught:
        parse_instant(text, BERLIN, "traits.signed_up_at")
    assert (caught.value.status, caught.value.code) == (400, "bad_date")
    assert str(caught.value).startswith("traits.signed_up_at: ")
    assert "allowed is ISO 8601" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0001-01-01T00:00:00+14:00", "early; allowed are the years 1 to 9999 in UTC"),
        ("9999-12-31T23:59:59-01:00", "late; allowed are the years 1 to 9999 in UTC"),
        ("0001-01-01", "early; allowed are 0001-01-02 to 9999-12-31 where no offset is given"),
        ("9999-12-31T23:59", "late; allowed are 0001-01-02 to 9999-12-31 where no offset is given"),
    ],
)
def test_what_lies_off_the_calendar_is_too_early_or_too_late(text: str, said: str) -> None:
    """A date that UTC or some zone cannot express is refused as too early or too late."""
    with pytest.raises(Refusal) as caught:
        parse_instant(text, BERLIN, "traits.signed_up_at")
    assert (caught.value.status, caught.value.code) == (400, "bad_date")
    assert str(caught.value) == f"traits.signed_up_at: ‘{text}’ is too {said}"


@given(st.text() | st.from_regex(r"\A[+-]?\d{1,5}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d)?)?\Z"))
def test_only_a_refusal_escapes(text: str) -> None:
    """Whatever text is read as a date, the answer is an instant in UTC or a refusal."""
    for zone in (BERLIN, APIA):
        try:
            value = parse_date_value(text, zone)
        except Refusal:
            continue
        assert isinstance(value, RelativeInstant) or value.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("-30d", timedelta(days=-30)),
        ("+12h", timedelta(hours=12)),
        ("-5m", timedelta(minutes=-5)),
        ("+0d", timedelta(0)),
    ],
)
def test_a_date_value_may_be_relative_to_now(text: str, offset: timedelta) -> None:
    """A sign, a number, and d, h or m (§3)."""
    assert parse_date_value(text, BERLIN) == RelativeInstant(offset)


@pytest.mark.parametrize("text", ["30d", "-30", "-d", "-30s", "-1.5d", "- 30d", "-36501d", "--1d"])
def test_other_relative_values_are_refused(text: str) -> None:
    """The refusal shows both forms that are allowed, or how long is too long."""
    with pytest.raises(Refusal, match=r"^value: .+(such as -30d, \+12h or -5m|up to 36500d)$"):
        parse_date_value(text, BERLIN)


def test_instants_are_shown_in_utc_with_microseconds() -> None:
    """Answers look the same whatever zone an instant was read in (§2)."""
    assert format_instant(utc("2026-05-27T08:00")) == "2026-05-27T08:00:00.000000+00:00"
    summer_noon = datetime(2026, 5, 27, 12, 0, 0, 1, tzinfo=BERLIN)
    assert format_instant(summer_noon) == "2026-05-27T10:00:00.000001+00:00"


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_that_was_shown_is_read_back(instant: datetime) -> None:
    """What an answer shows can be sent again and means the same."""
    assert parse_instant(format_instant(instant), BERLIN) == instant


@given(
    st.datetimes().filter(lambda local: 1970 < local.year < 2037),
    st.sampled_from([BERLIN, NEW_YORK, KOLKATA, LORD_HOWE, APIA]),
)
def test_the_clock_first_reaches_a_local_time_at_its_instant(
    local: datetime, zone: ZoneInfo
) -> None:
    """A local time is the first instant at which the clock shows it or more, at both changes of the
    clock.
    """
    instant = from_wall_clock(local, zone)
    assert to_wall_clock(instant, zone) >= local
    before = [instant - timedelta(microseconds=1)]
    before += [instant - timedelta(minutes=minutes) for minutes in range(1, 180)]
    assert max(to_wall_clock(earlier, zone) for earlier in before) < local


def test_time_zones_go_by_their_iana_names() -> None:
    """A known name is that zone."""
    assert parse_zone("Asia/Kolkata") == KOLKATA


@pytest.mark.parametrize(
    "name",
    ["", "Berlin", "Europe", "../UTC", "/etc/passwd", "UTC\x00", "\ud800", "x" * 5000, None, 1],
)
def test_unknown_time_zones_are_refused_by_name(name: object) -> None:
    """A folder of zones, a path and garbage are no zones."""
    with pytest.raises(Refusal, match=r"^org.timezone: .+ is not a time zone") as caught:
        parse_zone(name, "org.timezone")
    assert (caught.value.status, caught.value.code) == (400, "bad_timezone")


@pytest.mark.parametrize(
    ("text", "zone", "shown"),
    [
        ("2026-05-27T23:30:00Z", BERLIN, "2026-05-28 01:30 CEST"),
        ("0001-01-01T00:00:00Z", NEW_YORK, "0001-01-01 00:00 LMT"),
        ("0001-01-01T00:00:00Z", BERLIN, "0001-01-01 00:53 LMT"),
        ("9999-12-31T23:59:59Z", NEW_YORK, "9999-12-31 18:59 EST"),
        ("9999-12-31T23:59:59Z", BERLIN, "9999-12-31 23:59 CET"),
    ],
)
def test_every_instant_has_a_day_on_every_clock(text: str, zone: ZoneInfo, shown: str) -> None:
    """An instant beyond a zone's calendar is the first or last day of that calendar."""
    there = clock_shows(parse_instant(text, zone), zone)
    assert f"{there.year:04}{there:-%m-%d %H:%M %Z}" == shown
