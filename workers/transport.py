"""How a worker takes messages from Redis or Valkey: kombu's transport, with deliveries of ours.

Kombu pops a message and notes it as unacknowledged in two steps. It reads the message in the
worker's parent process without a bound, puts a message that is handed back at the end of its queue,
and gives up on a dead worker only after the longest time that any task may take.

Here one step takes a message (``broker_scripts``), ``envelopes`` reads it within bounds, a message
that is handed back goes to the head of its queue, and a dead worker's messages come again within
two minutes (``deliveries``).
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import count
from queue import Empty
from typing import Any, Final
from uuid import uuid4

import redis
import structlog
from celery import current_app, states
from celery.worker import state
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.transport import redis as kombu_redis_transport

from halo_engine.domain.errors import Refusal
from workers import deliveries
from workers.deliveries import FIRST_DELIVERED, Delivery, HeldTags
from workers.envelopes import Unreadable, read_envelope

# Their types are known in part only.
kombu_redis: Any = kombu_redis_transport
kombu_virtual: Any = virtual

_log = structlog.get_logger(__name__)

#: Ends this worker's tags. Each begins with the time, so tags sort by when they were taken.
_WORKER_ID: Final = uuid4().hex[:12]
_numbers = count()
_held: Final = HeldTags()
#: The channel that takes messages now.
_newest: Final[list[Any]] = []
#: What the broker could not be told, because the connection broke: which messages were handled, and
#: which were popped. The next connection tells it.
_to_acknowledge: Final[list[Delivery]] = []
_to_put_back: Final[list[Delivery]] = []


def use_this_transport(**_: object) -> None:
    """Make a worker use this transport for Redis and Valkey (signal `celeryd_init`)."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"


def _new_tag() -> str:
    return f"{time.time_ns():020d}.{next(_numbers)}.{_WORKER_ID}"


class QoS(kombu_redis.QoS):  # type: ignore[misc]
    """Acknowledges, hands back and sets aside what a channel has in hand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.taken: dict[str, Delivery] = {}
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
            _to_acknowledge.append(taken)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Hand a message back to the head of its queue; without ``requeue`` set it aside."""
        taken = self._let_go(delivery_tag)
        with self._client() as client:
            if requeue:
                has_died = taken.tag in self._died
                deliveries.give_back(client, [taken.tag], counts=has_died)
            else:
                deliveries.put_aside(client, taken.tag, "no task of that name takes it")
        self._died.discard(delivery_tag)

    def note_death(self, delivery_tag: str) -> None:
        """Note that a process died with the message, so handing it back counts as a redelivery."""
        self._died.add(delivery_tag)

    def set_aside(self, taken: Delivery, reason: str) -> None:
        """Set aside a message that cannot be read, or not be passed on."""
        _held.let_go(taken.tag)
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
        running = () if _is_stopping() else _running()
        tags = [tag for tag in self._delivered if tag not in running]
        try:
            if tags:
                with self._client(client) as connected:
                    deliveries.give_back(connected, tags)
        except (redis.RedisError, OSError) as error:
            _log.warning("not handed back", messages=len(tags), problem=error)
        for tag in tags:
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
        for channel in (self.channel, *_newest):
            if channel.connection is not None and channel.connection.client is not None:
                with channel.conn_or_acquire(client) as connected:
                    yield connected
                return
        raise redis.ConnectionError("the connection is closed")

    def _let_go(self, tag: str) -> Delivery:
        _held.let_go(tag)
        kombu_virtual.QoS.ack(self, tag)
        return self.taken.pop(tag, Delivery("", b"", tag, None))


class Channel(kombu_redis.Channel):  # type: ignore[misc]
    """Takes messages one by one. It waits in the broker only after it found the queues empty."""

    QoS = QoS
    _found_one = True

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue, after telling the broker what the last connection could not."""
        if not self.active_queues and queue not in self._fanout_queues:
            _held.begin(self._create_client, _running())
            _newest[:] = [self]
            _tell_broker(self._create_client())
        return super().basic_consume(queue, *args, **kwargs)

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask for a message; when the last look found none, wait for one in kombu's way.

        Kombu's BRPOP pops and does not note. So a worker that is killed at the very moment of
        delivery loses that message, if it was idle: no command of the broker waits on several
        queues and takes in one step.
        """
        if not self._found_one:
            super()._brpop_start(timeout)
            return
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        self._asked_with = _new_tag()
        # Touched from now on: the answer may lie unread until a process is free.
        _held.hold(self._asked_with)
        keys = [self._q_for_pri(queue, step) for step in self.priority_steps for queue in queues]
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        command = deliveries.take_command(self._asked_with, keys)
        self.client.connection.send_command(*command)

    def _brpop_read(self, **options: Any) -> bool:
        asked, self._asked_with = self._asked_with, None
        try:
            try:
                reply = self.client.parse_response(
                    self.client.connection, "EVAL" if asked else "BRPOP", **options
                )
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            self._found_one = bool(reply)
            if not reply:
                raise Empty
            self._receive_taken(self._noted(asked, reply))
            return True
        except BaseException:
            if asked:
                _held.let_go(asked)
            raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    _asked_with: str | None = None

    def _noted(self, asked: str | None, reply: list[Any]) -> Delivery:
        queue_key, raw, *seen = reply
        taken = Delivery(queue_key.decode(), raw, asked or _new_tag(), None)
        try:
            with self.conn_or_acquire() as client:
                if asked is None:
                    return deliveries.note(client, taken)
                return deliveries.with_first_delivery(client, taken, seen[0])
        except (redis.RedisError, OSError):
            if asked is None:
                _to_put_back.append(taken)
            raise

    def _receive_taken(self, taken: Delivery) -> None:
        """Give the message to its consumer; set it aside if it cannot be read or passed on."""
        _held.hold(taken.tag)
        self.qos.taken[taken.tag] = taken
        queue = taken.queue_key.rsplit(self.sep, 1)[0]
        self._queue_cycle.rotate(queue)
        try:
            envelope = read_envelope(taken.raw)
        except Unreadable as unreadable:
            self.qos.set_aside(taken, str(unreadable))
            if unreadable.task_id is not None:
                _tell_sender(unreadable.task_id, str(unreadable))
            return
        envelope["properties"]["delivery_tag"] = taken.tag
        envelope["headers"].pop(FIRST_DELIVERED, None)
        if taken.first_delivered is not None:
            envelope["headers"][FIRST_DELIVERED] = taken.first_delivered
            envelope["properties"]["delivery_info"]["redelivered"] = True
        try:
            self.connection._deliver(envelope, queue)  # noqa: SLF001 -- as kombu's channels do
        except self.connection_errors:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever Celery makes of it
            _forget_request(envelope["headers"]["id"])
            self.qos.set_aside(taken, f"the worker cannot pass it on: {type(error).__name__}")


class Transport(kombu_redis.Transport):  # type: ignore[misc]
    """Kombu's transport with the channel above."""

    Channel = Channel


def _tell_broker(client: Any) -> None:
    """Acknowledge and put back what could not be while the connection was broken."""
    while _to_acknowledge:
        deliveries.acknowledge(client, _to_acknowledge[-1])
        _to_acknowledge.pop()
    while _to_put_back:
        deliveries.note(client, _to_put_back[-1])
        deliveries.give_back(client, [_to_put_back[-1].tag])
        _to_put_back.pop()


def _tell_sender(task_id: str, reason: str) -> None:
    """Store a refusal as the task's result, for a sender that waits for it."""
    refusal = Refusal(400, "bad_message", reason)
    try:
        current_app.backend.store_result(task_id, {"refused": refusal.as_dict()}, states.SUCCESS)
    except Exception as error:  # noqa: BLE001 -- a sender that is not told must not end the worker
        _log.warning("sender not told", problem=error)


def _is_stopping() -> bool:
    asked = (state.should_stop, state.should_terminate)
    return any(each is not None and each is not False for each in asked)


def _running() -> Collection[str]:
    return [request.message.delivery_tag for request in tuple(state.active_requests)]


def _forget_request(task_id: str) -> None:
    """Remove a request that failed before it ran from the worker's list of requests."""
    request = state.requests.get(task_id)
    if request is not None and request not in state.active_requests:
        state.task_ready(request)
