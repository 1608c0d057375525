"""How many messages wait in a queue: kombu has a list for each priority that it knows."""

from typing import Any, Final

#: What kombu puts between a queue's name and a priority.
PRIORITY: Final = "\x06\x16"
#: What follows a queue's name in the keys of its lists.
STEPS: Final = ("", f"{PRIORITY}3", f"{PRIORITY}6", f"{PRIORITY}9")


def waiting_in(client: Any, queue: str) -> int:
    """Return how many messages of any priority wait in the queue."""
    return sum(client.llen(queue + step) for step in STEPS)
