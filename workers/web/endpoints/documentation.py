"""`/openapi.json`, and the pages at `/docs` that show it: Swagger UI's files, from its package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import swagger_ui_bundle  # type: ignore[import-untyped]
from pydantic_core import to_json

from ..messages.requests import Request
from ..messages.responses import Headers, Response
from ..routes import Caller, Handler, Route
from .openapi import document
from .proofs import anybody

#: No script but our own files' runs, nothing is loaded from elsewhere, nobody frames the page.
#: Swagger UI sets styles on its elements.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final[Headers] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_PAGE: Final = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>halo-engine: HTTP</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="operations"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = b'SwaggerUIBundle({ url: "/openapi.json", dom_id: "#operations" });'
_TYPES: Final[Mapping[str, bytes]] = {
    "swagger-ui.css": b"text/css; charset=utf-8",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
}


def documentation_routes() -> list[Route]:
    """Return the routes; anybody may read them."""
    folder = Path(swagger_ui_bundle.swagger_ui_path)
    files = {
        "": (b"text/html; charset=utf-8", _PAGE),
        "/start.js": (b"text/javascript; charset=utf-8", _START),
        **{f"/{name}": (type_, (folder / name).read_bytes()) for name, type_ in _TYPES.items()},
    }
    pages = [
        Route("GET", f"/docs{path}", anybody, _answering(Response(200, body, type_, _HEADERS)))
        for path, (type_, body) in files.items()
    ]
    described = Response(200, to_json(document()))
    return [Route("GET", "/openapi.json", anybody, _answering(described)), *pages]


def _answering(response: Response) -> Handler:
    async def answer(_request: Request, _caller: Caller) -> Response:
        return response

    return answer
