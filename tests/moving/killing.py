"""Movers that die at a statement of their own: a process is killed where it would send it."""

import os
import signal
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from halo_engine.domain.errors import Refusal
from halo_engine.moving.move import move
from halo_engine.moving.places import Place, opened
from tests.sql.sent import name_in

#: What a mover is about to do at a point: a statement of that name, or a commit, in that cell.
Point = tuple[str, str]


@dataclass
class Points:
    """Counts what a mover sends to both servers, and kills it at one of them."""

    die_at: int | None = None
    seen: list[Point] = field(default_factory=list)

    def watch(self, place: Place) -> None:
        """Count what is sent to a cell."""

        def sends(*executed: Any) -> None:
            self._reached((place.name, name_in(executed[2]) or "other"))

        def commits(_connection: object) -> None:
            self._reached((place.name, "COMMIT"))

        event.listen(place.database, "before_cursor_execute", sends)
        event.listen(place.database, "commit", commits)

    def _reached(self, point: Point) -> None:
        if len(self.seen) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen.append(point)


def points_of(source: str, target: str) -> list[Point]:
    """Move ``acme`` from the cell at one URL to that at another; return what was sent, in order."""
    points = Points()
    _run(source, target, points, move)
    return points.seen


def refused(source: str, target: str, act: Callable[..., object] = move) -> str | None:
    """Let a mover do the same; return the code if it is refused."""
    try:
        _run(source, target, Points(), act)
    except Refusal as refusal:
        return refusal.code
    return None


def killed_at(point: int, source: str, target: str) -> bool:
    """Let a process of its own move ``acme``, and die at that point; return whether it died."""
    process = os.fork()
    if process == 0:
        try:
            _run(source, target, Points(point), move)
        except BaseException:  # noqa: BLE001 -- nothing of the test may run in this process
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) == signal.SIGKILL
    assert os.WEXITSTATUS(status) == 0
    return False


def _run(source: str, target: str, points: Points, act: Callable[..., object]) -> None:
    with ExitStack() as stack:
        cells = [stack.enter_context(opened(*each)) for each in (named(source), named(target))]
        for each in cells:
            points.watch(each)
        act(*cells, "acme", tell=lambda _: None)


def named(url: str) -> tuple[str, str]:
    """Return a cell's name, which is its database's, and its URL."""
    return url.partition("?")[0].rpartition("/")[2], url
