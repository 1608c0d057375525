"""Take messages from Redis or Valkey: kombu's transport, with deliveries of ours.

Kombu pops a message and notes it as unacknowledged in two steps. It reads the message in the
worker's parent process without a bound, puts a message that is handed back at the end of its queue,
and gives up on a dead worker only after the longest time that any task may take.

Here one step takes a message (``scripts``), and ``envelopes`` reads it within bounds. A message
that is handed back goes to the head of its queue, and a dead worker's messages come again within
two minutes (``in_hand``, ``deliveries``).
"""

import time
from collections.abc import Sequence
from itertools import count
from queue import Empty
from typing import Any, Final
from uuid import uuid4

import redis
import structlog
from celery import current_app, states
from celery.worker import state
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis_transport

from halo_engine.domain.errors import Refusal

from . import deliveries
from .deliveries import FIRST_DELIVERED, Delivery
from .envelopes import Unreadable, read_envelope
from .gathering import gathered
from .in_hand import HELD, NEWEST, TO_PUT_BACK, QoS, running_tags, tell_broker
from .replies import reading

# Its types are known in part only.
kombu_redis: Any = kombu_redis_transport

_log = structlog.get_logger(__name__)

#: Ends this worker's tags. Each begins with the time, so tags sort by when they were taken.
_WORKER_ID: Final = uuid4().hex[:12]
_numbers = count()


def use_this_transport(**_: object) -> None:
    """Make a worker use this transport for Redis and Valkey (signal `celeryd_init`)."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"


def _new_tag() -> str:
    return f"{time.time_ns():020d}.{next(_numbers)}.{_WORKER_ID}"


class Channel(kombu_redis.Channel):  # type: ignore[misc]
    """Takes messages one by one. It waits in the broker only after it found the queues empty."""

    QoS = QoS
    _found_one = True

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue, after telling the broker what the last connection could not."""
        if not self.active_queues and queue not in self._fanout_queues:
            HELD.begin(self._create_client, running_tags())
            NEWEST[:] = [self]
            tell_broker(self._create_client())
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
        HELD.hold(self._asked_with)
        keys = [self._q_for_pri(queue, step) for step in self.priority_steps for queue in queues]
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        command = deliveries.take_command(self._asked_with, keys)
        self.client.connection.send_command(*command)

    def _brpop_read(self, **options: Any) -> bool:
        asked, self._asked_with = self._asked_with, None
        try:
            reply = self._reply("EVAL" if asked else "BRPOP", options)
            self._found_one = bool(reply)
            if not reply:
                raise Empty
            queue_key, raw, *seen = reply
            if len(seen) > 1:
                self._receive_together(queue_key, [raw, *seen[1:]], asked)
            else:
                self._receive_taken(self._noted(asked, reply))
            return True
        except BaseException:
            if asked:
                HELD.let_go(asked)
            raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    _asked_with: str | None = None

    def _reply(self, command: str, options: dict[str, Any]) -> list[Any]:
        """Return the reply to a command that takes a message: its queue and bytes, or nothing."""
        try:
            with reading():
                reply = self.client.parse_response(self.client.connection, command, **options)
                if not reply:
                    return []
                queue_key, raw, *seen = reply
                return [queue_key.decode(), raw, *seen]
        except self.connection_errors:
            self.client.connection.disconnect()
            raise

    def _noted(self, asked: str | None, reply: list[Any]) -> Delivery:
        queue_key, raw, *seen = reply
        taken = Delivery(queue_key, raw, asked or _new_tag(), None)
        try:
            with self.conn_or_acquire() as client, reading():
                if asked is None:
                    return deliveries.note(client, taken)
                return deliveries.with_first_delivery(client, taken, seen[0])
        except (redis.RedisError, OSError):
            if asked is None:
                TO_PUT_BACK.append(taken)
            raise

    def _receive_together(self, queue_key: str, messages: Sequence[bytes], asked: Any) -> None:
        """Give messages that were taken together to their consumer as one (``gathering``); hand
        back those that go alone.
        """
        taken = [
            Delivery(queue_key, raw, deliveries.tag_of(asked, number), None)
            for number, raw in enumerate(messages)
        ]
        envelope, number = gathered(taken)
        if number < len(taken):
            with self.conn_or_acquire() as client:
                deliveries.give_back(client, [each.tag for each in taken[number:]])
        if envelope is None:
            self._receive_taken(taken[0])
            return
        for each in taken[:number]:
            HELD.hold(each.tag)
        self.qos.taken[asked] = taken[:number]
        queue = queue_key.rsplit(self.sep, 1)[0]
        self._queue_cycle.rotate(queue)
        envelope["properties"]["delivery_tag"] = asked
        envelope["properties"]["delivery_info"]["routing_key"] = queue
        self.connection._deliver(envelope, queue)  # noqa: SLF001 -- as kombu's channels do

    def _receive_taken(self, taken: Delivery) -> None:
        """Give the message to its consumer; set it aside if it cannot be read or passed on."""
        HELD.hold(taken.tag)
        self.qos.taken[taken.tag] = (taken,)
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
        # It may have been sent to another queue: a retry goes to the one where it was.
        envelope["properties"]["delivery_info"]["routing_key"] = queue
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


def _tell_sender(task_id: str, reason: str) -> None:
    """Store a refusal as the task's result, for a sender that waits for it."""
    refusal = Refusal(400, "bad_message", reason)
    try:
        current_app.backend.store_result(task_id, {"refused": refusal.as_dict()}, states.SUCCESS)
    except Exception as error:  # noqa: BLE001 -- a sender that is not told must not end the worker
        _log.warning("sender not told", problem=error)


def _forget_request(task_id: str) -> None:
    """Remove a request that failed before it ran from the worker's list of requests."""
    request = state.requests.get(task_id)
    if request is not None and request not in state.active_requests:
        state.task_ready(request)
