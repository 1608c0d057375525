"""Sign in by an operator key or a link, and out again (contract §17)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from halo_engine.domain.errors import Refusal
from halo_engine.operators.sessions import Sessions

from ...messages.requests import Request
from ...messages.responses import Problem, Response
from ..cookies import SessionCookie
from ..page import Page, PageAnswer, SeeOther, View, Visit
from .table import PAGES

HOME: Final = "/series"
#: Whatever a proxy adds: then the caller may be on another machine.
_BY_PROXIES: Final = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip")
#: A path as browsers send it.
_PATH: Final = re.compile(r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)(?:\?[!-~]*)?")

_DOTS: Final = frozenset({".", ".."})


@dataclass(frozen=True)
class SigningIn:
    """The pages before a session, and the one that ends it."""

    sessions: Sessions
    cookie: SessionCookie
    links_work: bool

    def pages(self) -> Iterator[Page]:
        """Make the pages; anybody may see them."""
        yield Page("GET", "/sign-in", self._ask, role=None)
        yield Page("POST", "/sign-in", self._sign_in, role=None)
        yield Page("GET", "/sign-in/{token}", self._follow, role=None)
        yield Page("POST", "/sign-out", self._sign_out, role=None)

    def _ask(self, visit: Visit) -> PageAnswer:
        """Show the form; whoever signed in already goes on."""
        went_on = next_path(visit.query.get("next"))
        return _form(went_on, problem="", has_ended="next" in visit.query)

    def _sign_in(self, visit: Visit) -> PageAnswer:
        """Begin a session, always with a new id, and go on."""
        went_on = next_path(visit.form.get("next"))
        try:
            session = self.sessions.sign_in(visit.form.get("key").strip())
        except Refusal as refusal:
            return _form(went_on, refusal.message, status=HTTPStatus.UNAUTHORIZED)
        self._end(visit.request)
        return SeeOther(went_on, self.cookie.keep(session))

    def _follow(self, visit: Visit) -> PageAnswer:
        """Sign in by the link that `halo up` printed; a look at it (HEAD) does not use it."""
        request = visit.request
        if not self.links_work or any(name in request.headers for name in _BY_PROXIES):
            problem = "Links sign in on the machine that serves the panel alone."
            raise Problem(HTTPStatus.FORBIDDEN, "forbidden", problem)
        if request.method == "HEAD":
            return Response(HTTPStatus.NO_CONTENT)
        try:
            session = self.sessions.follow(visit.path("token"))
        except Refusal as refusal:
            return _form(HOME, refusal.message, status=HTTPStatus.UNAUTHORIZED)
        self._end(request)
        return SeeOther(HOME, self.cookie.keep(session))

    def _sign_out(self, visit: Visit) -> PageAnswer:
        """End the session."""
        self._end(visit.request)
        return SeeOther("/sign-in", self.cookie.drop())

    def _end(self, request: Request) -> None:
        """End the session that a request bears, if any."""
        if (session := self.cookie.read(request)) is not None:
            self.sessions.end(session)


def next_path(asked: str) -> str:
    """Return the page to go on to: the one asked for if it is the panel's, else the first."""
    found = _PATH.fullmatch(asked)
    if found is None:
        return HOME
    path = found["path"]
    if _DOTS & {unquote(each) for each in path.split("/")}:
        # Browsers go up from there, to what may lead away.
        return HOME
    return asked if path.split("/")[1] in _first_segments() else HOME


@cache
def _first_segments() -> frozenset[str]:
    """Return how the paths of our pages begin; `//` begins another host's."""
    return frozenset(page.template.split("/")[1] for page in PAGES if page.method == "GET") - {""}


def _form(
    went_on: str, problem: str, *, has_ended: bool = False, status: int = HTTPStatus.OK
) -> View:
    values = {"next": went_on, "problem": problem, "has_ended": has_ended and not problem}
    return View("sign_in.html", values, status)
