"""Serves the pages: proves the session, reads the form, answers (contract §17)."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from pydantic_core import from_json

from halo_engine.domain.roles import Role, may
from halo_engine.operators.sessions import Sessions, session_required
from halo_engine.work import OrgRef

from ..endpoints.operators import Operators
from ..endpoints.proofs import anybody
from ..messages.requests import Request
from ..messages.responses import Problem, Response
from ..routes import Caller, Handler, Proof, Route
from .assets import asset_routes
from .cookies import SessionCookie
from .forms import Form, form_body
from .organizations import ORGANIZATION, named_in_forms, require_own
from .origins import OwnOrigin
from .page import Page, PageAnswer, Part, Person, SeeOther, View, Visit
from .pages.signing_in import SigningIn
from .pages.table import PAGES, PLACES
from .rendering import page_response, rendered
from .uploads import Uploads

SIGN_IN: Final = "/sign-in"
#: Words for problems that happen to pages; of others the problem's own detail is shown.
_TITLES: Final = {
    HTTPStatus.UNAUTHORIZED: "You are signed out",
    HTTPStatus.FORBIDDEN: "This is not allowed",
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.CONFLICT: "Somebody was faster",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong",
    HTTPStatus.SERVICE_UNAVAILABLE: "The panel is away for a moment",
}
_AT_FAULT: Final = "This cannot be done"


@dataclass(frozen=True)
class Panel:
    """The pages of this process. ``origin`` is where they are served, ``sessions`` who signed in.

    ``links_work`` says whether a link may sign in: only on this machine.
    """

    operators: Operators
    sessions: Sessions
    origin: OwnOrigin
    links_work: bool

    @property
    def cookie(self) -> SessionCookie:
        """The cookie that holds a session's id."""
        return SessionCookie(self.origin.is_secure)

    def routes(self) -> Iterator[Route]:
        """Make the routes of all pages and their files."""
        yield from asset_routes()
        signing_in = SigningIn(self.sessions, self.cookie, self.links_work)
        for page in (*signing_in.pages(), *PAGES):
            who = anybody if page.role is None else self.proof(page.role)
            yield Route(page.method, page.template, who, self._answering(page), shows=self.shows)

    def proof(self, needed: Role) -> Proof:
        """Return the proof that somebody signed in whose role may what ``needed`` may."""

        async def prove(request: Request) -> Caller:
            session_id = self.cookie.read(request)
            if session_id is None:
                raise session_required()
            session = await self.operators.threads.run(lambda: self.sessions.find(session_id))
            holder = session.holder
            if not may(holder.role, needed):
                said = f"Your key is of role {holder.role}; allowed is {needed}."
                raise Problem(HTTPStatus.FORBIDDEN, "forbidden", said)
            return Person(OrgRef(id=holder.org_id), holder.name, holder.key_id, session, session_id)

        return prove

    def _answering(self, page: Page) -> Handler:
        uploads = Uploads(self.operators)

        async def handle(request: Request, caller: Caller) -> Response:
            body, sent = b"", None
            if page.method == "POST":
                self.origin.require(request)
                if page.takes_file:
                    sent = await uploads.take(request, caller)
                else:
                    body = await form_body(request)

            def work() -> Response:
                # A form may be large: it is read here, where it holds up nobody.
                form, query = Form.read(body), Form.read(request.query)
                if page.method == "POST" and sent is None:
                    require_own(caller, form.get(ORGANIZATION))
                visit = Visit(request, caller, self.operators, form, query, sent)
                return _response(visit, page.answer(visit))

            return await self.operators.threads.run(work)

        return handle

    def shows(self, request: Request, problem: Response) -> Response:
        """Return a problem as a page; whoever has to sign in is led there from a page."""
        said = from_json(problem.body)
        if said["code"] == session_required().code and request.method in ("GET", "HEAD"):
            return _see_other(SeeOther(f"{SIGN_IN}?next={quote(_asked(request), safe='')}"))
        status = HTTPStatus(problem.status)
        values = {
            "title": _TITLES.get(status, _AT_FAULT),
            "detail": said["detail"],
            "request_id": request.request_id,
            "status": int(status),
            "code": said["code"],
        }
        return page_response(
            request, rendered("problem.html", values), problem.status, problem.headers
        )

    def shows_unknown(self, request: Request, problem: Response) -> Response:
        """Return a problem of a path that is nobody's: as a page if a browser asks."""
        is_browser = b"text/html" in request.headers.get(b"accept", b"")
        return self.shows(request, problem) if is_browser else problem


def _asked(request: Request) -> str:
    query = f"?{request.query.decode('latin-1')}" if request.query else ""
    return f"{request.path.decode('latin-1')}{query}"


def _response(visit: Visit, answer: PageAnswer) -> Response:
    match answer:
        case SeeOther():
            return _see_other(answer)
        case View():
            values = {**_common(visit), **answer.values}
            html = named_in_forms(visit.caller, rendered(answer.template, values))
            return page_response(visit.request, html, answer.status, answer.headers)
        case Part():
            values = {**_common(visit), **answer.values}
            template = answer.template
            if b"x-part" not in visit.request.headers:
                values |= {"part": template, "part_title": answer.title}
                template = "part.html"
            html = named_in_forms(visit.caller, rendered(template, values))
            return page_response(visit.request, html)
    return answer


def _see_other(answer: SeeOther) -> Response:
    headers = ((b"location", answer.path.encode("ascii")), *answer.headers)
    return Response(HTTPStatus.SEE_OTHER, headers=headers)


def _common(visit: Visit) -> dict[str, object]:
    """Return what the layout of every page shows."""
    if not isinstance(visit.caller, Person):
        return {"session": None}
    path = visit.request.path.decode("latin-1")
    here = next((place for _, place in PLACES if path == place or path.startswith(f"{place}/")), "")
    return {
        "session": visit.session,
        "timezone": visit.session.timezone,
        "may": visit.may,
        "places": PLACES,
        "here": here,
        "asked": path,
    }
