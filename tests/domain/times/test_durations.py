"""Delays are written ``30m``, ``2h``, ``3d``; a day is 86,400 seconds (contract §5)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal
from halo_engine.domain.times.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        ("0", 0),
        (90, 90),
        ("45s", 45),
        ("30m", 1_800),
        ("2h", 7_200),
        ("3d", 259_200),
        ("36500d", 3_153_600_000),
        (timedelta(hours=1), 3_600),
    ],
)
def test_durations_are_a_number_and_a_unit_or_seconds(written: object, seconds: int) -> None:
    """Each spelling is read as so many seconds."""
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    ["", "3", "d", "3w", "-3d", "+3d", "3 d", "3D", "1.5h", "3d\n", "३d", "36501d", "9999999999d"],
)
def test_other_text_is_refused_by_name(written: str) -> None:
    """A unit that is missing or unknown, a sign, a fraction and more than a century are refused."""
    with pytest.raises(
        Refusal, match=r"^steps.delay: .+ is not a duration; allowed are "
    ) as caught:
        parse_duration(written, "steps.delay")
    assert (caught.value.status, caught.value.code) == (400, "bad_duration")


@pytest.mark.parametrize("written", [-1, 1.5, True, None, [], 10**30, timedelta(seconds=-1)])
def test_what_is_no_count_of_seconds_is_refused(written: object) -> None:
    """Negative numbers, fractions, booleans and null are refused."""
    with pytest.raises(Refusal, match=r"^delay: .+ is not a duration"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0"), (90, "90s"), (5_400, "90m"), (7_200, "2h"), (86_400, "1d"), (90_000, "25h")],
)
def test_durations_are_shown_in_their_largest_whole_unit(seconds: int, written: str) -> None:
    """Nothing is rounded: ninety minutes stay ninety minutes."""
    assert format_duration(timedelta(seconds=seconds)) == written


@given(st.integers(0, 36_500 * 86_400))
def test_a_duration_that_was_shown_is_read_back(seconds: int) -> None:
    """Saving a definition and reading it again changes no delay."""
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration
