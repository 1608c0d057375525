"""What a worker's channel has in hand: kombu's QoS, with deliveries of ours (``deliveries``).

A channel and its QoS end with their connection. What must outlive them is kept for the process: the
tags that a thread touches, and what the broker could not be told.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
import structlog
from celery.worker import state
from kombu.transport import redis as kombu_redis_transport
from kombu.transport import virtual

from . import deliveries
from .deliveries import Delivery, HeldTags

# Their types are known in part only.
kombu_redis: Any = kombu_redis_transport
kombu_virtual: Any = virtual

_log = structlog.get_logger(__name__)

#: The tags of this process, touched by a thread.
HELD: Final = HeldTags()
#: The channel that takes messages now.
NEWEST: Final[list[Any]] = []
#: What the broker could not be told, because the connection broke: which messages were handled, and
#: which were popped. The next connection tells it.
_TO_ACKNOWLEDGE: Final[list[Sequence[Delivery]]] = []
TO_PUT_BACK: Final[list[Delivery]] = []


class QoS(kombu_redis.QoS):  # type: ignore[misc]
    """Acknowledges, hands back and sets aside what a channel has in hand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: What was taken under a tag: a message, or several that go together.
        self.taken: dict[str, Sequence[Delivery]] = {}
        self._reclaims_from = time.monotonic() + deliveries.GRACE_SECONDS
        self._died: set[str] = set()

    def append(self, message: Any, delivery_tag: str) -> None:
        """Hold a message that the broker has noted as in hand already."""
        kombu_virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget a message that was handled."""
        taken = self._let_go(delivery_tag)
        try:
            with self._client() as client:
                deliveries.acknowledge(client, taken)
        except (redis.RedisError, OSError):
            _TO_ACKNOWLEDGE.append(taken)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Hand a message back to the head of its queue; without ``requeue`` set it aside."""
        taken = self._let_go(delivery_tag)
        with self._client() as client:
            if requeue:
                has_died = delivery_tag in self._died
                deliveries.give_back(client, [each.tag for each in taken], counts=has_died)
            else:
                for each in taken:
                    deliveries.put_aside(client, each.tag, "no task of that name takes it")
        self._died.discard(delivery_tag)

    def note_death(self, delivery_tag: str) -> None:
        """Note that a process died with the message, so handing it back counts as a redelivery."""
        self._died.add(delivery_tag)

    def set_aside(self, taken: Delivery, reason: str) -> None:
        """Set aside a message that cannot be read, or not be passed on."""
        HELD.let_go(taken.tag)
        self.taken.pop(taken.tag, None)
        if taken.tag in self._delivered:
            kombu_virtual.QoS.ack(self, taken.tag)
        _log.warning("message set aside", queue=taken.queue_key, reason=reason)
        with self.channel.conn_or_acquire() as client:
            deliveries.put_aside(client, taken.tag, reason)

    def restore_unacked(self, client: Any = None) -> list[Any]:
        """Hand back what is in hand, when the channel closes.

        When only the connection broke, messages of running tasks stay: they would run twice.
        When the broker is away, ``restore_visible`` puts the rest back, here or in another worker.
        """
        self._flush()
        running = () if _is_stopping() else running_tags()
        going = [tag for tag in self._delivered if tag not in running]
        tags = [each.tag for tag in going for each in self.taken.get(tag, ())]
        try:
            if tags:
                with self._client(client) as connected:
                    deliveries.give_back(connected, tags)
        except (redis.RedisError, OSError) as error:
            _log.warning("not handed back", messages=len(tags), problem=error)
        for tag in going:
            self._let_go(tag)
        self._delivered.clear()
        self._dirty.clear()
        return []

    def restore_visible(self, *_: Any, **__: Any) -> None:
        """Put back what dead workers had in hand."""
        if time.monotonic() < self._reclaims_from:
            return
        with self.channel.conn_or_acquire() as client:
            number = deliveries.reclaim(client)
        if number:
            _log.warning("a worker died", messages_put_back=number)

    @contextmanager
    def _client(self, client: Any = None) -> Iterator[Any]:
        """Yield a client of the broker, through the newest connection when this one is closed.

        Kombu closes a connection while its messages are in hand, and then has no client to give.
        """
        for channel in (self.channel, *NEWEST):
            if channel.connection is not None and channel.connection.client is not None:
                with channel.conn_or_acquire(client) as connected:
                    yield connected
                return
        raise redis.ConnectionError("the connection is closed")

    def _let_go(self, tag: str) -> Sequence[Delivery]:
        kombu_virtual.QoS.ack(self, tag)
        taken = self.taken.pop(tag, (Delivery("", b"", tag, None),))
        for each in taken:
            HELD.let_go(each.tag)
        return taken


def tell_broker(client: Any) -> None:
    """Acknowledge and put back what could not be while the connection was broken."""
    while _TO_ACKNOWLEDGE:
        deliveries.acknowledge(client, _TO_ACKNOWLEDGE[-1])
        _TO_ACKNOWLEDGE.pop()
    while TO_PUT_BACK:
        deliveries.note(client, TO_PUT_BACK[-1])
        deliveries.give_back(client, [TO_PUT_BACK[-1].tag])
        TO_PUT_BACK.pop()


def running_tags() -> Collection[str]:
    """Return the tags of the messages whose tasks are running."""
    return [request.message.delivery_tag for request in tuple(state.active_requests)]


def _is_stopping() -> bool:
    asked = (state.should_stop, state.should_terminate)
    return any(each is not None and each is not False for each in asked)
