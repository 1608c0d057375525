"""A span for each request over HTTP, around the whole application."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..tracing.causes import Cause
from ..tracing.messages import TRACE_PARENT, cause_in
from ..tracing.spans import add_attributes, span
from .messages.requests import Request
from .routes import Route

_Application = Callable[[Mapping[str, Any], Any, Any], Awaitable[None]]
_SERVER_ERROR = 500


def traced(application: _Application) -> _Application:
    """Return the application with a span around each request; ``traceparent`` names its parent."""
    name = TRACE_PARENT.encode()

    async def serve(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        given = next((value for key, value in scope["headers"] if key == name), b"")
        cause = cause_in({TRACE_PARENT: given.decode("latin-1")})
        with span("request", Cause((), cause.spans[:1])):
            await application(scope, receive, send)

    return serve


def describe(request: Request, route: Route | None, status: int, _seconds: float) -> None:
    """Name the span of a request that was answered by its method and its route's template."""
    failed = {"error": str(status)} if status >= _SERVER_ERROR else {}
    name = "none" if route is None else f"{request.method} {route.template}"
    add_attributes(name=name, status=status, request_id=request.request_id, **failed)
