"""The bounds of connections: the size of a head, the slowest sender, how many may be open.

uvicorn parses requests with httptools, and bounds none of this (decision 36).
"""

import re
from asyncio import TimerHandle
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .messages.responses import WHOLE_ANSWER, Headers, problem

#: In bytes: the request line and all headers.
LARGEST_HEAD: Final = 16 * 1024
#: In seconds: the longest time from the first byte of a head, or from connecting, to its end.
SLOWEST_HEAD_SECONDS: Final = 10
#: So many bytes of a body must come in so many seconds, while we read.
LEAST_BYTES: Final = 1024
LEAST_BYTES_SECONDS: Final = 10
#: In seconds: how long the rest of a body is read after its request was answered.
LEFTOVER_SECONDS: Final = 5
#: In seconds: how long a connection is kept that waits for its next request.
IDLE_SECONDS: Final = 60
#: If a process has more open connections, it closes the one that has been idle for longest.
MOST_CONNECTIONS: Final = 4096
#: The most requests that wait on a connection behind one that is not answered yet.
MOST_PIPELINED: Final = 16


class BoundedConnection(HttpToolsProtocol):
    """A connection that is closed when its sender exceeds a bound."""

    #: The idle connections, the longest idle first.
    idle: Final[dict["BoundedConnection", None]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._is_begun = False
        #: A refusal that waits until the request before it is answered.
        self._last: tuple[HTTPStatus, str, str] | None = None
        #: Bytes received of the head, and of the body since the timer began.
        self._received = 0
        self._fault = (HTTPStatus.BAD_REQUEST, "bad_request", "This is no HTTP/1.1 request.")
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for a request. If too many are open, close an idle one, or else this one."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            oldest = next(iter(self.idle), self)
            self.idle.pop(oldest, None)
            oldest.transport.abort()
        self.idle[self] = None
        self._begin_timer(SLOWEST_HEAD_SECONDS, self._is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.idle.pop(self, None)
        self._end_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes; refuse and close if they are not HTTP, or too many."""
        self._unset_keepalive_if_required()
        if self._last is not None:
            return
        self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request itself is complete. The rest is another protocol, which is not supported.
            self.cycle.keep_alive = False
            return
        except httptools.HttpParserError:
            self._refuse()
            return
        if self._is_begun and self._in_head and self._received > LARGEST_HEAD:
            self._refuse(_TOO_LARGE)
        elif len(self.pipeline) > MOST_PIPELINED:
            self._refuse()
        elif self._is_begun and self._timer is None:
            if self._in_head:
                self._begin_timer(SLOWEST_HEAD_SECONDS, self._is_late)
            else:
                self._received = 0
                self._begin_timer(LEAST_BYTES_SECONDS, self._look_at_body)

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        super().on_message_begin()
        self.idle.pop(self, None)
        self._is_begun = True

    def on_headers_complete(self) -> None:
        """Begin to handle the request, unless its head is too large."""
        self._in_head = False
        self._end_timer()
        if self._received > LARGEST_HEAD:
            # Some of it may be the body.
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > LARGEST_HEAD:
                self._fault = _TOO_LARGE
                raise ValueError(size)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._in_head, self._is_begun, self._received = True, False, 0
        self._end_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, once this one's body is completely read."""
        if self._last is not None and not self.transport.is_closing():
            self.transport.write(_written(*self._last))
            self.transport.close()
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._is_begun:
            self._end_timer()
            self._begin_timer(LEFTOVER_SECONDS, self.transport.close)
        elif self.cycle.response_complete:
            self.idle[self] = None

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Begin to handle a request; let the application give its answer in one go."""
        cycle.scope["extensions"] = {WHOLE_ANSWER: partial(self._answer_whole, cycle)}
        super()._start_asgi_task(cycle, app)

    def _answer_whole(self, cycle: Any, status: int, headers: Headers, body: bytes) -> bool:
        """Write an answer's head and body at once; return False if uvicorn has to.

        That is if the client does not read, or asked for no body. Two writes cost a busy server as
        much as parsing the request does.
        """
        is_usual = not (
            self.flow.write_paused or cycle.disconnected or cycle.scope["method"] == "HEAD"
        )
        if not is_usual or _UNSAFE.search(b"".join([value for _, value in headers])):
            return False
        lines = b"".join([b"%s: %s\r\n" % each for each in (*cycle.default_headers, *headers)])
        ends = not cycle.keep_alive or _CLOSE in headers
        if not cycle.keep_alive and _CLOSE not in headers:
            lines += b"connection: close\r\n"
        self.transport.write(b"%s%s\r\n%s" % (STATUS_LINE[status], lines, body))
        cycle.waiting_for_100_continue = False
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if ends:
            self.transport.close()
        cycle.on_response()
        return True

    def _look_at_body(self) -> None:
        self._timer = None
        if self._received < LEAST_BYTES and not self.flow.read_paused:
            self._is_late()
            return
        self._received = 0
        self._begin_timer(LEAST_BYTES_SECONDS, self._look_at_body)

    def _is_late(self) -> None:
        self._timer = None
        if self._is_begun:
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, fault: tuple[HTTPStatus, str, str] | None = None) -> None:
        """Answer that the request is refused, unless an answer has begun, and close.

        If an earlier request is under way, its answer comes first: a refusal in its place would say
        that nothing was done, although it may be committed. Requests behind it are not done.
        """
        if self.transport.is_closing():
            return
        self._end_timer()
        cycle: Any = self.cycle
        is_whole = cycle is not None and not cycle.response_complete and not cycle.more_body
        if self.pipeline or is_whole:
            self._last = fault or self._fault
            return
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_written(*(fault or self._fault)))
        self.transport.close()

    def _begin_timer(self, seconds: float, act: Callable[[], None]) -> None:
        self._timer = self.loop.call_later(seconds, act)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


_CLOSE: Final = (b"connection", b"close")
#: What would end a header before its end.
_UNSAFE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TOO_LARGE: Final = (
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "head_too_large",
    f"The request's line and headers are too large; allowed are {LARGEST_HEAD} bytes.",
)
_TOO_SLOW: Final = (
    HTTPStatus.REQUEST_TIMEOUT,
    "too_slow",
    (
        f"The request comes too slowly; allowed are {SLOWEST_HEAD_SECONDS} seconds for its head, "
        f"and then {LEAST_BYTES} bytes in {LEAST_BYTES_SECONDS} seconds."
    ),
)


def _written(status: HTTPStatus, code: str, detail: str) -> bytes:
    answer = problem(status, code, detail)
    headers = (
        (b"content-type", answer.media_type),
        (b"content-length", str(len(answer.body)).encode()),
        (b"connection", b"close"),
    )
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"%s%s\r\n%s" % (STATUS_LINE[status], lines, answer.body)
