"""How many requests a caller may make (HALO_WEB_RATE): a bucket for each key or address."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from .responses import Problem

#: How many callers are kept; a caller that was dropped begins with a full bucket.
_MOST_REMEMBERED: Final = 20_000


@dataclass(slots=True)
class Rates:
    """Buckets that hold a second's requests, and fill again at ``per_second``."""

    per_second: float
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, caller: str) -> None:
        """Count a request of the caller; raise a 429 if there were too many."""
        now = self.clock()
        full = max(self.per_second, 1.0)
        left, at = self._buckets.pop(caller, (full, now))
        left = min(full, left + (now - at) * self.per_second)
        is_allowed = left >= 1
        self._buckets[caller] = (left - 1 if is_allowed else left), now
        if len(self._buckets) > _MOST_REMEMBERED:
            self._buckets.popitem(last=False)
        if not is_allowed:
            seconds = math.ceil((1 - left) / self.per_second)
            problem = f"too many requests; allowed are {self.per_second:g} a second"
            retry = ((b"retry-after", str(seconds).encode()),)
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", problem, retry)
