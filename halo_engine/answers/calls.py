"""The calls that wait for a worker, outside the database (``halo status``)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from halo_engine.answers.shape import Answer, Instant
from halo_engine.domain.durations import format_duration


class Queue(Answer):
    """How many messages wait in a queue; ``oldest`` is when the oldest was sent, where it says."""

    queue: str
    waiting: int
    oldest: Instant | None


class Calls(Answer):
    """What waits in the broker, what workers have in hand, and what nobody will take.

    ``oldest_in_hand`` is when a worker took the oldest of those that are not acknowledged.
    ``redelivered`` came again because a worker died. ``set_aside`` can be listed and tried again;
    ``set_aside_ever`` counts them all. ``astray`` counts our tasks in queues where no worker of
    ours listens. Where the broker is ``away`` it says why, and the rest is nothing.
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
        """Return what a person has to look at, a sentence each."""
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
