"""Note which messages workers have in hand, and put a dead worker's messages back.

One step takes a message from its queue and notes it as in hand, so a worker's death does not lose
it. A living worker touches its messages in hand every few seconds. A message that no worker has
touched for a minute goes back to the head of its queue, and the next worker takes it. The broker
counts these redeliveries by a digest of the message's bytes.

The keys are our own: Celery's are shared by all applications on the broker.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import structlog

from .scripts import (
    FORWARD,
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

#: A message that no worker has touched for so long belonged to a worker that died.
PATIENCE_SECONDS: Final = 60
TOUCH_SECONDS: Final = 10
#: After connecting, a worker gives the others so much time to touch their messages.
GRACE_SECONDS: Final = 30
#: If more workers than this died with a message, it is set aside.
MOST_REDELIVERIES: Final = 5

#: The most messages that are taken together.
MOST_TOGETHER: Final = 100

#: The header that the worker adds to a redelivered message: its first delivery in unix seconds.
FIRST_DELIVERED: Final = "halo_first_delivered"

_log = structlog.get_logger(__name__)


class Delivery(NamedTuple):
    """A message that was taken: the list it came from, its bytes and its tag. ``first_delivered``
    is in unix seconds, None where this is the first delivery.
    """

    queue_key: str
    raw: bytes
    tag: str
    first_delivered: float | None


def first_delivered(request: Any) -> datetime | None:
    """Return when a task's message was first delivered; None if this is the first delivery.

    ``request`` is the running task's (``task.request``). A message comes again after a worker died
    with it; it is then older than every call that was handled since.
    """
    seconds = getattr(request, FIRST_DELIVERED, None)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def take_command(tag: str, queue_keys: Sequence[str]) -> list[Any]:
    """Return the command that takes the oldest message of the first list that is not empty, and
    those that go together with it.
    """
    keys = (*KEYS, *queue_keys)
    return ["EVAL", TAKE, len(keys), *keys, tag, MOST_TOGETHER - 1]


def tag_of(first: str, number: int) -> str:
    """Return the tag of the message that was taken together with the ``first``, as ``number``."""
    return f"{first}.{number:03d}" if number else first


def note(client: Any, taken: Delivery) -> Delivery:
    """Note a message that another command popped as in hand; return it with its first delivery."""
    seen = run(client, NOTE, taken.tag, taken.queue_key, taken.raw)
    return with_first_delivery(client, taken, seen)


def with_first_delivery(client: Any, taken: Delivery, seen: int) -> Delivery:
    """Return the message with its first delivery.

    ``seen`` is 0 if the broker counts no redelivery of any message; then nothing is looked up.
    """
    if not seen:
        return taken
    known = client.hget(REDELIVERED, _digest(taken))
    return taken._replace(first_delivered=float(known.split()[1]) if known else None)


def _digest(message: Delivery) -> str:
    return hashlib.sha1(message.raw, usedforsecurity=False).hexdigest()


def acknowledge(client: Any, messages: Sequence[Delivery]) -> None:
    """Forget messages that were handled."""
    tags = [each.tag for each in messages]
    with client.pipeline() as commands:
        commands.zrem(TOUCHED, *tags)
        commands.hdel(IN_HAND, *tags)
        for each in messages:
            if each.first_delivered is not None:
                commands.hdel(REDELIVERED, _digest(each))
        commands.execute()


def give_back(client: Any, tags: Iterable[str], *, counts: bool = False) -> None:
    """Put messages back at the head of their queues, in the order in which they were taken.

    With ``counts`` this is a redelivery: a worker died with them.
    """
    run(client, GIVE_BACK, int(counts), 0, MOST_REDELIVERIES, *tags)


def forward(client: Any, tags: Iterable[str], queues: Sequence[str]) -> int:
    """Put messages in hand into other queues, each into all of them, in one step; return how many
    were in hand. What reclaimed them meanwhile has them still.
    """
    sent: int = run(client, FORWARD, len(queues), *queues, *tags)
    return sent


def reclaim(client: Any, patience_seconds: float = PATIENCE_SECONDS) -> int:
    """Put back the messages that no worker has touched for so long; return how many there were."""
    given: int = run(client, GIVE_BACK, 1, patience_seconds, MOST_REDELIVERIES)
    return given


def put_aside(client: Any, tag: str, reason: str) -> None:
    """Set aside a message that no worker can take; the reason is for a person."""
    run(client, PUT_ASIDE, tag, reason)


class HeldTags:
    """The tags of this worker's messages in hand; a thread touches them in the broker.

    The thread goes on while the worker's loop is busy, and while the worker waits for its last
    tasks.
    """

    def __init__(self) -> None:
        self._tags: set[str] = set()
        self._lock = threading.Lock()
        self._client: Callable[[], Any] | None = None

    def begin(self, client: Callable[[], Any], still_running: Iterable[str]) -> None:
        """Use this client of the broker from now on; forget all tags but those that still run."""
        with self._lock:
            self._tags &= set(still_running)
            is_first = self._client is None
            self._client = client
        if is_first:
            threading.Thread(target=self._touch_for_ever, name="halo-touch", daemon=True).start()

    def hold(self, tag: str) -> None:
        """Touch this tag from now on."""
        with self._lock:
            self._tags.add(tag)

    def let_go(self, tag: str) -> None:
        """Stop touching this tag."""
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
                except Exception as error:  # noqa: BLE001 -- kombu's closed channels raise anything
                    _log.warning("broker away", problem=type(error).__name__)
