"""How a worker process waits while its servers are away: it pauses, longer each time.

The process pauses, not the call: meanwhile it takes no other call, so the queue waits in order. The
first call that succeeds ends the pauses.
"""

import random
import time
from typing import Final

import kombu.exceptions
import redis

from halo_engine.outages import database_trouble

_FIRST_PAUSE_SECONDS: Final = 0.25
#: No pause is longer, so work goes on this soon after the servers are back.
_LONGEST_PAUSE_SECONDS: Final = 10.0

_BROKER_ERRORS: Final = (
    kombu.exceptions.OperationalError,
    redis.ConnectionError,
    redis.TimeoutError,
    redis.BusyLoadingError,
    redis.ReadOnlyError,
)
#: The operating system's: no route, no such host, nobody listens, the other side hung up.
_NETWORK_ERRORS: Final = (ConnectionError, TimeoutError)


def trouble(error: BaseException) -> str | None:
    """Return which server is the trouble and how, in a few words; None for any other error."""
    said = database_trouble(error)
    if said is not None:
        return f"database: {said}"
    if isinstance(error, _BROKER_ERRORS):
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
        """Return how long to pause. The bound doubles each time; chance picks its upper half."""
        self.met += 1
        grown: float = _FIRST_PAUSE_SECONDS * 2 ** min(self.met - 1, 16)
        return random.uniform(0.5, 1.0) * min(grown, longest, _LONGEST_PAUSE_SECONDS)

    def sit_out(self, longest: float) -> None:
        """Pause for at most ``longest`` seconds."""
        time.sleep(self.pause_seconds(longest))


#: This process's.
outage: Final = Outage()
