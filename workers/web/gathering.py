"""Natural batching: calls that wait together go as one set (contract §12, decision 36).

While a set is under way, the calls that come are gathered, and go as the next one. Nothing waits
for a timer: a call that finds an idle writer goes at once. Organisations take turns. Their sets go
together, each with its share; a set that meets an error or a lock goes again by itself, so that
nobody else waits for it (decision 41).
"""

import asyncio
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog

from halo_engine.engine import Engine
from halo_engine.sets import SetCall, SetForm
from halo_engine.work import OrgRef

from ..tracing.causes import caused_by, joined
from ..tracing.spans import span
from .app import unavailable
from .lanes import LARGEST_SET, Lane, QueuedCall

_log = structlog.get_logger(__name__)

#: The most bytes of the calls that go at once; their statement takes several times as many.
_LARGEST_SET_BYTES: Final = 2 * 1024 * 1024
#: The most calls that go at once of organisations that are not cached yet.
_LARGEST_SET_OF_UNKNOWN: Final = 10
#: An organisation whose set takes longer than this goes alone the next time, too.
_SLOW_SECONDS: Final = 1.0
#: A call that waits longer is refused; how often that is checked.
_PATIENCE_SECONDS: Final = 30.0
_CHECKS_EVERY_SECONDS: Final = 0.5


class _Set(NamedTuple):
    """The calls of a set, and the key of the lane that they were taken from."""

    key: UUID | None
    calls: list[QueuedCall]


_Answers = list[tuple[QueuedCall, Any]]


class Gatherer:
    """Gathers calls into sets, and does the sets in threads.

    At most ``most_waiting`` calls wait (HALO_WEB_QUEUE). If so many do, an organisation with its
    share of them or more is refused. ``note_set`` is called with the number of calls of each set.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        writers: int,
        most_waiting: int,
        note_set: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._note_set = note_set
        self._most_waiting = most_waiting
        self._lanes: OrderedDict[UUID | None, Lane] = OrderedDict()
        #: How many calls wait of each organisation that is not cached yet; they share one lane.
        self._unknown: Counter[OrgRef] = Counter()
        self._waiting = 0
        #: The sets under way.
        self._sets: list[list[QueuedCall]] = []
        self._changed = threading.Condition()
        self._ends = False
        #: Whether a writer is about to be woken.
        self._wakes = False
        self._loop = asyncio.get_running_loop()
        self._threads = [
            threading.Thread(target=self._write, name=f"halo-writer-{number}", daemon=True)
            for number in range(writers)
        ]
        for thread in self._threads:
            thread.start()
        self._timer = self._loop.call_later(_CHECKS_EVERY_SECONDS, self._refuse_late)

    def perform(
        self, org: OrgRef, form: SetForm, call: Any, size: int = 0
    ) -> "asyncio.Future[Any]":
        """Queue a call; its future has the answer, or raises why there is none.

        ``size`` is about how many bytes the call takes; they bound its set. Raises a 503 if too
        many calls wait. Call it in the event loop.
        """
        waiting = QueuedCall(org, SetCall(form, call), size, self._loop.create_future())
        with self._changed:
            lane = self._lane(org)
            if self._waiting >= self._most_waiting:
                share = self._most_waiting // len(self._lanes)
                if len(lane.waiting) >= max(share, 1):
                    raise unavailable("busy", "Too many calls are waiting; try again.")
            lane.waiting.append(waiting)
            if lane is self._lanes.get(None):
                self._unknown[org] += 1
            self._waiting += 1
        if not self._wakes:
            self._wakes = True
            self._loop.call_soon(self._wake)
        return waiting.future

    def _refuse_late(self) -> None:
        """Refuse the calls that came too long ago, even if they are under way: the database may
        hang.
        """
        self._timer = self._loop.call_later(_CHECKS_EVERY_SECONDS, self._refuse_late)
        late = time.monotonic() - _PATIENCE_SECONDS
        with self._changed:
            queues = (*self._sets, *(lane.waiting for lane in self._lanes.values()))
            waited = [each for queue in queues for each in queue if each.since < late]
        for each in waited:
            if not each.future.done():
                problem = "The call was not done in time; try again."
                each.future.set_exception(unavailable("busy", problem))

    def _wake(self) -> None:
        """Wake a writer, once for all calls that came together."""
        self._wakes = False
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """End the threads once nothing waits."""
        self._timer.cancel()
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def _lane(self, org: OrgRef) -> Lane:
        """Return the lane in which a call waits.

        Organisations that are not cached yet share one: anybody can make up widget keys.
        """
        key = None if org in self._unknown else self._engine.id_of(org)
        lane = self._lanes.get(key)
        if lane is None:
            most = _LARGEST_SET_OF_UNKNOWN if key is None else LARGEST_SET
            lane = self._lanes[key] = Lane(most, is_mixed=key is None)
        return lane

    def _write(self) -> None:
        while self._write_next():
            # What a thread did last it must not keep until there is more to do.
            pass

    def _write_next(self) -> bool:
        """Wait for sets and do them; return whether there may be more."""
        with self._changed:
            sets = self._next()
            while not sets:
                if self._ends and not self._waiting:
                    return False
                self._changed.wait()
                sets = self._next()
        answers = self._together(sets) if len(sets) > 1 else self._alone(*sets)
        self._loop.call_soon_threadsafe(_deliver, answers)
        return True

    def _next(self) -> list[_Set]:
        """Take the next organisation's set, and the sets that may go with it, each up to its
        share.
        """
        for key in tuple(self._lanes):
            lane = self._lanes[key]
            if lane.waiting:
                keys: Sequence[UUID | None] = (key,)
                if lane.may_join:
                    keys = [each for each, other in self._lanes.items() if other.may_join]
                share = max(1, LARGEST_SET // len(keys))
                if sets := [*self._taken(keys[:LARGEST_SET], share)]:
                    return sets
        return []

    def _taken(self, keys: Sequence[UUID | None], share: int) -> Iterator[_Set]:
        room = _LARGEST_SET_BYTES
        for key in keys:
            if room <= 0:
                break
            self._lanes.move_to_end(key)
            calls = self._lanes[key].take(share, room)
            room -= sum(each.size for each in calls)
            if calls:
                self._waiting -= len(calls)
                self._sets.append(calls)
                yield _Set(key, calls)

    def _end(self, taken: _Set) -> None:
        """Note that a set is no longer under way."""
        self._sets.remove(taken.calls)
        lane = self._lanes[taken.key]
        lane.done(taken.calls)
        if lane.waiting:
            # What waited for these may go now.
            self._changed.notify()
        elif not lane.under_way:
            del self._lanes[taken.key]

    def _alone(self, taken: _Set) -> _Answers:
        """Do one set; an organisation whose set takes long goes alone the next time, too."""
        began = time.monotonic()
        by_org: dict[OrgRef, list[QueuedCall]] = {}
        answers: _Answers = []
        for each in _still_waiting(taken.calls):
            by_org.setdefault(each.org, []).append(each)
        for org, mine in by_org.items():
            self._note_set(len(mine))
            answers += zip(mine, self._outcomes(org, mine), strict=True)
        is_slow = time.monotonic() - began > _SLOW_SECONDS
        with self._changed:
            lane = self._lanes[taken.key]
            lane.goes_alone = lane.is_mixed or is_slow
            if taken.key is None:
                self._unknown.subtract(each.org for each in taken.calls)
                self._unknown = +self._unknown
            self._end(taken)
        return answers

    def _outcomes(self, org: OrgRef, calls: Sequence[QueuedCall]) -> Sequence[Any]:
        with span("set", joined(each.cause for each in calls), calls=len(calls)):
            try:
                return self._engine.perform_set(org, [each.call for each in calls])
            except Exception as error:  # noqa: BLE001 -- each caller is told
                return [error] * len(calls)

    def _together(self, sets: Sequence[_Set]) -> _Answers:
        """Do sets of several organisations at once; calls that are left undone wait to go
        alone.
        """
        asked = [calls for each in sets if (calls := _still_waiting(each.calls))]
        done: dict[int, Any] = {}
        for calls, outcomes in zip(asked, self._outcomes_together(asked), strict=True):
            done.update(zip(map(id, calls), outcomes, strict=True))
        answers: _Answers = []
        for taken in sets:
            pairs = [(each, done.get(id(each))) for each in taken.calls]
            answers += [pair for pair in pairs if pair[1] is not None]
            left = _still_waiting(each for each, outcome in pairs if outcome is None)
            with self._changed:
                lane = self._lanes[taken.key]
                lane.goes_alone = bool(left)
                lane.waiting.extendleft(reversed(left))
                self._waiting += len(left)
                self._end(taken)
        return answers

    def _outcomes_together(self, asked: Sequence[Sequence[QueuedCall]]) -> Sequence[Sequence[Any]]:
        number = sum(map(len, asked))
        self._note_set(number)
        sets = [(calls[0].org, [each.call for each in calls]) for calls in asked]
        with span("set", joined(each.cause for calls in asked for each in calls), calls=number):
            try:
                found = self._engine.perform_together(sets)
            except Exception as error:  # noqa: BLE001 -- each caller is told
                return [[error] * len(calls) for calls in asked]
        for calls, outcomes in zip(asked, found, strict=True):
            pairs = zip(calls, outcomes, strict=True)
            causes = [each.cause for each, outcome in pairs if outcome is not None]
            if causes:
                with caused_by(joined(causes)):
                    self._engine.ring_for(calls[0].org)
        return found


def _still_waiting(calls: Iterable[QueuedCall]) -> list[QueuedCall]:
    """Return the calls whose callers still wait; the others were refused, and may have been sent
    again.
    """
    return [each for each in calls if not each.future.done()]


def _deliver(answers: Sequence[tuple[QueuedCall, Any]]) -> None:
    for waiting, outcome in answers:
        if waiting.future.done():
            # The caller hung up.
            continue
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)
