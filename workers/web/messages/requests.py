"""A request: its head, and its body read within bounds (contract §12).

The connection's own bounds, such as the size of a head and how slowly a body may come, are in
``connections``.
"""

import asyncio
import math
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from .json_bodies import LARGEST_BODY, LARGEST_PARSED, is_json, read_json, size_of_parsed
from .responses import Problem

#: A body of JSON that is not complete after so many seconds is refused.
SLOWEST_BODY_SECONDS: Final = 30.0
_GZIP: Final = zlib.MAX_WBITS | 16
_OF_BROWSERS: Final = (b"text/plain",)
#: RudderStack's client for Node calls its compressed JSON a form, as axios calls any bytes.
_OF_COMPRESSED: Final = (*_OF_BROWSERS, b"application/x-www-form-urlencoded")

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class Disconnected(Exception):  # noqa: N818 -- the caller's choice
    """The caller hung up before its request was complete."""


class Request:
    """A request that a route handles.

    ``path`` is as it was sent; ``parameters`` are its parts, by their names in the route's
    template. ``address`` is the client's, as a trusted proxy gives it. ``accept`` is called when
    the request is complete, ``hold`` with how many bytes more are held until its answer; both may
    raise a 503. ``size`` is the estimated size of its parsed body, in bytes.
    """

    __slots__ = (
        "_kept",
        "_receive",
        "accept",
        "address",
        "headers",
        "hold",
        "method",
        "parameters",
        "path",
        "query",
        "request_id",
        "size",
    )

    def __init__(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        *,
        headers: Mapping[bytes, bytes],
        address: str,
        request_id: str,
        accept: Callable[[], None],
        hold: Callable[[int], None],
    ) -> None:
        self.method: str = scope["method"]
        self.path: bytes = scope.get("raw_path", b"")
        self.query: bytes = scope["query_string"]
        self.headers = headers
        self.address = address
        self.request_id = request_id
        self.parameters: Mapping[str, str] = {}
        self.size = 0
        self.accept = accept
        self.hold = hold
        self._receive = receive
        self._kept: bytes | None = None

    async def look_at_body(self) -> bytes:
        """Return the whole body, and keep it for whoever asks for it."""
        self._kept = await self.body()
        return self._kept

    @property
    def can_be_read_again(self) -> bool:
        """Whether it has no body, or one that is kept."""
        return self._kept is not None or self.method in ("GET", "HEAD", "DELETE")

    async def json(self) -> Any:
        """Return the body, which must be JSON in UTF-8; raises a 400, 413 or 415."""
        body = await self.body()
        if not is_json(self.headers.get(b"content-type")):
            raise unsupported("Content-Type", "application/json in UTF-8")
        return read_json(body, most=LARGEST_PARSED)

    async def json_of_clients(self) -> tuple[Any, bool]:
        """Return the body's value, and whether it is strict JSON. Its type may be text/plain, as
        browsers send it, and it may hold bare NaN and infinities. Compressed bodies may have the
        type that a client's HTTP library gives to any bytes.
        """
        body = await self.body()
        also = _OF_COMPRESSED if b"content-encoding" in self.headers else _OF_BROWSERS
        if not is_json(self.headers.get(b"content-type"), also):
            raise unsupported("Content-Type", "application/json or text/plain, in UTF-8")
        try:
            return read_json(body, most=LARGEST_PARSED), True
        except Problem:
            return read_json(body, most=LARGEST_PARSED, allow_inf_nan=True), False

    async def stream(self, largest: int, within: float = math.inf) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises a 413 beyond ``largest`` bytes, a 415 if it is encoded, and a 408 if nothing comes
        for long, or if it is not complete ``within`` so many seconds.
        """
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise unsupported("Content-Encoding", "none")
        self._refuse_transfer_codings()
        self._refuse_larger(largest)
        read, more = 0, True
        ends = time.monotonic() + within
        while more:
            left = max(ends - time.monotonic(), 0)
            try:
                async with asyncio.timeout(min(SLOWEST_BODY_SECONDS, left)):
                    message = await self._receive()
            except TimeoutError:
                raise _too_slow(SLOWEST_BODY_SECONDS if left else within) from None
            chunk = _chunk(message)
            read += len(chunk)
            if read > largest:
                raise _too_large(largest)
            more = message.get("more_body", False)
            yield chunk
        self.accept()

    async def body(self) -> bytes:
        """Return the whole body, decompressed; raises a 413 for more than ``LARGEST_BODY``."""
        if self._kept is not None:
            return self._kept
        coding = self.headers.get(b"content-encoding", b"identity").lower()
        if coding not in (b"identity", b"gzip", b"x-gzip"):
            raise unsupported("Content-Encoding", "gzip, or none")
        self._refuse_transfer_codings()
        self._refuse_larger(LARGEST_BODY)
        message = await self._receive()
        body = _chunk(message)
        held = 0
        if message.get("more_body"):
            body = await self._rest(body)
            held = len(body)
        if len(body) > LARGEST_BODY:
            raise _too_large()
        if coding != b"identity":
            body = _unzipped(body)
        parsed = size_of_parsed(body)
        # What would take more is not parsed.
        self.size = parsed if parsed <= LARGEST_PARSED else len(body)
        self.hold(max(self.size - held, 0))
        self.accept()
        return body

    def _refuse_transfer_codings(self) -> None:
        """Refuse any transfer coding but chunks: the server would ignore it."""
        if self.headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise unsupported("Transfer-Encoding", "chunked, or none")

    def _refuse_larger(self, largest: int) -> None:
        length = self.headers.get(b"content-length")
        if length is not None and int(length) > largest:
            raise _too_large(largest)

    async def _rest(self, body: bytes) -> bytes:
        read = bytearray(body)
        self.hold(len(read))
        try:
            async with asyncio.timeout(SLOWEST_BODY_SECONDS):
                more = True
                while more:
                    message = await self._receive()
                    chunk = _chunk(message)
                    read += chunk
                    self.hold(len(chunk))
                    if len(read) > LARGEST_BODY:
                        raise _too_large()
                    more = message.get("more_body", False)
        except TimeoutError:
            raise _too_slow() from None
        return bytes(read)


CLOSING: Final = ((b"connection", b"close"),)


def segment(encoded: bytes, errors: str = "strict") -> str:
    """Return a percent-decoded segment of a path; raises a 400 if it is not UTF-8, unless
    ``errors`` says otherwise.
    """
    try:
        return unquote_to_bytes(encoded).decode(errors=errors)
    except UnicodeDecodeError:
        problem = "path: is not UTF-8, percent-encoded"
        raise Problem(HTTPStatus.BAD_REQUEST, "bad_path", problem) from None


def _chunk(message: Mapping[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise Disconnected
    chunk: bytes = message.get("body", b"")
    return chunk


def _unzipped(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(body, LARGEST_BODY + 1)
    except zlib.error:
        unpacked, whole = b"", False
    else:
        if len(unpacked) > LARGEST_BODY:
            raise _too_large()
        whole = unpacker.eof and not unpacker.unused_data
    if not whole:
        problem = "body: is not one gzip stream, as Content-Encoding says"
        raise Problem(HTTPStatus.BAD_REQUEST, "bad_encoding", problem)
    return unpacked


def _too_slow(seconds: float = SLOWEST_BODY_SECONDS) -> Problem:
    problem = f"the body was not here within {seconds:g} seconds"
    return Problem(HTTPStatus.REQUEST_TIMEOUT, "too_slow", problem, CLOSING)


def _too_large(largest: int = LARGEST_BODY) -> Problem:
    problem = f"body: is too large; allowed are {largest} bytes, decompressed"
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", problem)


def unsupported(header: str, allowed: str) -> Problem:
    """Return the 415 for a header of the body; ``allowed`` is what it may say."""
    problem = f"{header}: is not taken here; allowed is {allowed}"
    return Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_type", problem)
