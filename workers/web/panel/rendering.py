"""Templates become pages: what every template may use, and the headers of each page (contract §17).

Whatever a customer wrote is escaped: Jinja does so with each value that is no markup of ours.
"""

import gzip
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..messages.requests import Request
from ..messages.responses import Headers, Response
from . import formats
from .assets import asset_path, takes_gzip

_FOLDER: Final = Path(__file__).parent / "templates"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: What every page carries.
PAGE_HEADERS: Final[Headers] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-robots-tag", b"noindex"),
)
_HTML: Final = b"text/html; charset=utf-8"
#: In bytes; less is not worth compressing.
_LEAST_COMPRESSED: Final = 1024


@cache
def environment() -> Environment:
    """Return the templates, with the components as ``ui``."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= formats.FILTERS
    made.globals["asset"] = asset_path
    made.globals["ui"] = made.get_template("components.html").module
    return made


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """Return a template with its values in it; a value that is missing is an error."""
    return environment().get_template(template).render(values)


def page_response(
    request: Request, html: str, status: int = HTTPStatus.OK, headers: Headers = ()
) -> Response:
    """Return a page, compressed if the caller reads that."""
    body = html.encode()
    said = [*PAGE_HEADERS, (b"vary", b"accept-encoding, cookie"), *headers]
    if len(body) >= _LEAST_COMPRESSED and takes_gzip(request):
        body = gzip.compress(body, compresslevel=5, mtime=0)
        said.append((b"content-encoding", b"gzip"))
    return Response(status, body, _HTML, said)
