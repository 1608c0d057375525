"""Notice calls that go round: each of two cells says that their organisation lives in the other.

That is so between the two halves of a switch, and until somebody ends it if the mover has died.
"""

from typing import Final

#: How long such a call waits before it is tried again, in seconds.
PAUSE_SECONDS: Final = 5.0
_MOST_REMEMBERED: Final = 10_000


class SentOn:
    """The calls that this process has sent on, by the ids of their tasks."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def has(self, task_id: str) -> bool:
        """Return whether a call was sent on before: then it goes round."""
        return task_id in self._ids

    def add(self, task_id: str) -> None:
        """Note that a call was sent on; the oldest is forgotten when there are very many."""
        if len(self._ids) >= _MOST_REMEMBERED:
            del self._ids[next(iter(self._ids))]
        self._ids[task_id] = None


#: Those of this process.
SENT_ON: Final = SentOn()
