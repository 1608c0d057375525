"""The panel's own style sheets, scripts and pictures, named after their content (contract §17)."""

import gzip
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from ..endpoints.proofs import anybody
from ..messages.requests import Request
from ..messages.responses import Problem, Response
from ..routes import Caller, Route

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final[Mapping[str, bytes]] = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
_FOREVER: Final = b"public, max-age=31536000, immutable"
_HASH_LENGTH: Final = 12


class Asset(NamedTuple):
    """A file: its media type, its content, and the same compressed."""

    media_type: bytes
    content: bytes
    compressed: bytes
    version: str


@cache
def assets() -> Mapping[str, Asset]:
    """Return every file by its name."""
    return {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    version = sha256(content).hexdigest()[:_HASH_LENGTH]
    return Asset(_TYPES[path.suffix], content, gzip.compress(content, mtime=0), version)


def asset_path(name: str) -> str:
    """Return the path of a file; it changes with the content."""
    return f"/static/{assets()[name].version}/{name}"


def asset_routes() -> Iterator[Route]:
    """Make the route of the files; anybody may read them."""
    yield Route("GET", "/static/{version}/{file}", anybody, _answer)


async def _answer(request: Request, _caller: Caller) -> Response:
    found = assets().get(request.parameters["file"])
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown_path", "There is nothing at this path.")
    # While processes of two versions serve, one may be asked for the other's file.
    is_this = request.parameters["version"] == found.version
    headers = [
        (b"cache-control", _FOREVER if is_this else b"no-store"),
        (b"vary", b"accept-encoding"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if takes_gzip(request):
        headers.append((b"content-encoding", b"gzip"))
        return Response(HTTPStatus.OK, found.compressed, found.media_type, headers)
    return Response(HTTPStatus.OK, found.content, found.media_type, headers)


def takes_gzip(request: Request) -> bool:
    """Return whether the caller reads gzip."""
    for coding in request.headers.get(b"accept-encoding", b"").split(b","):
        name, _, weight = coding.partition(b";")
        if name.strip().lower() == b"gzip":
            return weight.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False
