"""The paths that pages of other origins may call: only those of applications (contract §12)."""

from http import HTTPStatus
from typing import Final

from .responses import Headers, Response

#: Where other products' clients send to.
CLIENTS: Final = b"/v1/"
_SHARED: Final = (b"/api/sdk/", CLIENTS)

_ANYBODY: Final[Headers] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"X-Request-Id, Retry-After"),
)
_ALLOWED: Final = b"Authorization, Content-Type, Idempotency-Key, X-Request-Id"
#: What the clients' browsers say beside it, without leave they could not send: Segment's when they
#: try again, RudderStack's always, or (Rsa-) when they try again.
_OF_CLIENTS: Final = (
    b"X-Retry-Count",
    b"AnonymousId",
    b"SentAt",
    b"Rsa-Recovered",
    b"Rsa-Retry-Attempt",
    b"Rsa-Retry-Reason",
    b"Rsa-Since-First-Attempt",
    b"Rsa-Since-Last-Attempt",
)
_ALLOWED_TO_CLIENTS: Final = b", ".join((_ALLOWED, *_OF_CLIENTS))


def allowing(path: bytes) -> Headers:
    """Return the headers that let any page read this path's answers, if that is allowed."""
    return _ANYBODY if path.startswith(_SHARED) else ()


def preflight(path: bytes) -> Response | None:
    """Return the answer to a preflight request; None where other origins may not call."""
    if not path.startswith(_SHARED):
        return None
    allowed = _ALLOWED_TO_CLIENTS if path.startswith(CLIENTS) else _ALLOWED
    headers = (
        (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
        (b"access-control-allow-headers", allowed),
        (b"access-control-max-age", b"86400"),
    )
    return Response(HTTPStatus.NO_CONTENT, headers=headers)
