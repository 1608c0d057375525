"""The bounds of connections, lowered for the test: how many, how slow, how long (contract §12)."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
import uvicorn

from workers.web import connections
from workers.web.app import Application
from workers.web.connections import BoundedConnection
from workers.web.endpoints.health import Health
from workers.web.messages.requests import Request
from workers.web.messages.responses import Response, answered
from workers.web.routes import Caller, Route, Routes

_MOST = 8
_GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
_POST = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def _anybody(_request: Request) -> Caller:
    return Caller()


async def _read(request: Request, _caller: Caller) -> Response:
    return answered(await request.json())


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Serve with low bounds, in a thread; yield host and port."""
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", _MOST)
    for name in ("SLOWEST_HEAD_SECONDS", "LEAST_BYTES_SECONDS"):
        monkeypatch.setattr(connections, name, 0.2)
    health = Health(lambda: True, lambda: False)
    routes = Routes([*health.routes(), Route("POST", "/body", _anybody, _read)])
    config = uvicorn.Config(
        Application(routes),
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True
        )
        thread.start()
        yield listening.getsockname()
        server.should_exit = True
        thread.join(timeout=30)


def _opened(place: tuple[str, int]) -> socket.socket:
    return socket.create_connection(place, timeout=30)


def _status(connection: socket.socket) -> bytes:
    """Return the status that is answered; nothing where the other side closes without one."""
    try:
        return connection.recv(65536)[9:12]
    except ConnectionError:
        return b""


def test_of_too_many_connections_the_longest_idle_one_is_closed(place: tuple[str, int]) -> None:
    """A new connection closes the one that is idle for longest."""
    with ExitStack() as stack:
        opened = [stack.enter_context(_opened(place)) for _ in range(_MOST)]
        for each in opened:
            each.sendall(_GET)
            assert _status(each) == b"200"
        newest = stack.enter_context(_opened(place))
        newest.sendall(_GET)
        assert _status(newest) == b"200"
        assert _status(opened[0]) == b""
        opened[1].sendall(_GET)
        assert _status(opened[1]) == b"200"


def test_where_none_is_idle_the_one_that_comes_is_closed(
    place: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If none is idle, the new connection is closed; the others go on until their own time is
    over.
    """
    monkeypatch.setattr(connections, "LEFTOVER_SECONDS", 60)
    with ExitStack() as stack:
        begun = [stack.enter_context(_opened(place)) for _ in range(_MOST)]
        for each in begun:
            # With the answer to the first request it is clear that the second has begun.
            each.sendall(_GET + _GET[:-2])
            assert _status(each) == b"200"
        one_more = stack.enter_context(_opened(place))
        with suppress(ConnectionError):
            one_more.sendall(_GET)
        assert _status(one_more) == b""
        for each in begun:
            each.sendall(_GET[-2:])
            assert _status(each) == b"200"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (_GET[:-2], b"408"),
        (_POST + b"Content-Length: 9\r\n\r\n", b"408"),
        (_POST + b"Content-Length: 9\r\n\r\n[", b"408"),
        (_POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n", b"408"),
    ],
    ids=["nothing", "half a head", "no body", "half a body", "half a chunked body"],
)
def test_a_stalled_sender_is_closed(place: tuple[str, int], sent: bytes, status: bytes) -> None:
    """A stalled sender is told why, if it has begun, and closed; others are answered meanwhile."""
    with _opened(place) as stalled, _opened(place) as other:
        stalled.sendall(sent)
        other.sendall(_GET)
        assert _status(other) == b"200"
        assert _status(stalled) == status
        assert stalled.recv(1) == b""
