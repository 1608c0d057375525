"""Racers released by a barrier, one of them at a different point of its work each time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import Engine, event, text

#: In seconds: a racer that takes longer to reach the barrier is a bug of the race.
_LONGEST_WAIT_SECONDS = 120.0
_GLANCE_SECONDS = 0.004

_BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class _Others:
    """Those who do not lead: how many, and how many of them have come to their end."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._done = 0
        self._changed = threading.Condition()

    def finish(self) -> None:
        """Note that one of them has come to its end."""
        with self._changed:
            self._done += 1
            self._changed.notify_all()

    def running(self) -> int:
        """Wait for one of them to finish, a moment at most; return how many have not."""
        with self._changed:
            self._changed.wait(_GLANCE_SECONDS)
            return self.number - self._done


@dataclass
class _Way:
    """A racer's progress, in statements and commits, and what it does at a chosen point."""

    stops_at: int
    stop: Callable[[], object]
    points: int = 0

    def pass_point(self) -> None:
        """Stop here, if this is the point."""
        here, self.points = self.points, self.points + 1
        if here == self.stops_at:
            self.stop()


@dataclass
class Track:
    """Where racers run on ``database``.

    Racers that only start together meet in the same few places. So one of them, the leader, goes
    ahead and stops before a statement or a commit of its own; there the barrier releases all. Every
    other leader is slow: it goes on when each of the others is at its end or waits for a lock. Who
    leads and how far is drawn anew for every race.
    """

    database: Engine
    pool: ThreadPoolExecutor
    random: Random = field(default_factory=lambda: Random(0))
    _lengths: dict[int, int] = field(default_factory=dict)
    _local: threading.local = field(default_factory=threading.local)

    def race(self, *racers: Callable[[], Any]) -> Sequence[Any]:
        """Run each racer in a thread of its own; return what they returned, or raise what one did.

        Each must come to its end, whatever the others wait for.
        """
        leader = self.random.randrange(len(racers))
        stops_at = self.random.randint(0, self._lengths.get(leader, 0))
        is_slow = self.random.random() < 0.5
        barrier, others = threading.Barrier(len(racers)), _Others(len(racers) - 1)

        def stop() -> None:
            barrier.wait(_LONGEST_WAIT_SECONDS)
            if is_slow:
                self._let_pass(others)

        def lead() -> Any:
            self._local.way = way = _Way(stops_at, stop)
            try:
                return racers[leader]()
            finally:
                del self._local.way
                self._lengths[leader] = way.points
                if way.points <= stops_at:
                    barrier.wait(_LONGEST_WAIT_SECONDS)

        def follow(place: int) -> Any:
            barrier.wait(_LONGEST_WAIT_SECONDS)
            try:
                return racers[place]()
            finally:
                others.finish()

        def run(place: int) -> Any:
            return lead() if place == leader else follow(place)

        return list(self.pool.map(run, range(len(racers))))

    def _let_pass(self, others: _Others) -> None:
        """Wait until each of the others is at its end, or waits for somebody's lock."""
        watch = self.database.execution_options(isolation_level="AUTOCOMMIT")
        own, self._local.way = self._local.way, None
        with watch.connect() as connection:
            while (running := others.running()) > connection.execute(_BLOCKED).scalar_one():
                pass
        self._local.way = own
        assert running >= 0

    def pass_point(self, *_event: Any) -> None:
        """Note that the current thread is about to execute a statement, or to commit."""
        way: _Way | None = getattr(self._local, "way", None)
        if way is not None:
            way.pass_point()


@contextmanager
def open_track(database: Engine) -> Iterator[Track]:
    """Listen to what is executed on ``database``, and keep threads ready for the racers."""
    points = ("before_cursor_execute", "commit")
    with ThreadPoolExecutor(8) as pool:
        track = Track(database, pool)
        for name in points:
            event.listen(database, name, track.pass_point)
        try:
            yield track
        finally:
            for name in points:
                event.remove(database, name, track.pass_point)
