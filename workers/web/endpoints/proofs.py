"""How callers prove who they are (contract §12)."""

from base64 import b64decode

from halo_engine.domain.errors import unauthorized
from halo_engine.work import OrgRef

from ..messages.requests import Request
from ..routes import Caller


async def anybody(_request: Request) -> Caller:
    """Take a request without any proof."""
    return Caller()


async def widget_key(request: Request) -> Caller:
    """Return the organisation of the publishable widget key that the request bears.

    Whether it exists is checked where the call is done. Raises a 401 if none is given.
    """
    return Caller(OrgRef(widget_key=bearer(request)))


def basic(request: Request) -> tuple[str, str] | None:
    """Return name and password of ``Authorization: Basic``; None where another scheme or none is
    used. Raises a 401 for what cannot be read.
    """
    scheme, _, encoded = request.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        colon = name = password = ""
    if not colon or not (name + password).isascii():
        problem = "Authorization: cannot be read; allowed is Basic, name and password in Base64"
        raise unauthorized("key_required", problem)
    return name, password


def bearer(request: Request) -> str:
    """Return the token of ``Authorization: Bearer``; raises a 401 if there is none."""
    scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token or not token.isascii():
        problem = "Authorization: is required; allowed is Bearer and a key"
        raise unauthorized("key_required", problem)
    return token.decode()
