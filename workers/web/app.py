"""The ASGI application: from a request to the answer of its route (contract §12)."""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import structlog

from halo_engine.cells.asking import NoAnswer
from halo_engine.cells.moved import moved_to
from halo_engine.domain.errors import Refusal
from halo_engine.outages import database_trouble

from ..tracing.causes import Cause, current, is_safe_id, set_cause
from .messages.cors import CLIENTS, allowing, preflight
from .messages.json_bodies import LARGEST_PARSED, SMALL_BODY
from .messages.mail_links import hiding
from .messages.proxies import Proxies
from .messages.rates import Rates
from .messages.requests import CLOSING, Disconnected, Receive, Request
from .messages.responses import (
    WHOLE_ANSWER,
    Headers,
    Problem,
    Response,
    for_clients,
    problem,
    refused,
)
from .routes import Caller, Route, Routes, Shows

_log = structlog.get_logger(__name__)

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
#: Called with every answer: its request, route (None if there is none), status, and seconds.
Observer = Callable[[Request, Route | None, int, float], None]

#: The most bytes that a process holds of bodies being read, and of calls that wait for an answer:
#: the largest call, and room for small ones beside it.
_MOST_HELD: Final = LARGEST_PARSED + 1024 * 1024
#: A smaller call is accepted even then, since the number of calls is bounded.
_SMALL: Final = 16 * SMALL_BODY
_RETRY: Final = ((b"retry-after", b"1"),)


@dataclass
class Held:
    """Counts the bytes of bodies that are held; more than ``most`` are refused."""

    most: int
    size: int = 0

    def __call__(self, size: int) -> None:
        """Hold so many bytes more, or release them if negative; raises a 503 beyond the bound."""
        self.size += size
        if size > 0 and self.size > self.most:
            raise unavailable("busy", "Too many bodies are on their way; try again.", CLOSING)


@dataclass
class Application:
    """The application that a process serves.

    ``stop`` makes it refuse new requests; ``is_at_rest`` says whether all accepted ones are
    answered. ``shows`` turns a problem into what the caller reads, where no route does.
    """

    routes: Routes
    proxies: Proxies = field(default_factory=Proxies)
    rates: Rates | None = None
    observers: Iterable[Observer] = ()
    shows: Shows | None = None
    stopping: bool = False
    _accepted: int = 0
    _held: int = 0

    def stop(self) -> None:
        """Refuse new requests from now on."""
        self.stopping = True

    @property
    def is_at_rest(self) -> bool:
        """Whether every request that was accepted is answered."""
        return self._accepted == 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        began = time.perf_counter()
        headers = _by_name(scope["headers"])
        request_id = _request_id(headers)
        # Each request is served in a context of its own.
        set_cause(Cause((request_id,), current().spans))
        call = _Call(self)
        request = Request(
            scope,
            receive,
            headers=headers,
            address=self.proxies.client(scope["client"][0] if scope["client"] else "", headers),
            request_id=request_id,
            accept=call.accept,
            hold=call.hold,
        )
        path: bytes = scope["raw_path"]
        route: Route | None = None
        try:
            try:
                _check_host(scope, headers)
                if request.method == "OPTIONS" and (allowed := preflight(path)) is not None:
                    response = allowed
                else:
                    route, request.parameters = self.routes.find(request.method, path)
                    response = await self._handled(request, route, call)
            except Disconnected:
                return
            except Exception as error:  # noqa: BLE001 -- whatever it is, the caller gets an answer
                response = self._shown(request, route, _failed(error))
            await _send(scope, send, request, response, (*allowing(path), *hiding(path)))
        finally:
            call.end()
        seconds = time.perf_counter() - began
        for observe in self.observers:
            observe(request, route, response.status, seconds)

    def _shown(self, request: Request, route: Route | None, problem: Response) -> Response:
        if request.path.startswith(CLIENTS):
            return for_clients(problem)
        shows = self.shows if route is None else route.shows
        return shows(request, problem) if shows else problem

    async def _handled(self, request: Request, route: Route, call: "_Call") -> Response:
        if route.always:
            return await route.handle(request, await route.who(request))
        self._refuse_if_stopping()
        caller = await self._caller(request, route)
        if request.method in _BODILESS:
            call.accept()
        return await route.handle(request, caller)

    async def _caller(self, request: Request, route: Route) -> Caller:
        """Return the caller, and count the request: by a secret key, else by the address; with a
        wrong key by the address, too.
        """
        if self.rates is None or route.of_mail:
            return await route.who(request)
        try:
            caller = await route.who(request)
        except Refusal:
            self.rates.take(request.address)
            raise
        self.rates.take(request.address if caller.key_id is None else str(caller.key_id))
        return caller

    def _refuse_if_stopping(self) -> None:
        if self.stopping:
            raise unavailable("stopping", "The server stops; another one will answer.", CLOSING)

    def _accept(self) -> None:
        self._refuse_if_stopping()
        self._accepted += 1

    def _answered(self) -> None:
        self._accepted -= 1


_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})


class _Call:
    """One request: whether it is accepted, so that a stop waits for its answer, and how many bytes
    are held for it.
    """

    __slots__ = ("_accepted", "_application", "_held")

    def __init__(self, application: Application) -> None:
        self._application = application
        self._accepted = False
        self._held = 0

    def accept(self) -> None:
        """Accept the request; raises a 503 while the process stops."""
        if not self._accepted:
            self._application._accept()  # noqa: SLF001 -- its own
            self._accepted = True

    def hold(self, size: int) -> None:
        """Hold so many bytes more; raises a 503 if the process holds too many."""
        application = self._application
        self._held += size
        application._held += size  # noqa: SLF001 -- its own
        if application._held > _MOST_HELD and self._held > _SMALL:  # noqa: SLF001
            raise unavailable("busy", "Too much is waiting; try again.", CLOSING)

    def end(self) -> None:
        """Release the request's bytes, and note its answer."""
        self._application._held -= self._held  # noqa: SLF001
        if self._accepted:
            self._application._answered()  # noqa: SLF001 -- its own


def _check_host(scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> None:
    """Refuse a request without a host, or with several: proxies may read it in different ways (RFC
    9112 §3.2).
    """
    host = headers.get(b"host")
    if (host is None and scope.get("http_version") == "1.1") or b"," in (host or b""):
        problem = "Host: is required; allowed is one"
        raise Problem(HTTPStatus.BAD_REQUEST, "bad_request", problem, CLOSING)


def unavailable(code: str, detail: str, headers: Headers = ()) -> Problem:
    """Return a 503 that asks the caller to try again in a second."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, code, detail, (*_RETRY, *headers))


def _failed(error: Exception) -> Response:
    """Return the answer to a request that raised; anything but a refusal is logged."""
    match error:
        case Refusal():
            return refused(error)
        case Problem():
            return error.response()
    if isinstance(error, NoAnswer) or moved_to(error) is not None:
        _log.warning("no answer", trouble=str(error))
        problem_ = "A database that is needed for this does not answer; try again."
        return unavailable("cell_away", problem_).response()
    trouble = database_trouble(error)
    if trouble is not None:
        _log.warning("database away", trouble=trouble)
        return unavailable("database_away", "The database is away; try again.").response()
    _log.error("failed", exc_info=error)
    problem_ = "This is our fault; the request id tells us which."
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", problem_)


async def _send(
    scope: Mapping[str, Any], send: Send, request: Request, response: Response, more: Headers
) -> None:
    status, body, media_type, own = response
    headers = [(b"x-request-id", request.request_id.encode()), *own, *more]
    if not any(name == _NO_STORE[0] for name, _ in own):
        headers.append(_NO_STORE)
    if status != HTTPStatus.NO_CONTENT:
        # Such an answer must not have a length (RFC 9110 §8.6).
        headers.append((b"content-length", b"%d" % len(body)))
    if body:
        headers.append((b"content-type", media_type))
    take_whole = scope.get("extensions", _NOTHING).get(WHOLE_ANSWER)
    if take_whole is not None and take_whole(status, headers, body):
        return
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_NO_STORE: Final = (b"cache-control", b"no-store")
_NOTHING: Final[Mapping[str, Any]] = {}


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """Return the headers by lower-case name; several of one name are joined by commas."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = b"%s, %s" % (found[name], value) if name in found else value
    return found


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """Return the caller's ``X-Request-Id`` if it is safe, else a new one."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if is_safe_id(given) else secrets.token_hex(16)
