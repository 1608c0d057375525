"""What lets mail out of one worker process: the rate, the turn, and a breaker (contract §9).

While a server is down, no email is leased: its rows stay due, and nobody's attempt is used up. One
email at a time finds out whether it is back.
"""

import re
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

import structlog

from halo_engine.delivery.transports import ServerDown

#: How long a batch is sent from before signals, exits and pauses are looked at again.
TURN_SECONDS: Final = 5.0
#: How long nothing is tried after the server was found down: each pause is twice the last.
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 120.0
#: A server that breaks off after this many texts in a row is down, whatever it greets with.
_MOST_UNKNOWN: Final = 3

#: Servers repeat whom a mail is for.
_ADDRESS: Final = re.compile(r"\S*@\S*")

_log = structlog.get_logger(__name__)


@dataclass
class Gate:
    """One process's way out: ``per_second`` messages at most (None: as fast as it goes).

    ``outage`` is what the server was last found down with, None while it answers; ``answers`` says
    for how many messages it did. The clock is a process's own, in seconds; it has nothing to do
    with the business's.
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
    #: Messages that a session broke off at, and how many had been answered by then.
    _suspects: dict[Hashable, int] = field(default_factory=dict)

    def room(self, most: int) -> int:
        """Return how many emails may be leased now, ``most`` at most: as many as a turn can send.

        0 while the breaker is open; one, when it is time to find out whether it may close.
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
        """Wait until the rate allows another message; False, at once, if that is after ``latest``.

        Slots that were not used are not made up for: there is no burst after an outage.
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
        """Note that the server answered for a message, be it with a refusal: it is there."""
        if self.outage is not None:
            _log.info("mail server answers again")
        self.outage, self._pause, self._unknown = None, 0.0, 0
        self.answers += 1
        self._suspects.pop(key, None)

    def unknown(self, reason: str) -> None:
        """Note that a message was handed over and no answer came."""
        self._unknown += 1
        if self.outage is not None or self._unknown >= _MOST_UNKNOWN:
            self._open(reason)

    def blames(self, key: Hashable, failure: ServerDown) -> bool:
        """Whether the message itself breaks the session off: others were answered for since.

        Else the server is down, and the breaker opens.
        """
        before = self._suspects.get(key)
        if failure.broke_off and before is not None and before < self.answers:
            return True
        if failure.broke_off:
            self._suspects.setdefault(key, self.answers)
        self._open(failure.reason)
        return False

    def adapt(self, begun: int, *, ran_out: bool) -> None:
        """Lease about as many at once as a turn was enough for."""
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
    """The sending of one batch, until ``ends`` on the gate's clock."""

    gate: Gate
    ends: float
    answered_before: int
    begun: int = 0
    ran_out: bool = False

    @property
    def was_answered(self) -> bool:
        """Whether the server answered for a message of this turn, be it with a refusal."""
        return self.gate.answers > self.answered_before

    def goes_on(self) -> bool:
        """Whether another message may be begun; waits for the rate. The first of a turn always."""
        if self.gate.outage is not None and self.begun:
            return False
        if not self.gate.take_slot(self.ends if self.begun else None):
            self.ran_out = True
            return False
        self.begun += 1
        return True

    def close(self) -> None:
        """End the turn; the next batch is about as large as this one could have been."""
        self.gate.adapt(self.begun, ran_out=self.ran_out)
