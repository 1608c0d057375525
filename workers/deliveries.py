"""Which messages workers have in hand, kept in the broker; what becomes of a dead worker's.

A message is taken from its queue and noted as in hand in one step, so that no death of a worker
loses it. A living worker touches what it has in hand every few seconds; what nobody touched for a
minute goes back to the head of its queue, from where the next worker takes it. How often that
happened to a message is counted beside it, in the broker, by a digest of its bytes.

These are keys of ours: Celery's own belong to whichever applications share the broker.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import redis
import structlog

from workers.broker_scripts import (
    GIVE_BACK,
    IN_HAND,
    KEYS,
    NOTE,
    PUT_ASIDE,
    REDELIVERED,
    TAKE,
    TOUCH,
    TOUCHED,
    run,
)

#: What nobody touched for so long is a dead worker's.
PATIENCE_SECONDS: Final = 60
TOUCH_SECONDS: Final = 10
#: A worker that has just begun, or found its broker again, leaves the others time to touch theirs.
GRACE_SECONDS: Final = 30
#: A message that came back so often, because workers died with it, is set aside.
MOST_REDELIVERIES: Final = 5

#: Names a header that the worker adds to a message that was delivered before: unix seconds.
FIRST_DELIVERED: Final = "halo_first_delivered"

_log = structlog.get_logger(__name__)


class Taken(NamedTuple):
    """A message that was taken: from which queue's list, its bytes, its tag; and, where it was
    delivered before, when that was first (unix seconds).
    """

    queue_key: str
    raw: bytes
    tag: str
    first_delivered: float | None


def first_delivered(request: Any) -> datetime | None:
    """Return when a task's message was first delivered; None where this is the first delivery.

    ``request`` is the running task's (``task.request``). A message comes again where a worker died
    with it: what it says is older than all that was handled since then.
    """
    seconds = getattr(request, FIRST_DELIVERED, None)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def take_command(tag: str, queue_keys: Sequence[str]) -> list[Any]:
    """Return the command that takes the first message of the first of these lists that has one."""
    keys = (*KEYS, *queue_keys)
    return ["EVAL", TAKE, len(keys), *keys, tag]


def note(client: Any, tag: str, queue_key: str, raw: bytes) -> Taken:
    """Note as in hand what was taken from a queue otherwise."""
    seen = run(client, NOTE, tag, queue_key, raw)
    return taken(client, tag, queue_key, raw, seen)


def taken(client: Any, tag: str, queue_key: str, raw: bytes, seen: int) -> Taken:
    """Return what was taken; ``seen`` says whether the broker knows of any redelivery."""
    first = None
    if seen:
        known = client.hget(REDELIVERED, hashlib.sha1(raw, usedforsecurity=False).hexdigest())
        first = float(known.split()[1]) if known else None
    return Taken(queue_key, raw, tag, first)


def acknowledge(client: Any, message: Taken) -> None:
    """Forget a message that was handled."""
    with client.pipeline() as commands:
        commands.zrem(TOUCHED, message.tag)
        commands.hdel(IN_HAND, message.tag)
        if message.first_delivered is not None:
            digest = hashlib.sha1(message.raw, usedforsecurity=False).hexdigest()
            commands.hdel(REDELIVERED, digest)
        commands.execute()


def give_back(client: Any, tags: Iterable[str], *, counts: bool = False) -> None:
    """Put messages back at the head of their queues, in the order in which they were taken.

    With ``counts`` it is a redelivery, as after a worker's death.
    """
    run(client, GIVE_BACK, int(counts), 0, MOST_REDELIVERIES, *tags)


def reclaim(client: Any, patience_seconds: float = PATIENCE_SECONDS) -> int:
    """Put back what nobody touched for so long, and return how many messages that were."""
    given: int = run(client, GIVE_BACK, 1, patience_seconds, MOST_REDELIVERIES)
    return given


def put_aside(client: Any, tag: str, reason: str) -> None:
    """Set a message aside that no worker can take, with the reason for a person."""
    run(client, PUT_ASIDE, tag, reason)


class Hands:
    """What this worker has in hand, touched in the broker from a thread of its own.

    The thread goes on while the worker's loop is busy, and while it waits for its last tasks.
    """

    def __init__(self) -> None:
        self._tags: set[str] = set()
        self._lock = threading.Lock()
        self._client: Callable[[], Any] | None = None

    def begin(self, client: Callable[[], Any], still_running: Iterable[str]) -> None:
        """Use this way to the broker from now on; of what was in hand, keep what still runs."""
        with self._lock:
            self._tags &= set(still_running)
            is_first = self._client is None
            self._client = client
        if is_first:
            threading.Thread(target=self._touch_for_ever, name="halo-hands", daemon=True).start()

    def hold(self, tag: str) -> None:
        """Touch it from now on."""
        with self._lock:
            self._tags.add(tag)

    def let_go(self, tag: str) -> None:
        """Touch it no more."""
        with self._lock:
            self._tags.discard(tag)

    def _touch_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(TOUCH_SECONDS):
            with self._lock:
                tags = sorted(self._tags)
                client = self._client
            if tags and client is not None:
                try:
                    run(client(), TOUCH, *tags)
                except (redis.RedisError, OSError) as error:
                    _log.warning("broker away", problem=type(error).__name__)
