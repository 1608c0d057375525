"""Pause a worker process while its servers are away, longer each time.

The process pauses, not only the call: it takes no other call, so the queue keeps its order. The
first call that succeeds ends the pauses.
"""

import random
import time
from typing import Final

import kombu.exceptions
import redis

from halo_engine.outages import database_trouble

from .broker.replies import is_unreadable

_FIRST_PAUSE_SECONDS: Final = 0.25
#: The longest pause: so soon after the servers are back, work goes on.
_LONGEST_PAUSE_SECONDS: Final = 10.0

_BROKER_ERRORS: Final = (
    kombu.exceptions.OperationalError,
    redis.ConnectionError,
    redis.TimeoutError,
    redis.BusyLoadingError,
    redis.ReadOnlyError,
)
#: Errors of the operating system: no route, no such host, connection refused or broken.
_NETWORK_ERRORS: Final = (ConnectionError, TimeoutError)


def trouble(error: BaseException) -> str | None:
    """Return in a few words which server is away and how; None for any other error."""
    said = database_trouble(error)
    if said is not None:
        return f"database: {said}"
    if isinstance(error, _BROKER_ERRORS) or is_unreadable(error):
        return f"broker: {type(error).__name__}"
    if isinstance(error, _NETWORK_ERRORS):
        return f"network: {type(error).__name__}"
    return None


class Outage:
    """How many calls in a row met an outage in this process."""

    def __init__(self) -> None:
        self.met = 0

    def over(self) -> None:
        """Begin anew: a call succeeded."""
        self.met = 0

    def pause_seconds(self, longest: float) -> float:
        """Return how long to pause: a random time in the upper half of a bound that doubles each
        time.
        """
        self.met += 1
        grown: float = _FIRST_PAUSE_SECONDS * 2 ** min(self.met - 1, 16)
        return random.uniform(0.5, 1.0) * min(grown, longest, _LONGEST_PAUSE_SECONDS)

    def pause(self, longest: float) -> None:
        """Pause for at most ``longest`` seconds."""
        time.sleep(self.pause_seconds(longest))


#: This process's outage.
outage: Final = Outage()
