"""The rate, the turn and the breaker of one worker process (contract §9)."""

from itertools import pairwise

import pytest

from halo_engine.mail.sending.throttle import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    TURN_SECONDS,
    Throttle,
)
from halo_engine.mail.transports.transports import ServerDown
from tests.mail.clock import Clock


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def throttle_on(clock: Clock, per_second: float | None = None) -> Throttle:
    """Return a gate on the test's clock."""
    return Throttle(per_second=per_second, clock=clock.read, sleep=clock.sleep)


def test_a_server_that_is_down_is_tried_after_growing_pauses(clock: Clock) -> None:
    """Each failure doubles the pause, up to two minutes; after it one message tests the server."""
    throttle = throttle_on(clock)
    pause = FIRST_PAUSE_SECONDS
    for _ in range(8):
        assert not throttle.blames("a", ServerDown("Connection refused"))
        clock.now += pause - 0.1
        assert throttle.room(2000) == 0
        clock.now += 0.1
        assert throttle.room(2000) == 1
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
    assert pause == LONGEST_PAUSE_SECONDS
    throttle.answered("a")
    assert (throttle.room(2000), throttle.outage) == (2000, None)
    throttle.blames("a", ServerDown("Connection refused"))
    clock.now += FIRST_PAUSE_SECONDS
    assert throttle.room(2000) == 1


def test_a_turn_ends_when_the_server_goes_down(clock: Clock) -> None:
    """Nothing is begun after the failure, and the next turn begins with a single message."""
    throttle = throttle_on(clock)
    turn = throttle.turn()
    assert turn.goes_on()
    throttle.blames("a", ServerDown("no"))
    assert not turn.goes_on()
    clock.now += FIRST_PAUSE_SECONDS
    turn = throttle.turn()
    assert turn.goes_on()
    assert not turn.goes_on()


def test_a_message_that_breaks_every_session_is_to_blame_once_others_were_answered(
    clock: Clock,
) -> None:
    """At first the server is blamed; if it accepted mail in between, the message is."""
    throttle = throttle_on(clock)
    broke = ServerDown("connection lost", broke_off=True)
    assert not throttle.blames("poison", broke)
    assert not throttle.blames("poison", broke)  # nothing got through meanwhile
    throttle.answered("other")
    assert throttle.outage is None
    assert throttle.blames("poison", broke)
    assert throttle.outage is None
    assert not throttle.blames("another", broke)
    assert throttle.outage == "connection lost"


def test_three_unknown_outcomes_in_a_row_are_an_outage(clock: Clock) -> None:
    """A server that breaks off after every text gets three messages, and no more."""
    throttle = throttle_on(clock)
    for _ in range(2):
        throttle.unknown("no answer")
    throttle.answered("a")
    for _ in range(2):
        throttle.unknown("no answer")
    assert throttle.outage is None
    throttle.unknown("no answer")
    assert throttle.outage == "no answer"
    clock.now += FIRST_PAUSE_SECONDS
    throttle.unknown("no answer")
    assert throttle.room(10) == 0


def test_the_rate_makes_up_for_nothing(clock: Clock) -> None:
    """After a pause of any length messages leave one interval apart."""
    throttle = throttle_on(clock, per_second=4)
    left = []
    for _ in range(3):
        turn = throttle.turn()
        while turn.goes_on():
            left.append(clock.now)
            clock.now += 0.01
        clock.now += 3600
    gaps = [round(after - before, 6) for before, after in pairwise(left)]
    assert len(left) == 3 * 4 * TURN_SECONDS
    assert [gap for gap in gaps if gap < 3600] == [0.25] * (len(left) - 3)
    assert throttle.room(2000) == 4 * TURN_SECONDS


def test_a_slow_rate_sends_one_in_each_turn(clock: Clock) -> None:
    """A turn waits for its first slot, however late, but for no other beyond its end."""
    throttle = throttle_on(clock, per_second=0.1)
    left = []
    for _ in range(3):
        turn = throttle.turn()
        while turn.goes_on():
            left.append(clock.now)
    assert [after - left[0] for after in left] == [0, 10, 20]
    assert throttle.room(2000) == 1


def test_batches_become_as_large_as_a_turn_allows(clock: Clock) -> None:
    """Batches are small while the server is slow, and grow again when it is quick."""
    throttle = throttle_on(clock)
    turn = throttle.turn()
    while turn.goes_on():
        clock.now += 1
    turn.close()
    assert throttle.room(2000) == TURN_SECONDS
    for expected in (10, 20, 40):
        turn = throttle.turn()
        for _ in range(throttle.room(2000)):
            assert turn.goes_on()
        turn.close()
        assert throttle.room(2000) == expected
    turn = throttle.turn()
    assert turn.goes_on()
    turn.close()
    assert throttle.room(2000) == 40
