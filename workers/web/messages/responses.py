"""The answers of routes, and refusals as RFC 9457 writes them (contract §12)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from halo_engine.domain.errors import Refusal

from .refusals import members

Headers = Sequence[tuple[bytes, bytes]]
#: The extension of ASGI by which a server takes an answer in one go: a function of its status,
#: headers and body that returns whether it took it.
WHOLE_ANSWER: Final = "halo.whole_answer"

JSON: Final = b"application/json"
_PROBLEM: Final = b"application/problem+json"


class Response(NamedTuple):
    """Status, body and headers; the server adds ``X-Request-Id``, CORS and the length."""

    status: int
    body: bytes = b""
    media_type: bytes = JSON
    headers: Headers = ()


class Problem(Exception):  # noqa: N818 -- like a refusal, it is an answer
    """Ends a request with a status and a code, for faults of HTTP itself; doors raise Refusals."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, headers: Headers = ()) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers

    def response(self) -> Response:
        """Return it as an answer."""
        return problem(self.status, self.code, self.detail, self.headers)


def answered(answer: object, status: int = 200, headers: Headers = ()) -> Response:
    """Return a door's answer, or plain data, as JSON."""
    return Response(status, to_json(answer, by_alias=True), JSON, headers)


def refused(refusal: Refusal) -> Response:
    """Return a door's refusal; ``detail`` is the task's message, exactly (contract §11, §12)."""
    headers: Headers = ()
    if refusal.status == 401:
        headers = ((b"www-authenticate", b"Bearer"),)
    return problem(refusal.status, refusal.code, refusal.message, headers, members(refusal))


def for_clients(response: Response) -> Response:
    """Return a problem with its detail as ``message`` too: RudderStack's and Segment's clients look
    for it, and without it RudderStack's tries again what can never be taken (contract §13).
    """
    if response.media_type != _PROBLEM:
        return response
    said = from_json(response.body)
    return response._replace(body=to_json({**said, "message": said["detail"]}))


def problem(
    status: int,
    code: str,
    detail: str,
    headers: Headers = (),
    members: Mapping[str, Any] | None = None,
) -> Response:
    """Return a problem in JSON; ``members`` are added to the standard ones."""
    said = {
        "type": f"urn:halo:{code}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
        **(members or {}),
    }
    return Response(status, to_json(said), _PROBLEM, headers)
