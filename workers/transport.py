"""How a worker takes messages from Redis or Valkey: kombu's transport, with deliveries of ours.

Kombu pops a message and notes it as unacknowledged in two steps, reads it in the worker's parent
without a bound, puts what is handed back at the end of its queue, and waits for a dead worker's
messages as long as any task may take. Here they are taken in one step, read by ``envelopes``, put
back at the head, and a dead worker's come within two minutes (``deliveries``).
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
from workers.deliveries import FIRST_DELIVERED, Hands, Taken
from workers.envelopes import Unreadable, read_envelope

# Their types are known in part only.
kombu_redis: Any = kombu_redis_transport
kombu_virtual: Any = virtual

_log = structlog.get_logger(__name__)

#: Set apart from other workers' tags; the time before it makes tags sort by when they were taken.
_US: Final = uuid4().hex[:12]
_numbers = count()
_hands: Final = Hands()
#: The channel that takes messages now; and what was done while there was none.
_newest: Final[list[Any]] = []
_done_meanwhile: Final[list[Taken]] = []


def use_this_transport(**_: object) -> None:
    """Have a worker's connections to Redis or Valkey be of these (signal `celeryd_init`)."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"


def _new_tag() -> str:
    return f"{time.time_ns():020d}.{next(_numbers)}.{_US}"


class QoS(kombu_redis.QoS):  # type: ignore[misc]
    """What a channel has in hand: acknowledged, handed back or set aside in the broker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.taken: dict[str, Taken] = {}
        self._reclaims_from = time.monotonic() + deliveries.GRACE_SECONDS
        self._died: set[str] = set()

    def append(self, message: Any, delivery_tag: str) -> None:
        """Hold a message; the broker knows of it already."""
        kombu_virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget a message that was handled."""
        taken = self._let_go(delivery_tag)
        try:
            with self._client() as client:
                deliveries.acknowledge(client, taken)
        except (redis.RedisError, OSError):
            _done_meanwhile.append(taken)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Hand a message back to the head of its queue, or set aside what no task will take."""
        taken = self._let_go(delivery_tag)
        with self._client() as client:
            if requeue:
                has_died = taken.tag in self._died
                deliveries.give_back(client, [taken.tag], counts=has_died)
            else:
                deliveries.put_aside(client, taken.tag, "no task of that name takes it")
        self._died.discard(delivery_tag)

    def note_death(self, delivery_tag: str) -> None:
        """Say that a process died with the message: handed back, it counts as a redelivery."""
        self._died.add(delivery_tag)

    def set_aside(self, taken: Taken, reason: str) -> None:
        """Set aside a message that cannot be read, or not be passed on."""
        _hands.let_go(taken.tag)
        self.taken.pop(taken.tag, None)
        if taken.tag in self._delivered:
            kombu_virtual.QoS.ack(self, taken.tag)
        _log.warning("message set aside", queue=taken.queue_key, reason=reason)
        with self.channel.conn_or_acquire() as client:
            deliveries.put_aside(client, taken.tag, reason)

    def restore_unacked(self, client: Any = None) -> list[Any]:
        """Hand back all that is in hand, when the channel closes.

        Where only the connection broke, what still runs stays in hand: it would run twice. With the
        broker away that is left to ``restore_visible``, here or in another worker.
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
        """Yield a client of the broker, of the newest connection where this one is closed.

        Kombu closes it under a message in hand, and looks for the server's name in None after.
        """
        for channel in (self.channel, *_newest):
            if channel.connection is not None and channel.connection.client is not None:
                with channel.conn_or_acquire(client) as connected:
                    yield connected
                return
        raise redis.ConnectionError("the connection is closed")

    def _let_go(self, tag: str) -> Taken:
        _hands.let_go(tag)
        kombu_virtual.QoS.ack(self, tag)
        return self.taken.pop(tag, Taken("", b"", tag, None))


class Channel(kombu_redis.Channel):  # type: ignore[misc]
    """Takes messages one by one: at once while there are some, waiting when there were none."""

    QoS = QoS
    _found_one = True

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue; what an earlier channel had in hand is touched while it runs."""
        if not self.active_queues and queue not in self._fanout_queues:
            _hands.begin(self._create_client, _running())
            _newest[:] = [self]
            while _done_meanwhile:
                deliveries.acknowledge(self._create_client(), _done_meanwhile[-1])
                _done_meanwhile.pop()
        return super().basic_consume(queue, *args, **kwargs)

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask for a message, kombu's way where there was none at the last look.

        Only then a death at the very moment of delivery loses a message: no command of the broker
        waits and takes in one step from several queues.
        """
        if not self._found_one:
            super()._brpop_start(timeout)
            return
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        self._asked_with = _new_tag()
        # Its answer may have to wait until a process is free.
        _hands.hold(self._asked_with)
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
                _hands.let_go(asked)
            raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    _asked_with: str | None = None

    def _noted(self, asked: str | None, reply: list[Any]) -> Taken:
        queue_key, raw, *seen = reply
        with self.conn_or_acquire() as client:
            if asked is None:
                return deliveries.note(client, _new_tag(), queue_key.decode(), raw)
            return deliveries.taken(client, asked, queue_key.decode(), raw, seen[0])

    def _receive_taken(self, taken: Taken) -> None:
        """Give the message to its consumer; set aside what cannot be read or passed on."""
        _hands.hold(taken.tag)
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
    """Kombu's transport with that channel."""

    Channel = Channel


def _tell_sender(task_id: str, reason: str) -> None:
    """Leave a refusal as the task's result for whoever waits for it."""
    refusal = Refusal(400, "bad_message", reason)
    current_app.backend.store_result(task_id, {"refused": refusal.as_dict()}, states.SUCCESS)


def _is_stopping() -> bool:
    asked = (state.should_stop, state.should_terminate)
    return any(each is not None and each is not False for each in asked)


def _running() -> Collection[str]:
    return [request.message.delivery_tag for request in tuple(state.active_requests)]


def _forget_request(task_id: str) -> None:
    """Give back the place that a request was given in the worker before it failed."""
    request = state.requests.get(task_id)
    if request is not None and request not in state.active_requests:
        state.task_ready(request)
