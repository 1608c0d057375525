"""What a request says of its organisation: a name, or a secret that some cell knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from halo_engine.cells.owners import Question, of_key, of_link, of_session
from halo_engine.domain.errors import Refusal
from halo_engine.domain.mail_tokens import organization_of
from halo_engine.doors.over_http.hooks import STRIPE
from halo_engine.operators.keys import KEYS_BEGIN
from halo_engine.work import OrgRef

from ..endpoints.customerio import CUSTOMERS
from ..endpoints.proofs import basic, bearer
from ..messages.cors import CLIENTS
from ..messages.json_bodies import read_json
from ..messages.requests import Request
from ..messages.responses import Problem
from ..panel.cookies import SessionCookie
from ..panel.forms import Form
from ..routes import Route


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret, and the question that a cell answers whose it is."""

    text: str
    question: Question


#: None: it names no organisation, or in a way that its own route refuses.
Named = OrgRef | Secret | None

_SIGN_IN: Final = "/sign-in"
_SIGN_OUT: Final = "/sign-out"
_CUSTOMERIO: Final = CUSTOMERS.partition("{")[0]
_SEGMENT: Final = f"{CLIENTS.decode()}/"


async def named(request: Request, route: Route, cookie: SessionCookie) -> Named:
    """Return what a request to a route says of its organisation; its body may be kept for that."""
    try:
        if route.template in _BY_PARAMETERS:
            return _BY_PARAMETERS[route.template](request.parameters)
        if route.shows is not None:
            return await _of_page(request, route, cookie)
        return await _of_call(request, route)
    except (Refusal, Problem):
        # The route itself says what is wrong.
        return None


async def _of_page(request: Request, route: Route, cookie: SessionCookie) -> Named:
    """Return the session of a page of the panel, or the key by which somebody signs in."""
    if request.method == "POST" and route.template in (_SIGN_IN, _SIGN_OUT):
        body = await request.look_at_body()
        if route.template == _SIGN_IN:
            key = Form.read(body).get("key").strip()
            return Secret(key, of_key(key))
    session = cookie.read(request)
    return Secret(session, of_session(session)) if session else None


async def _of_call(request: Request, route: Route) -> Named:
    """Return the key of a program's call."""
    if route.template.startswith(_SEGMENT):
        return await _of_segment(request)
    if route.template.startswith(_CUSTOMERIO):
        given = basic(request)
        return _key(given[1]) if given else None
    return _key(bearer(request))


def _of_token(parameters: Mapping[str, str]) -> Named:
    return OrgRef(id=organization_of(parameters["token"]))


def _of_link(parameters: Mapping[str, str]) -> Named:
    return Secret(parameters["token"], of_link(parameters["token"]))


def _of_hook(parameters: Mapping[str, str]) -> Named:
    return OrgRef(key=parameters["org"])


_BY_PARAMETERS: Final[Mapping[str, Callable[[Mapping[str, str]], Named]]] = {
    **{f"/{letter}/{{token}}": _of_token for letter in "usco"},
    f"{_SIGN_IN}/{{token}}": _of_link,
    STRIPE.path: _of_hook,
}


def _key(key: str) -> Named:
    if not key:
        return None
    return Secret(key, of_key(key)) if key.startswith(KEYS_BEGIN) else OrgRef(widget_key=key)


async def _of_segment(request: Request) -> Named:
    """Return the key of the header, else that of the body."""
    given = basic(request)
    if given is not None:
        return _key(given[0])
    if b"authorization" in request.headers:
        return _key(bearer(request))
    body: Any = read_json(await request.look_at_body(), allow_inf_nan=True)
    key = body.get("writeKey") if isinstance(body, dict) else None
    return _key(key) if isinstance(key, str) else None
