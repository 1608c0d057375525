"""What a page is: a path, a role, and a function from a visit to an answer (contract §17).

The function runs in a thread, and calls the doors that the routes of the API call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from halo_engine.domain.roles import Role, may
from halo_engine.doors.table import DOORS
from halo_engine.operators.origin import Origin, Via
from halo_engine.operators.sessions import Session

from ..endpoints.imports import Kept
from ..endpoints.operators import Operators
from ..messages.requests import Request
from ..messages.responses import Headers, Problem, Response
from ..routes import Caller
from .forms import Form


@dataclass(frozen=True, slots=True)
class Person(Caller):
    """Somebody who signed in: the session, and its id."""

    session: Session | None = None
    session_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class View:
    """A page to be shown: a template and its values."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = HTTPStatus.OK
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page that follows it: a script puts it in its place. Without script it is a page
    of its own, with a title.
    """

    template: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeeOther:
    """Another page of ours to go on to; ``path`` begins with a slash."""

    path: str
    headers: Headers = ()


PageAnswer = View | Part | SeeOther | Response


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a form's file: it is kept, or this is wrong with it. ``name`` may be missing."""

    kept: Kept | None
    name: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page by somebody who signed in, or by anybody if the page has no role.

    ``sent`` is what came of the file that the page's form holds, if it takes one.
    """

    request: Request
    caller: Caller
    operators: Operators
    form: Form
    query: Form
    sent: Sent | None = None

    @property
    def session(self) -> Session:
        """The session; every page with a role has one."""
        assert isinstance(self.caller, Person)
        assert self.caller.session is not None
        return self.caller.session

    @property
    def role(self) -> Role:
        """What the visitor may do."""
        return self.session.holder.role

    def path(self, name: str) -> str:
        """Return a parameter of the path."""
        return self.request.parameters[name]

    def kept_as(self, *form: str) -> str:
        """Return the name by which a browser keeps what this visitor typed in a form."""
        return ":".join(("halo:typed", str(self.caller.key_id), *form))

    def may(self, door: str) -> bool:
        """Return whether the visitor may use a door; if not, pages show no control for it."""
        needed = DOORS[door].role
        return needed is None or may(self.role, needed)

    def call(self, door: str, **fields: Any) -> Any:
        """Use a door as its route does; return its answer.

        Raises a Refusal, and a 403 if the visitor may not.
        """
        if not self.may(door):
            said = f"Your key is of role {self.role}; allowed is {DOORS[door].role}."
            raise Problem(HTTPStatus.FORBIDDEN, "forbidden", said)
        found = DOORS[door]
        org = self.caller.org
        assert org is not None
        return self.operators.carry_out(found, org, found.read(fields), self._origin)

    def hand_over(self, task: str, **fields: Any) -> None:
        """Send a task to workers; raises a 503 if no message can be sent."""
        org = self.caller.org
        assert org is not None
        self.operators.hand_over(task, org, fields, self._origin)

    @property
    def _origin(self) -> Origin:
        return Origin(
            self.caller.key or "operator",
            Via.SESSION,
            address=self.request.address,
            request_id=self.request.request_id,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A method and a path, the least role that may use it, and what answers.

    ``template`` has its parameters in braces, as routes do. Without a ``role`` anybody may use it.
    A POST changes something: it must come from a page of ours. ``takes_file``: its form holds a
    file, which is kept for an import before the function is called.
    """

    method: str
    template: str
    answer: Callable[[Visit], PageAnswer]
    role: Role | None = Role.VIEWER
    takes_file: bool = False


#: A part of the panel, as its navigation shows it: what it is called, and where it is.
Place = tuple[str, str]


def segment_of(value: str) -> str:
    """Return a value as one segment of a path."""
    return quote(value, safe="")
