"""A connection that breaks under a message costs neither the worker nor the message."""

from types import SimpleNamespace
from typing import Any

import kombu.transport
import pytest
import redis
from celery.exceptions import BackendStoreError
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from workers.broker import deliveries, transport
from workers.broker.in_hand import QoS
from workers.broker.scripts import IN_HAND
from workers.connections import broker


@pytest.fixture
def closed() -> Any:
    """What a channel has in hand, one message, after kombu closed its connection."""
    channel = SimpleNamespace(connection=SimpleNamespace(client=None), do_restore=True)
    hand: Any = QoS(channel)
    hand.append(object(), "1")
    return hand


def test_acknowledging_after_the_connection_meets_a_lost_one(closed: Any) -> None:
    """Acknowledging on a closed connection raises a lost connection, which Celery survives."""
    with pytest.raises(redis.ConnectionError, match="the connection is closed"):
        closed.ack("1")


def test_handing_back_after_the_connection_raises_nothing(closed: Any) -> None:
    """Handing back on a closed connection raises nothing; another worker reclaims the messages."""
    assert closed.restore_unacked() == []
    assert closed.restore_unacked() == []


def test_a_message_that_was_popped_and_not_noted_is_put_back(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle worker waits with a command that pops; the next connection puts the message back."""

    def broken(*_: Any) -> None:
        raise redis.ConnectionError("the connection broke")

    monkeypatch.setitem(TRANSPORT_ALIASES, "redis", "workers.broker.transport:Transport")
    # Kombu remembers which transport a name stood for.
    monkeypatch.setattr(kombu.transport, "_transport_cache", {})
    with Connection(broker_url) as connection:
        with monkeypatch.context() as patch:
            patch.setattr(deliveries, "note", broken)
            channel: Any = connection.channel()
            with pytest.raises(redis.ConnectionError):
                channel._noted(None, ["some.queue", b"message"])  # noqa: SLF001 -- BRPOP's answer
        again: Any = connection.channel()
        again.basic_consume("some.queue", False, print, "consumer")
        client: Any = broker(broker_url)
        assert client.lrange("some.queue", 0, -1) == [b"message"]
        assert client.hlen(IN_HAND) == 0


def test_a_sender_that_cannot_be_told_does_not_end_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message is set aside already, so the worker goes on if the broker goes before the answer
    is stored.
    """
    asked = []

    def fail(*call: Any) -> None:
        asked.append(call)
        raise BackendStoreError("failed to store result on the backend")

    backend = SimpleNamespace(store_result=fail)
    monkeypatch.setattr(transport, "current_app", SimpleNamespace(backend=backend))
    transport._tell_sender("1a2b", "body: is no JSON in UTF-8")  # noqa: SLF001 -- between two takes
    [(task_id, answer, state)] = asked
    assert (task_id, state) == ("1a2b", "SUCCESS")
    assert answer["refused"]["code"] == "bad_message"
