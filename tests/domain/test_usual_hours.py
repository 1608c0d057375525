"""When a series is far below its usual hour: a table of cases."""

from collections.abc import Sequence

import pytest

from halo_engine.domain.usual_hours import Hour, are_far_below

USUAL = (100, 110, 90, 95)


@pytest.mark.parametrize(
    ("counts", "before", "is_far_below"),
    [
        ((100, 100), (USUAL, USUAL), False),
        ((0, 0), (USUAL, USUAL), True),
        # One hour alone may be chance.
        ((0, 100), (USUAL, USUAL), False),
        ((100, 0), (USUAL, USUAL), False),
        # A quarter of the usual is far below; more is not.
        ((23, 23), (USUAL, USUAL), True),
        ((24, 23), (USUAL, USUAL), False),
        # The weekend is compared with weekends.
        ((0, 0), ((0, 0, 0, 0), (0, 1, 0, 0)), False),
        # Too few to judge by.
        ((0, 0), ((19, 19, 19, 19), USUAL), False),
        ((0, 0), ((20, 20, 20, 20), USUAL), True),
        # One quiet week of the four changes nothing; of two, nobody knows what is usual.
        ((0, 0), ((100, 0, 100, 100), USUAL), True),
        ((0, 0), ((100, 0, 0, 100), USUAL), False),
        # A mailing to everybody, once, is no usual hour.
        ((5, 5), ((100_000, 5, 5, 5), USUAL), False),
        # A series that is new has no weeks before.
        ((0, 0), ((100, 0, 0, 0), (100, 0, 0, 0)), False),
    ],
)
def test_far_below_the_usual_hour(
    counts: Sequence[int], before: Sequence[Sequence[int]], is_far_below: bool
) -> None:
    """An hour is reported after two in a row with at most a quarter of three of the last four
    weeks' numbers.
    """
    hours = [Hour(count, weeks) for count, weeks in zip(counts, before, strict=True)]
    assert are_far_below(hours) is is_far_below
