"""How a worker process sits an outage out: pauses that grow while its servers are away.

The pauses are the process's, not a call's: while it pauses it takes no other call, and so the queue
waits in order. The first call that finds the servers back ends them.
"""

import random
import time
from typing import Final

import kombu.exceptions
import redis

from halo_engine.outages import database_trouble

_FIRST_PAUSE_SECONDS: Final = 0.25
#: The longest, if time limits allow it: so soon after the servers' return all works again.
_LONGEST_PAUSE_SECONDS: Final = 10.0

_BROKER_ERRORS: Final = (
    kombu.exceptions.OperationalError,
    redis.ConnectionError,
    redis.TimeoutError,
    redis.BusyLoadingError,
    redis.ReadOnlyError,
)
#: The system's: no route, no such host, nobody listens, the other side hung up.
_NETWORK_ERRORS: Final = (ConnectionError, TimeoutError)


def trouble(error: BaseException) -> str | None:
    """Return what is wrong with a server that this error speaks of, in a few words.

    None where the error is the call's own.
    """
    said = database_trouble(error)
    if said is not None:
        return f"database: {said}"
    if isinstance(error, _BROKER_ERRORS):
        return f"broker: {type(error).__name__}"
    if isinstance(error, _NETWORK_ERRORS):
        return f"network: {type(error).__name__}"
    return None


class Outage:
    """What this process knows of an outage: how many calls in a row met it."""

    def __init__(self) -> None:
        self.met = 0

    def over(self) -> None:
        """A call came through."""
        self.met = 0

    def pause_seconds(self, longest: float) -> float:
        """Return how long to pause now: twice as long each time, by chance between half and all."""
        self.met += 1
        grown: float = _FIRST_PAUSE_SECONDS * 2 ** min(self.met - 1, 16)
        return random.uniform(0.5, 1.0) * min(grown, longest, _LONGEST_PAUSE_SECONDS)

    def sit_out(self, longest: float) -> None:
        """Pause, no longer than that."""
        time.sleep(self.pause_seconds(longest))


#: This process's.
outage: Final = Outage()
