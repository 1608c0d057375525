"""Slow, stalled and oversized senders are bounded and refused, and delay nobody else (contract
§12).
"""

import re
import socket
from contextlib import ExitStack

import pytest

from tests.web.conftest import PATIENCE_SECONDS, Web
from workers.web.connections import LARGEST_HEAD
from workers.web.messages.json_bodies import LARGEST_BODY

_HEAD = b"POST /api/sdk/users/identify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
_JSON = b"Content-Type: application/json\r\n"


def _opened(web: Web) -> socket.socket:
    return socket.create_connection(web.place, timeout=PATIENCE_SECONDS)


def _answer(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    read = b""
    while chunk := connection.recv(65536):
        read += chunk
    return read


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 65536 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 65536,
        b"GET /" + b"a" * 65536,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 11_000,
    ],
    ids=["whole", "half a header", "half a path", "many headers"],
)
def test_a_head_of_64_kb_is_refused(web: Web, head: bytes) -> None:
    """A head of 64 KB is refused, complete or not."""
    with _opened(web) as connection:
        connection.sendall(head)
        assert _answer(connection).startswith(b"HTTP/1.1 431 ")


def test_a_head_just_below_the_bound_is_read(web: Web) -> None:
    """A head just below the bound is accepted."""
    with _opened(web) as connection:
        value = b"a" * (LARGEST_HEAD - 100)
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: "
            + value
            + b"\r\n\r\n"
        )
        assert _answer(connection).startswith(b"HTTP/1.1 200 ")


def test_what_is_no_http_is_refused(web: Web) -> None:
    """What is not HTTP is refused, and the connection is closed."""
    with _opened(web) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert _answer(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (LARGEST_BODY + 1),
    ],
    ids=["announced", "chunked"],
)
def test_a_body_over_the_bound_is_refused(web: Web, framing: bytes) -> None:
    """A body over the bound is refused as soon as that is clear, and its rest is not kept."""
    with _opened(web) as connection:
        connection.sendall(_HEAD + _JSON + framing)
        connection.sendall(b" " * (LARGEST_BODY + 1))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (_HEAD + _JSON + b"Transfer-Encoding: gzip, chunked\r\n", b"415"),
        (_HEAD + _JSON + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"400"),
        (_HEAD + _JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n", b"400"),
        (_HEAD + _JSON + b"Transfer-Encoding : chunked\r\n", b"400"),
        (_HEAD + b"Host: y\r\n", b"400"),
        (_HEAD.replace(b"Host: x\r\n", b""), b"400"),
        (_HEAD + b"X-Folded: a\r\n b\r\n", b"400"),
    ],
)
def test_what_a_proxy_may_read_otherwise_is_refused(web: Web, head: bytes, status: bytes) -> None:
    """A request that a proxy may read in another way, in its length or its host, is refused (RFC
    9112).
    """
    with _opened(web) as connection:
        connection.sendall(head + b"\r\n2\r\n{}\r\n0\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 " + status + b" ")


def test_half_a_request_holds_nobody_up(web: Web) -> None:
    """While many senders stall in head and body, others are answered at once."""
    org = web.organization()
    with ExitStack() as stack:
        for number in range(200):
            stalled = stack.enter_context(_opened(web))
            half = b"" if number % 2 else _JSON + b"Content-Length: 100\r\n\r\n{"
            stalled.sendall(_HEAD + half)
        answer = web.post("/api/sdk/users/identify", str(org.widget_key), {"user_id": "ann"})
    assert answer.status == 200


def test_requests_that_come_in_one_packet_are_answered_in_order(web: Web) -> None:
    """Pipelined requests are answered in order, but only a few may wait."""
    get = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
    with _opened(web) as connection:
        last = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        connection.sendall(get % b"healthz" + get % b"metrics" + last)
        statuses = [part[:3] for part in _answer(connection).split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"404"]
    with _opened(web) as connection:
        connection.sendall(get % b"healthz" * 1_000)
        assert b"HTTP/1.1 400 " in _answer(connection)


def test_an_upgrade_is_ignored(web: Web) -> None:
    """An upgrade is ignored, as RFC 9110 §7.8 allows, and the connection is closed afterwards."""
    with _opened(web) as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        )
        assert _answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_bad_request_behind_a_good_one_waits_for_its_answer(web: Web) -> None:
    """A bad request behind a good one is refused after the good one's answer."""
    org = web.organization()
    body = b'{"user_id": "ann"}'
    head = _HEAD.replace(b"Bearer k", f"Bearer {org.widget_key}".encode()) + _JSON
    good = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    for behind in (b"no request\r\n\r\n", good * 20):
        with _opened(web) as connection:
            connection.sendall(good + behind)
            statuses = re.findall(rb"HTTP/1\.1 (\d+) ", _answer(connection))
        assert statuses == [b"200", b"400"]
