"""Which requests a page of ours made (contract §17)."""

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from ..messages.requests import Request
from ..messages.responses import Problem


@dataclass(frozen=True, slots=True)
class OwnOrigin:
    """The origin that pages are served from, as HALO_PUBLIC_URL names it."""

    origin: str

    @property
    def is_secure(self) -> bool:
        """Whether pages come over https."""
        return self.origin.startswith("https:")

    def require(self, request: Request) -> None:
        """Refuse a request that no page of ours made.

        ``Sec-Fetch-Site`` decides where a browser sends it: a page that is `no-referrer` posts its
        forms with `Origin: null`. A request with neither is refused too.
        """
        site = request.headers.get(b"sec-fetch-site")
        origin = request.headers.get(b"origin", b"")
        if site != b"same-origin" if site is not None else origin != self.origin.encode():
            said = "This form was sent by another page. Go back to the panel, and try again."
            raise Problem(HTTPStatus.FORBIDDEN, "other_origin", said)


def origin_of(url: str) -> OwnOrigin:
    """Return the origin of a URL of ours, as browsers write it."""
    parts = urlsplit(url)
    return OwnOrigin(f"{parts.scheme}://{parts.netloc}".lower())
