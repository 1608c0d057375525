"""Routes by method and path; a path is split before it is decoded (contract §12)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple
from uuid import UUID

from halo_engine.work import OrgRef

from .messages.requests import Request, segment
from .messages.responses import Problem, Response


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request: the organisation that its proof names, if any.

    ``key`` names the secret key that proved it; it is none for the publishable widget key.
    ``key_id`` tells that key from others with the same name, also in other organisations.
    """

    org: OrgRef | None = None
    key: str | None = None
    key_id: UUID | None = None


#: Returns the caller, or raises a 401 or 403.
Proof = Callable[[Request], Awaitable[Caller]]
Handler = Callable[[Request, Caller], Awaitable[Response]]


#: Turns a problem in JSON into another answer to the same request.
Shows = Callable[[Request, Response], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, who may call it, and its handler.

    ``template`` is the path with its parameters in braces: ``/api/series/{key}``. It stands for
    the path in logs and metrics. ``always``: it answers while the process stops, too. ``shows``
    turns a problem into what this route's callers read, if that is no JSON. ``slashed``: the path
    may also end in a slash. ``of_mail``: it is a mail's link, so anything may stand for its token,
    and no rate counts whoever follows it.
    """

    method: str
    template: str
    who: Proof
    handle: Handler
    always: bool = False
    shows: Shows | None = None
    slashed: bool = False
    of_mail: bool = False


class FoundRoute(NamedTuple):
    """The route of a request, and the parameters of its path."""

    route: Route
    parameters: Mapping[str, str]


_ByMethod = dict[str, Route]
_NOTHING: Final[Mapping[str, str]] = {}


class Routes:
    """All routes of a process. A literal segment counts before a parameter."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.all: Final = tuple(routes)
        self._plain: dict[bytes, _ByMethod] = {}
        self._patterns: dict[int, dict[tuple[bytes, ...], _ByMethod]] = {}
        for route in self.all:
            by_method = self._at(route.template.encode())
            assert route.method not in by_method, f"{route.method} {route.template} comes twice"
            by_method[route.method] = route
            if route.slashed:
                self._at(f"{route.template}/".encode())[route.method] = route
        for length, patterns in self._patterns.items():
            self._patterns[length] = dict(sorted(patterns.items(), key=_written_out_first))

    def _at(self, template: bytes) -> _ByMethod:
        if b"{" not in template:
            return self._plain.setdefault(template, {})
        segments = tuple(template.split(b"/"))
        return self._patterns.setdefault(len(segments), {}).setdefault(segments, {})

    def find(self, method: str, raw_path: bytes) -> FoundRoute:
        """Return the route of a path as it was sent; raises a 404, or a 405 with ``Allow``."""
        plain = self._plain.get(raw_path, {})
        route = _of_method(plain, method)
        if route is not None:
            return FoundRoute(route, _NOTHING)
        allowed = dict(plain)
        segments = raw_path.split(b"/")
        for pattern, by_method in self._patterns.get(len(segments), {}).items():
            if all(map(_fits, pattern, segments)):
                route = _of_method(by_method, method)
                if route is not None:
                    return FoundRoute(route, _parameters(pattern, segments, route))
                allowed |= by_method
        if allowed:
            raise _not_allowed(method, allowed)
        raise Problem(HTTPStatus.NOT_FOUND, "unknown_path", "There is nothing at this path.")


def _is_parameter(part: bytes) -> bool:
    return part.startswith(b"{")


def _fits(part: bytes, mine: bytes) -> bool:
    return bool(mine) if _is_parameter(part) else part == mine


def _written_out_first(pattern: tuple[tuple[bytes, ...], _ByMethod]) -> list[bool]:
    return [_is_parameter(part) for part in pattern[0]]


def _parameters(
    pattern: Sequence[bytes], segments: Sequence[bytes], route: Route
) -> Mapping[str, str]:
    errors = "replace" if route.of_mail else "strict"
    return {
        part[1:-1].decode(): segment(mine, errors)
        for part, mine in zip(pattern, segments, strict=True)
        if _is_parameter(part)
    }


def _of_method(by_method: _ByMethod, method: str) -> Route | None:
    route = by_method.get(method)
    return by_method.get("GET") if route is None and method == "HEAD" else route


def _not_allowed(method: str, by_method: _ByMethod) -> Problem:
    allowed = ", ".join(sorted({*by_method, *({"HEAD"} if "GET" in by_method else ())}))
    problem = f"{method} is not allowed here; allowed are {allowed}"
    headers = ((b"allow", allowed.encode()),)
    return Problem(HTTPStatus.METHOD_NOT_ALLOWED, "bad_method", problem, headers)
