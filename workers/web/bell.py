"""Rings the doorbells of organisations after their calls are answered, in a thread of its own."""

import threading
from collections.abc import Callable, Mapping
from uuid import UUID

from ..tracing.causes import NOTHING, Cause, current, joined


class Bell:
    """Rings the bells that were asked for while it rang before, each once and all together.

    ``ring`` is given each organisation with its cause. The signals are committed: if a process ends
    before it rings, the next tick finds them.
    """

    def __init__(self, ring: Callable[[Mapping[UUID, Cause]], object]) -> None:
        self._ring = ring
        self._waiting: dict[UUID, Cause] = {}
        self._changed = threading.Condition()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="halo-bell", daemon=True)
        self._thread.start()

    def note(self, org_id: UUID) -> None:
        """Ring soon for this organisation, with the current cause."""
        with self._changed:
            self._waiting[org_id] = joined((self._waiting.get(org_id, NOTHING), current()))
            self._changed.notify()

    def close(self) -> None:
        """Ring for all that wait, and end."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ends)
                waiting, self._waiting = self._waiting, {}
            if waiting:
                self._ring(waiting)
            if self._ends and not waiting:
                return
