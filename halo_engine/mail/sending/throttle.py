"""Control how one worker process sends: rate, length of a turn, circuit breaker (contract §9).

While a server is down, no emails are leased: their rows stay due, and no attempt is counted. One
email at a time tests whether the server is back.
"""

import re
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

import structlog

from halo_engine.mail.transports.transports import ServerDown

#: How long a batch may send before signals, exits and pauses are handled again.
TURN_SECONDS: Final = 5.0
#: How long sending pauses when the server is down: each pause is twice the last.
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 120.0
#: After this many unknown outcomes in a row the server counts as down.
_MOST_UNKNOWN: Final = 3

#: Servers repeat the recipient in their answers; logs must not hold it.
_ADDRESS: Final = re.compile(r"\S*@\S*")

_log = structlog.get_logger(__name__)


@dataclass
class Throttle:
    """The sending of one process: at most ``per_second`` messages (None: no limit).

    ``outage`` is the reason why the server is down, None while it answers; ``answers`` counts the
    messages that it answered. The clock is the process's own, in seconds, not the engine's.
    """

    per_second: float | None = None
    turn_seconds: float = TURN_SECONDS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    outage: str | None = None
    answers: int = 0
    _closed_until: float = 0.0
    _pause: float = 0.0
    _next_slot: float = 0.0
    _allowance: int | None = None
    _unknown: int = 0
    #: Messages at which a session broke off, and the count of answers by then.
    _suspects: dict[Hashable, int] = field(default_factory=dict)

    def room(self, most: int) -> int:
        """Return how many emails may be leased now: as many as a turn can send, at most ``most``.

        0 while the breaker is open, and 1 when it is time to test whether it may close.
        """
        if self.outage is not None:
            return 0 if self.clock() < self._closed_until else 1
        if self.per_second is not None:
            most = min(most, max(1, int(self.per_second * self.turn_seconds)))
        return most if self._allowance is None else min(most, self._allowance)

    def turn(self) -> "Turn":
        """Begin to send a batch."""
        return Turn(self, self.clock() + self.turn_seconds, self.answers)

    def take_slot(self, latest: float | None) -> bool:
        """Wait until the rate allows another message; return False at once if that is after
        ``latest``.

        Unused slots are lost: there is no burst after an outage.
        """
        if self.per_second is None:
            return latest is None or self.clock() < latest
        slot = max(self._next_slot, self.clock())
        if latest is not None and slot >= latest:
            return False
        if slot > self.clock():
            self.sleep(slot - self.clock())
        self._next_slot = slot + 1 / self.per_second
        return True

    def answered(self, key: Hashable) -> None:
        """Note that the server answered a message, even with a refusal: so it is up."""
        if self.outage is not None:
            _log.info("mail server answers again")
        self.outage, self._pause, self._unknown = None, 0.0, 0
        self.answers += 1
        self._suspects.pop(key, None)

    def unknown(self, reason: str) -> None:
        """Note that a message was handed over, but no answer came."""
        self._unknown += 1
        if self.outage is not None or self._unknown >= _MOST_UNKNOWN:
            self._open(reason)

    def blames(self, key: Hashable, failure: ServerDown) -> bool:
        """Whether it is this message that breaks off the session: others were answered since.

        If not, the server is down, and the breaker opens.
        """
        before = self._suspects.get(key)
        if failure.broke_off and before is not None and before < self.answers:
            return True
        if failure.broke_off:
            self._suspects.setdefault(key, self.answers)
        self._open(failure.reason)
        return False

    def adapt(self, begun: int, *, ran_out: bool) -> None:
        """Set the size of the next batch to about what a turn can send."""
        if ran_out:
            self._allowance = max(1, begun)
        elif self._allowance is not None and begun >= self._allowance:
            self._allowance *= 2

    def _open(self, reason: str) -> None:
        self._pause = min(max(2 * self._pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self._closed_until = self.clock() + self._pause
        self.outage, self._unknown = reason, 0
        problem = _ADDRESS.sub("…", reason)
        _log.warning("mail server down, mail waits", problem=problem, pause_seconds=self._pause)


@dataclass
class Turn:
    """The sending of one batch; it ends at ``ends`` on the throttle's clock."""

    throttle: Throttle
    ends: float
    answered_before: int
    begun: int = 0
    ran_out: bool = False

    @property
    def was_answered(self) -> bool:
        """Whether the server answered a message of this turn, even with a refusal."""
        return self.throttle.answers > self.answered_before

    def goes_on(self) -> bool:
        """Wait for the rate; return whether to begin another message. The first always may."""
        if self.throttle.outage is not None and self.begun:
            return False
        if not self.throttle.take_slot(self.ends if self.begun else None):
            self.ran_out = True
            return False
        self.begun += 1
        return True

    def close(self) -> None:
        """End the turn, and set the size of the next batch."""
        self.throttle.adapt(self.begun, ran_out=self.ran_out)
