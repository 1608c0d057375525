"""A cause is joined, bounded and carried by messages, and holds only safe ids."""

import asyncio
from threading import Thread

import pytest

from workers.tracing.causes import (
    MOST_JOINED,
    NOTHING,
    Cause,
    as_text,
    caused_by,
    current,
    joined,
    logged,
    read_text,
)
from workers.tracing.messages import cause_in, headers_of, name_cause
from workers.web.threads import Threads

_SPAN = f"00-{'a' * 32}-{'b' * 16}-01"


def test_several_causes_are_one_in_their_order_and_each_once() -> None:
    """A set's cause names each call's cause once, in their order."""
    ann, bob = Cause(("ann",), ("span-a",)), Cause(("bob",))
    assert joined([ann, bob, ann]) == Cause(("ann", "bob"), ("span-a",))
    assert joined([]) == NOTHING


def test_very_many_causes_are_bounded() -> None:
    """A cause keeps 100 ids; a log line shows twenty, and how many there are."""
    cause = joined(Cause((f"request-{number}",)) for number in range(1_000))
    assert len(cause.request_ids) == MOST_JOINED
    with caused_by(cause):
        said = logged()
    assert said["requests"] == MOST_JOINED
    assert str(said["request_ids"]).split(",") == [f"request-{number}" for number in range(20)]


def test_a_line_of_one_request_names_it_alone() -> None:
    """A log line names the one request that caused it, or none."""
    with caused_by(Cause(("ann",))):
        assert logged() == {"request_id": "ann"}
    assert logged() == {}


@pytest.mark.parametrize(
    "cause",
    [NOTHING, Cause(("ann",)), Cause(("ann", "bob"), (_SPAN,))],
    ids=["none", "one", "several"],
)
def test_a_message_carries_its_cause(cause: Cause) -> None:
    """A cause written into a message's headers is read back from them."""
    assert cause_in(headers_of(cause)) == cause
    assert read_text(as_text(cause)) == cause


@pytest.mark.parametrize("unsafe", ["", "two words", "x" * 129, "ünï", 7, None, ["ann"], "a\nb"])
def test_an_unsafe_header_is_no_cause(unsafe: object) -> None:
    """An unsafe header is ignored, since anybody may send a message."""
    assert cause_in({"X-Request-Id": unsafe, "traceparent": unsafe}) == NOTHING


def test_a_message_that_names_its_cause_keeps_it() -> None:
    """A retry keeps the cause of its first try."""
    headers = {"X-Request-Id": "first"}
    with caused_by(Cause(("second",), (_SPAN,))):
        name_cause(headers)
    assert headers == {"X-Request-Id": "first", "traceparent": _SPAN}


def test_a_cause_belongs_to_its_thread_and_the_work_that_it_hands_on() -> None:
    """A cause belongs to its thread, and to threads that do that caller's work."""
    found: list[Cause] = []

    async def call() -> None:
        threads = Threads(1, 1)
        found.append(await threads.run(current))
        threads.close()

    with caused_by(Cause(("ann",))):
        other = Thread(target=lambda: found.append(current()))
        other.start()
        other.join()
        asyncio.run(call())
    assert found == [NOTHING, Cause(("ann",))]
