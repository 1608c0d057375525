"""Cron expressions fire on the organisation's clock, also when it changes (contract §1, §4)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal
from halo_engine.domain.times.cron import instants_between, next_instant, parse_cron
from halo_engine.domain.times.instants import to_wall_clock

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    """Return the instant that ``text`` writes in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fired(cron: str, after: str, until: str, zone: ZoneInfo = BERLIN) -> list[str]:
    """Return the instants between two others as texts in UTC."""
    instants = instants_between(cron, zone, utc(after), utc(until))
    return [f"{instant:%d %H:%M}" for instant in instants]


def test_an_expression_fires_after_the_start_and_up_to_the_end() -> None:
    """The start is excluded, since it was handled before; the end is included."""
    assert fired("*/15 * * * *", "2026-06-01T09:00", "2026-06-01T09:30") == ["01 09:15", "01 09:30"]
    assert fired("*/15 * * * *", "2026-06-01T09:00", "2026-06-01T09:14:59") == []
    assert fired("*/15 * * * *", "2026-06-01T09:30", "2026-06-01T09:00") == []


def test_the_next_instant_is_later_than_now() -> None:
    """At the instant at which it fires, the next is the one after."""
    now = utc("2026-06-01T01:30")
    assert next_instant("30 3 * * *", BERLIN, now - timedelta(microseconds=1)) == now
    assert next_instant("30 3 * * *", BERLIN, now) == utc("2026-06-02T01:30")
    assert next_instant("0 0 29 2 *", BERLIN, now) == utc("2028-02-28T23:00")


def test_a_named_hour_fires_once_on_the_night_the_clock_goes_back() -> None:
    """Half past two comes twice, an hour apart; the first counts."""
    nights = fired("30 2 * * *", "2026-10-24T12:00", "2026-10-26T12:00")
    assert nights == ["25 00:30", "26 01:30"]


def test_a_named_hour_that_is_skipped_fires_at_the_first_instant_after_the_gap() -> None:
    """Half past two does not exist; it fires once, at three o'clock."""
    nights = fired("30 2 * * *", "2026-03-28T12:00", "2026-03-30T12:00")
    assert nights == ["29 01:00", "30 00:30"]
    assert fired("*/10 2,3 * * *", "2026-03-28T12:00", "2026-03-29T01:10") == [
        "29 01:00",
        "29 01:10",
    ]


def test_every_hour_keeps_its_pace_through_changes_of_the_clock() -> None:
    """An expression for every quarter of an hour fires each quarter, also when the clock
    changes.
    """
    for night in ("2026-03-28T23:00", "2026-10-24T23:00"):
        start = utc(night)
        instants = list(instants_between("*/15 * * * *", BERLIN, start, start + 16 * 15 * MINUTE))
        assert [later - earlier for earlier, later in pairwise(instants)] == [15 * MINUTE] * 15


def test_a_watch_that_starts_within_the_repeated_hour_does_not_fire_again() -> None:
    """The second half past two does not fire, even if ``after`` lies in the repeated hour."""
    assert next_instant("30 2 * * *", BERLIN, utc("2026-10-25T01:10")) == utc("2026-10-26T01:30")


def test_a_pace_goes_on_where_half_an_hour_comes_twice() -> None:
    """At Lord Howe the clock shows 01:40 twice, and an expression for every twenty minutes fires at
    both.
    """
    zone, after = ZoneInfo("Australia/Lord_Howe"), utc("2026-04-04T14:35")
    fired = list(instants_between("*/20 * * * *", zone, after, utc("2026-04-04T15:50")))
    assert [to_wall_clock(at, zone).strftime("%H:%M") for at in fired] == [
        *("01:40", "01:40", "02:00", "02:20")
    ]


PACES: dict[str, Callable[[datetime], bool]] = {
    "*/15 * * * *": lambda local: local.minute % 15 == 0,
    "*/20 * * * *": lambda local: local.minute % 20 == 0,
    "7,37 * * * 1-6": lambda local: local.minute in (7, 37) and local.weekday() != 6,
}
TIMES: dict[str, Callable[[datetime], bool]] = {
    "30 2 * * *": lambda local: (local.hour, local.minute) == (2, 30),
    "*/20 0-2 * * *": lambda local: local.hour <= 2 and local.minute % 20 == 0,
    "0 0 * * *": lambda local: (local.hour, local.minute) == (0, 0),
}
CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-11-01"),
    ("America/Havana", "2026-03-08"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Troll", "2026-10-25"),
    ("Asia/Kolkata", "2026-06-01"),
]
changes = st.sampled_from(CHANGES)
starts = st.integers(0, 36 * 60).map(lambda minutes: minutes * MINUTE - timedelta(days=1))


@settings(max_examples=40, deadline=None)
@given(changes, st.sampled_from(sorted(PACES)), starts)
def test_a_pace_agrees_with_a_watch_on_the_clock(
    change: tuple[str, str], cron: str, start: timedelta
) -> None:
    """An expression for every hour fires whenever the clock shows its minute, even twice."""
    zone, after = ZoneInfo(change[0]), utc(change[1]) + start
    watched = [after + minute * MINUTE for minute in range(1, 48 * 60)]
    expected = [at for at in watched if PACES[cron](to_wall_clock(at, zone))]
    assert list(instants_between(cron, zone, after, watched[-1])) == expected


@settings(max_examples=40, deadline=None)
@given(changes, st.sampled_from(sorted(TIMES)), starts)
def test_named_hours_agree_with_a_watch_on_the_clock(
    change: tuple[str, str], cron: str, start: timedelta
) -> None:
    """An expression that names hours fires when the clock first reaches or passes such a time."""
    zone, after = ZoneInfo(change[0]), utc(change[1]) + start
    furthest = to_wall_clock(after - timedelta(days=1), zone)
    expected = []
    for minute in range(-24 * 60, 48 * 60):
        at = after + minute * MINUTE
        come = int((to_wall_clock(at, zone) - furthest) / MINUTE)
        reached = [furthest + step * MINUTE for step in range(1, come + 1)]
        furthest = max([furthest, *reached])
        if at > after and any(TIMES[cron](local) for local in reached):
            expected.append(at)
    assert (
        list(instants_between(cron, zone, after, after + timedelta(hours=47, minutes=59)))
        == expected
    )


@pytest.mark.parametrize(
    "cron",
    [
        "*/15 * * * *",
        "0 */6 * * *",
        "30 3 * * *",
        "0 9 * * mon-fri",
        "0 0 1 jan,mar *",
        "0 0 L * *",
    ],
)
def test_five_fields_are_an_expression(cron: str) -> None:
    """Names of days and months, ranges, lists, steps and the month's last day are allowed."""
    assert parse_cron(cron) == cron


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "* * * *",
        "* * * * * *",
        "@daily",
        "60 * * * *",
        "*/0 * * * *",
        "-5 * * * *",
        "H * * * *",
        "h(0-5) * * * *",
        "R * * * *",
        "r/15 * * * *",
        "0 0 30 2 *",
        "0 0 31 2,4 *",
        "\x00 * * * *",
        "٣ * * * *",
        "*," * 200 + "* * * * *",
        None,
        15,
    ],
)
def test_other_expressions_are_refused_by_name(cron: object) -> None:
    """Seconds, years, hashes, chance and days that never come are refused."""
    with pytest.raises(Refusal, match=r"^reevaluate_cron: .+ allowed are five fields") as caught:
        parse_cron(cron)
    assert (caught.value.status, caught.value.code) == (400, "bad_cron")


@settings(deadline=None)
@given(st.lists(st.text("0123456789*/,-LW#?hrmonjan ", min_size=1), max_size=6).map(" ".join))
def test_only_a_refusal_escapes(text: str) -> None:
    """Any text is either refused, or an expression that keeps firing."""
    try:
        cron = parse_cron(text)
    except Refusal:
        return
    instants = list(islice(instants_between(cron, BERLIN, utc("2026-01-01"), utc("9000-01-01")), 3))
    assert len(instants) == 3
    assert instants == sorted(set(instants))
