"""Natural batching: turns, order and bounds, with an engine that waits for the test (§12)."""

import asyncio
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from halo_engine.sets import SetCall, SetForm
from halo_engine.work import OrgRef
from workers.web.gathering import Gatherer
from workers.web.lanes import LARGEST_SET
from workers.web.messages.responses import Problem
from workers.web.threads import Threads

ONE, OTHER = OrgRef(widget_key="one"), OrgRef(widget_key="other")
SLOW = OrgRef(widget_key="slow")
ONE_BY_ID = OrgRef(id=UUID(int=1))
FORM = SetForm(lambda _work, _calls: [], lambda call: [("user", call[0])])
#: Of a door whose calls may go together with those of other organisations.
JOINING = replace(FORM, in_one_trip=lambda _given, _now: None)


class _Engine:
    """Notes each set, and holds it until ``go`` is released once for it."""

    def __init__(self) -> None:
        self.sets: list[tuple[str, list[str]]] = []
        self.rung: list[str] = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def id_of(self, org: OrgRef) -> UUID:
        return UUID(int=1 if org in (ONE, ONE_BY_ID) else 2 if org == OTHER else 3)

    def perform_set(self, org: OrgRef, calls: Sequence[SetCall]) -> list[Any]:
        self.sets.append((str(org.widget_key), [each.call for each in calls]))
        self.begun.release()
        assert self.go.acquire(timeout=120)
        return [each.call for each in calls]

    def perform_together(self, sets: Sequence[tuple[OrgRef, Sequence[SetCall]]]) -> list[list[Any]]:
        """Do all but those of ``SLOW``."""
        self.sets.append(("all", [each.call for _, calls in sets for each in calls]))
        self.begun.release()
        assert self.go.acquire(timeout=120)
        return [[None if org == SLOW else each.call for each in calls] for org, calls in sets]

    def ring_for(self, org: OrgRef) -> None:
        self.rung.append(str(org.widget_key))


async def _begun(engine: _Engine) -> None:
    assert await asyncio.to_thread(engine.begun.acquire, timeout=120)


def _gatherer(engine: Any, *, writers: int = 1, most_waiting: int = 100) -> Gatherer:
    return Gatherer(engine, writers=writers, most_waiting=most_waiting)


def test_waiting_calls_go_as_the_next_set_by_turns() -> None:
    """A call that finds the writer idle goes alone at once; those that wait go as the next set, by
    turns.
    """

    async def play() -> None:
        engine = _Engine()
        gatherer = _gatherer(engine)
        first = gatherer.perform(ONE, FORM, "a0")
        await _begun(engine)
        waiting = [gatherer.perform(ONE, FORM, f"{name}1") for name in "bcd"]
        waiting += [gatherer.perform(OTHER, FORM, f"{name}2") for name in "ef"]
        engine.go.release(10)
        assert await first == "a0"
        assert await asyncio.gather(*waiting) == ["b1", "c1", "d1", "e2", "f2"]
        assert engine.sets == [
            ("one", ["a0"]),
            ("one", ["b1", "c1", "d1"]),
            ("other", ["e2", "f2"]),
        ]
        gatherer.close()

    asyncio.run(play())


def test_of_two_calls_about_one_contact_the_earlier_goes_first() -> None:
    """A second idle writer takes calls about others, never a later call about the same contact."""

    async def play() -> None:
        engine = _Engine()
        gatherer = _gatherer(engine, writers=2)
        futures = [gatherer.perform(ONE, FORM, "a0")]
        await _begun(engine)
        futures += [gatherer.perform(ONE, FORM, call) for call in ("a1", "a2")]
        futures.append(gatherer.perform(ONE, FORM, "b0"))
        await _begun(engine)
        assert [calls for _, calls in engine.sets] == [["a0"], ["b0"]]
        engine.go.release(10)
        await asyncio.gather(*futures)
        assert [calls for _, calls in engine.sets][2:] == [["a1", "a2"]]
        gatherer.close()

    asyncio.run(play())


def test_calls_by_two_keys_of_one_organisation_keep_their_order() -> None:
    """A set holds calls of one key, and no call of another key overtakes."""

    async def play() -> None:
        engine = _Engine()
        gatherer = _gatherer(engine)
        futures = [gatherer.perform(ONE, FORM, "a0")]
        await _begun(engine)
        for org, call in ((ONE, "a1"), (ONE_BY_ID, "b1"), (ONE_BY_ID, "a2"), (ONE, "b2")):
            futures.append(gatherer.perform(org, FORM, call))
        futures.append(gatherer.perform(ONE, FORM, "c1"))
        engine.go.release(10)
        await asyncio.gather(*futures)
        assert [calls for _, calls in engine.sets] == [["a0"], ["a1", "c1"], ["b1", "a2"], ["b2"]]
        gatherer.close()

    asyncio.run(play())


def test_a_call_that_is_not_done_in_time_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is not done in time is refused, also one under way; one that still waits is not
    done later.
    """
    monkeypatch.setattr("workers.web.gathering._CHECKS_EVERY_SECONDS", 0.01)

    async def play() -> None:
        engine = _Engine()
        gatherer = _gatherer(engine)
        futures = [gatherer.perform(ONE, FORM, "a0")]
        await _begun(engine)
        futures.append(gatherer.perform(ONE, FORM, "a1"))
        monkeypatch.setattr("workers.web.gathering._PATIENCE_SECONDS", 0)
        refused = await asyncio.gather(*futures, return_exceptions=True)
        assert [getattr(each, "status", each) for each in refused] == [503, 503]
        monkeypatch.setattr("workers.web.gathering._PATIENCE_SECONDS", 30)
        engine.go.release(10)
        assert await gatherer.perform(ONE, FORM, "a2") == "a2"
        assert [calls for _, calls in engine.sets] == [["a0"], ["a2"]]
        gatherer.close()

    asyncio.run(play())


def test_a_flood_is_refused_and_others_are_not() -> None:
    """With a full queue an organisation that has its share is refused with 503, and others are
    not.
    """

    async def play() -> None:
        engine = _Engine()
        gatherer = _gatherer(engine, most_waiting=10)
        futures = [gatherer.perform(ONE, FORM, "z")]
        await _begun(engine)
        futures += [gatherer.perform(ONE, FORM, f"{number}") for number in range(10)]
        with pytest.raises(Problem) as refused:
            gatherer.perform(ONE, FORM, "more")
        assert refused.value.status == 503
        assert dict(refused.value.headers)[b"retry-after"] == b"1"
        futures.append(gatherer.perform(OTHER, FORM, "a"))
        engine.go.release(100)
        assert len(await asyncio.gather(*futures)) == 12
        gatherer.close()

    asyncio.run(play())


def test_an_error_is_each_callers_own_and_the_next_set_goes_on() -> None:
    """A call's error is its own; a set that meets an outage is refused as a whole."""

    async def play() -> None:
        engine = _Engine()
        gatherer = _gatherer(engine)

        def broken(_org: OrgRef, _calls: Sequence[SetCall]) -> list[Any]:
            raise OSError

        engine.perform_set = broken  # type: ignore[assignment, method-assign]
        with pytest.raises(OSError):  # noqa: PT011 -- the same one
            await gatherer.perform(ONE, FORM, "a")
        del engine.perform_set
        engine.go.release(10)
        assert await gatherer.perform(ONE, FORM, "b") == "b"
        gatherer.close()

    asyncio.run(play())


def test_organisations_go_together_and_a_flood_has_no_more_than_its_share() -> None:
    """In a joint set each organisation has the same number of places; the rest goes the next
    time.
    """

    async def play() -> None:
        engine = _Engine()
        gatherer = _gatherer(engine, most_waiting=1000)
        futures = [gatherer.perform(ONE, FORM, "z")]
        await _begun(engine)
        flood = [f"{chr(0x1000 + number)}" for number in range(LARGEST_SET)]
        futures += [gatherer.perform(ONE, JOINING, call) for call in flood]
        futures.append(gatherer.perform(OTHER, JOINING, "a"))
        engine.go.release(10)
        assert await asyncio.gather(*futures) == ["z", *flood, "a"]
        half = LARGEST_SET // 2
        assert engine.sets == [
            ("one", ["z"]),
            ("all", [*flood[:half], "a"]),
            ("one", flood[half:]),
        ]
        assert engine.rung == ["one", "other"]
        gatherer.close()

    asyncio.run(play())


def test_a_call_left_out_of_a_joint_set_goes_alone_next() -> None:
    """A call left out of a joint set goes alone next, before later calls about the same."""

    async def play() -> None:
        engine = _Engine()
        gatherer = _gatherer(engine, writers=2)
        futures = [gatherer.perform(OTHER, FORM, each) for each in ("y", "z")]
        await _begun(engine)
        futures += [gatherer.perform(SLOW, JOINING, "a0"), gatherer.perform(OTHER, JOINING, "b0")]
        await _begun(engine)
        futures.append(gatherer.perform(SLOW, JOINING, "a1"))
        engine.go.release(10)
        assert await asyncio.gather(*futures) == ["y", "z", "a0", "b0", "a1"]
        alone = [call for org, calls in engine.sets if org == "slow" for call in calls]
        assert alone == ["a0", "a1"]
        assert engine.rung == ["other"]
        gatherer.close()

    asyncio.run(play())


def test_large_calls_of_several_organisations_do_not_go_at_once() -> None:
    """A joint set is bounded by its bytes, as one organisation's set is."""

    async def play() -> None:
        engine = _Engine()
        gatherer = _gatherer(engine)
        futures = [gatherer.perform(ONE, FORM, "z")]
        await _begun(engine)
        futures += [gatherer.perform(org, JOINING, "a", 2**22) for org in (SLOW, OTHER)]
        engine.go.release(10)
        assert await asyncio.gather(*futures) == ["z", "a", "a"]
        assert engine.sets == [("one", ["z"]), ("slow", ["a"]), ("other", ["a"])]
        gatherer.close()

    asyncio.run(play())


class _Large:
    """What a call has brought, or is answered."""


class _Echoing:
    """Answers each call at once with what it brought."""

    def id_of(self, _org: OrgRef) -> UUID:
        return UUID(int=1)

    def perform_set(self, _org: OrgRef, calls: Sequence[SetCall]) -> list[Any]:
        return [each.call for each in calls]


def test_a_writer_keeps_nothing_of_what_it_did_last() -> None:
    """A large call is gone once it is answered, not only when the next one comes."""

    async def play() -> None:
        gatherer = _gatherer(_Echoing())
        large = _Large()
        kept = weakref.ref(large)
        form = replace(FORM, subjects=lambda _call: [])
        assert await gatherer.perform(ONE, form, large) is large
        del large
        await until_gone(kept)
        gatherer.close()

    asyncio.run(play())


def test_a_thread_keeps_nothing_of_what_it_did_last() -> None:
    """Neither what it was given nor what it answered."""

    async def play() -> None:
        threads = Threads(1, 1)
        kept = weakref.ref(await threads.run(_Large))
        await until_gone(kept)
        threads.close()

    asyncio.run(play())


async def until_gone(kept: weakref.ref[Any]) -> None:
    """Wait until nobody has it any more, two minutes at most."""
    async with asyncio.timeout(120):
        while kept() is not None:
            await asyncio.sleep(0.01)
