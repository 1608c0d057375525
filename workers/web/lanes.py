"""The calls of an organisation that wait for their set, in order (contract §12, decision 36)."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Final

from halo_engine.sets import SetCall, Subject
from halo_engine.work import OrgRef

from ..tracing.causes import current

#: The most calls that go at once, of one organisation or of several.
LARGEST_SET: Final = 200
#: The most calls of a lane that are searched for those that may go.
_MOST_SEARCHED: Final = 2 * LARGEST_SET


class QueuedCall:
    """A call that waits for its set to go, and then for its answer."""

    __slots__ = ("call", "cause", "future", "org", "since", "size", "subjects")

    def __init__(
        self, org: OrgRef, call: SetCall, size: int, future: "asyncio.Future[Any]"
    ) -> None:
        self.org = org
        self.call = call
        self.size = size
        self.cause = current()
        self.subjects = call.subjects
        self.future = future
        self.since = time.monotonic()


class Lane:
    """The calls of one organisation: those that wait, and the subjects of those under way.

    They keep their order, whichever of the organisation's keys they bear. All calls of a set bear
    one key, unless the lane ``is_mixed``. ``goes_alone``: its next set does not go with those of
    other organisations. A set has at most ``most`` calls.
    """

    __slots__ = ("goes_alone", "is_mixed", "most", "under_way", "waiting")

    def __init__(self, most: int, *, is_mixed: bool) -> None:
        self.most = most
        self.is_mixed = is_mixed
        self.goes_alone = is_mixed
        self.waiting: deque[QueuedCall] = deque()
        self.under_way: Counter[Subject] = Counter()

    @property
    def may_join(self) -> bool:
        """Whether its next set may go together with other organisations' sets."""
        if self.goes_alone or not self.waiting:
            return False
        return self.waiting[0].call.form.in_one_trip is not None

    def take(self, share: int, room: int) -> list[QueuedCall]:
        """Return the next set: at most ``share`` calls, and about ``room`` bytes.

        No call overtakes an earlier one about the same subject.
        """
        taken: list[QueuedCall] = []
        left: list[QueuedCall] = []
        held = set(self.under_way)
        while self.waiting and len(taken) < min(share, self.most) and len(left) < _MOST_SEARCHED:
            each = self.waiting.popleft()
            is_apart = taken and not self.is_mixed and each.org != taken[0].org
            if is_apart or (held and not held.isdisjoint(each.subjects)):
                held |= each.subjects
                left.append(each)
            else:
                taken.append(each)
                room -= each.size
                if room <= 0:
                    break
        self.waiting.extendleft(reversed(left))
        for each in taken:
            self.under_way.update(each.subjects)
        return taken

    def done(self, calls: Sequence[QueuedCall]) -> None:
        """Note that calls are no longer under way."""
        for each in calls:
            self.under_way.subtract(each.subjects)
        self.under_way = +self.under_way
