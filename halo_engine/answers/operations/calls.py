"""Calls that wait for a worker, in the broker rather than the database (``halo status``)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from halo_engine.domain.answer import Answer
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.instants import Instant


class Queue(Answer):
    """How many messages wait in a queue, and when the oldest was sent (None if it is unknown)."""

    queue: str
    waiting: int
    oldest: Instant | None


class Calls(Answer):
    """Calls that wait in the broker, that workers hold, and that no worker takes.

    ``oldest_in_hand`` is when a worker took the oldest unacknowledged call. ``redelivered`` counts
    calls that came again because a worker died. ``set_aside`` can be listed and retried;
    ``set_aside_ever`` counts all there ever were. ``astray`` counts our tasks in queues that our
    workers do not read. If the broker is unreachable, ``away`` says why and all else is zero or
    empty.
    """

    queues: Sequence[Queue] = ()
    in_hand: int = 0
    oldest_in_hand: Instant | None = None
    redelivered: int = 0
    set_aside: int = 0
    set_aside_ever: int = 0
    astray: Mapping[str, int] = Field(default_factory=dict)
    away: str | None = None

    def needs(self, now: datetime, patience: timedelta) -> list[str]:
        """Return what needs a person, a sentence each."""
        return list(self._needs(now, patience))

    def _needs(self, now: datetime, patience: timedelta) -> Iterator[str]:
        if self.away is not None:
            yield f"the broker is away: {self.away}"
        late = [each.queue for each in self.queues if each.oldest and now - each.oldest > patience]
        if late:
            since = format_duration(patience)
            yield f"calls wait longer than {since} in {', '.join(late)}: too few workers, or none"
        if self.set_aside:
            yield f"messages set aside: {self.set_aside} (see `halo calls aside`)"
        for queue, number in self.astray.items():
            yield (
                f"calls in the queue {queue}, where no worker of ours listens: {number} "
                f"(`halo calls move --from {queue}`; name the queue halo.calls when you send)"
            )
