"""A door: its name, its call and answer, who may use it, and what it does."""

from dataclasses import dataclass
from typing import Any, Generic

from pydantic_core import to_jsonable_python

from halo_engine.domain.errors import validated
from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Act, AnswerT, CallT, Unfinished
from halo_engine.doors.over_http.routes import DOCUMENTED, Route, route_of
from halo_engine.doors.trails import Noting, Trail
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin
from halo_engine.work import OrgRef


@dataclass(frozen=True, slots=True)
class Door(Generic[CallT, AnswerT]):
    """One thing that callers can ask of the engine.

    ``name`` is that of its task without ``halo.``; its action in the audit log, its routes, schema
    and reference page are named after it. ``call`` has the fields of a call, ``answer`` is what
    comes back, ``act`` what is done. ``role`` is the least role that an operator key needs. The
    widget key may use doors of role ``ingest``; doors without a role need no key. ``trail`` says
    what is written to the audit log about an operator's change.
    """

    name: str
    summary: str
    call: type[CallT]
    answer: type[AnswerT]
    role: Role | None
    act: Act[CallT, AnswerT]
    trail: Trail | None = None

    @property
    def task(self) -> str:
        """The name of its task; messages about a call begin with it."""
        return f"halo.{self.name}"

    @property
    def route(self) -> Route | None:
        """Its route over HTTP; None if it has none."""
        if self.role in (Role.INGEST, None):
            return DOCUMENTED.get(self.name)
        series = self.call.model_fields.get("series")
        is_of_series = series is not None and series.is_required() and series.annotation is str
        return route_of(self.name, of_series=is_of_series)

    def read(self, fields: object) -> CallT:
        """Build the call from untrusted data; raise a 400 about the first fault."""
        return validated(self.call, fields, self.task)

    def run(
        self, engine: Engine, org: OrgRef | None, call: CallT, origin: Origin
    ) -> AnswerT | Unfinished[CallT, AnswerT]:
        """Do what ``call`` asks for; when this returns, it is committed (contract §2).

        ``org`` is None where no organisation is named. Raises a Refusal.
        """
        return self.act.run(self.noting(engine, call, origin), org, call, origin)

    def noting(self, engine: Engine, call: CallT, origin: Origin) -> Engine:
        """Return an engine that notes in the audit log what an operator's ``call`` changes."""
        if self.trail is None or not origin.is_operators:
            return engine
        return engine.within(Noting(self.name, self.trail, call, origin))


AnyDoor = Door[Any, Any]


def as_data(answer: object) -> Any:
    """Return an answer as JSON-ready data, under the keys that a call may give back."""
    return to_jsonable_python(answer, by_alias=True)
