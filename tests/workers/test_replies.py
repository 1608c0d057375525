"""A reply that the broker's client cannot read is the broker's trouble, and ends no worker."""

import socketserver
from collections.abc import Iterator
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from workers.broker.replies import reading
from workers.broker.transport import Channel
from workers.outage import trouble


class _Garbling(socketserver.BaseRequestHandler):
    """Answers whatever it is asked with a number that is none."""

    def handle(self) -> None:
        """Answer the first command."""
        self.request.recv(4096)
        self.request.sendall(b":x\r\n")


@pytest.fixture
def garbling() -> Iterator[redis.Redis]:
    """A client of a server that sends no sense."""
    with socketserver.TCPServer(("127.0.0.1", 0), _Garbling) as server:
        thread = Thread(target=server.handle_request, daemon=True)
        thread.start()
        port = server.server_address[1]
        with redis.Redis(port=port, protocol=2, driver_info=None) as client:
            yield client
        thread.join()


def test_a_reply_that_cannot_be_read_is_the_brokers_trouble(garbling: redis.Redis) -> None:
    """A call that meets it waits, and is not given up as its own fault."""
    with pytest.raises(ValueError, match="invalid literal") as raised:
        garbling.get("a")
    assert trouble(raised.value) == "broker: ValueError"


def test_the_same_error_of_ours_is_no_trouble_of_the_broker() -> None:
    """The same error outside the broker's client is the call's own."""
    with pytest.raises(ValueError, match="invalid literal") as raised:
        int("x")
    assert trouble(raised.value) is None


@pytest.mark.parametrize(
    "reply", [7, [b"queue alone"], [b"\xff", b"no text"], [7, b"message"]], ids=repr
)
def test_a_worker_takes_such_a_reply_for_a_lost_connection(reply: object) -> None:
    """Celery then connects again, and the message, still in hand in the broker, comes again."""
    closed = []
    connection = SimpleNamespace(disconnect=lambda: closed.append(True))
    client = SimpleNamespace(parse_response=lambda *_, **__: reply, connection=connection)
    channel: Any = SimpleNamespace(client=client, connection_errors=(redis.ConnectionError,))
    with pytest.raises(redis.ConnectionError, match="a reply cannot be read: "):
        Channel._reply(channel, "EVAL", {})  # noqa: SLF001 -- the one place that reads
    assert closed == [True]


def test_what_was_read_raises_nothing() -> None:
    """Errors of the connection itself stay as they are."""
    with reading():
        pass
    with pytest.raises(redis.TimeoutError), reading():
        raise redis.TimeoutError
