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
_BOUNDS = ("SLOWEST_HEAD_SECONDS", "LEAST_BYTES_SECONDS")
_FOR_EVER = 600
_GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
_POST = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def _anybody(_request: Request) -> Caller:
    return Caller()


async def _read(request: Request, _caller: Caller) -> Response:
    return answered(await request.json())


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Serve few connections, in a thread; yield host and port. Nobody is too slow yet."""
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", _MOST)
    for name in (*_BOUNDS, "LEFTOVER_SECONDS"):
        monkeypatch.setattr(connections, name, _FOR_EVER)
    health = Health(dict, lambda: False)
    routes = Routes([*health.routes(), Route("POST", "/body", _anybody, _read)])
    config = uvicorn.Config(
        Application(routes),
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        timeout_keep_alive=_FOR_EVER,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True
        )
        thread.start()
        yield listening.getsockname()
        server.should_exit = True
        thread.join(timeout=120)


def _opened(place: tuple[str, int]) -> socket.socket:
    return socket.create_connection(place, timeout=120)


def _status(connection: socket.socket) -> bytes:
    """Return the status that is answered; nothing where the other side closes without one."""
    try:
        return connection.recv(65536)[9:12]
    except ConnectionError:
        return b""


def _answered(connection: socket.socket) -> bytes:
    """Make a request; return the status of its answer."""
    connection.sendall(_GET)
    return _status(connection)


def test_of_too_many_connections_the_longest_idle_one_is_closed(place: tuple[str, int]) -> None:
    """A new connection closes the one that is idle for longest."""
    with ExitStack() as stack:
        opened = [stack.enter_context(_opened(place)) for _ in range(_MOST)]
        for each in opened:
            assert _answered(each) == b"200"
        newest = stack.enter_context(_opened(place))
        assert _answered(newest) == b"200"
        assert _status(opened[0]) == b""
        assert _answered(opened[1]) == b"200"


def test_where_none_is_idle_the_one_that_comes_is_closed(place: tuple[str, int]) -> None:
    """If none is idle, the new connection is closed; the others go on until their own time is
    over.
    """
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
    "sent",
    [
        _GET[:-2],
        _POST + b"Content-Length: 9\r\n\r\n",
        _POST + b"Content-Length: 9\r\n\r\n[",
        _POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n",
    ],
    ids=["half a head", "no body", "half a body", "half a chunked body"],
)
def test_a_stalled_sender_is_closed(
    place: tuple[str, int], monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """A sender that stalls is told why, and closed; others are answered meanwhile."""
    with _opened(place) as stalled, _opened(place) as other:
        for each in (stalled, other):
            # Its next request has the bounds that hold by then.
            assert _answered(each) == b"200"
        _lower_bounds(monkeypatch)
        stalled.sendall(sent)
        assert _answered(other) == b"200"
        assert _status(stalled) == b"408"
        assert stalled.recv(1) == b""


def test_whoever_sends_nothing_is_closed(
    place: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection over which nothing comes is closed without a word; others are answered
    meanwhile.
    """
    with _opened(place) as other:
        assert _answered(other) == b"200"
        _lower_bounds(monkeypatch)
        with _opened(place) as stalled:
            assert _answered(other) == b"200"
            assert _status(stalled) == b""


def _lower_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _BOUNDS:
        monkeypatch.setattr(connections, name, 0.2)
