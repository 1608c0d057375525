"""The routes of operators: every door of theirs, by an operator key (contract §12)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog

from halo_engine.contacts.calls import Call
from halo_engine.domain.errors import bad_input, shown, validated
from halo_engine.domain.fields.traits import check_external_id
from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Unfinished
from halo_engine.doors.door import AnyDoor, as_data
from halo_engine.doors.once import run_once
from halo_engine.doors.table import DOORS
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin, Via
from halo_engine.work import OrgRef

from ..app import unavailable
from ..messages.fields import CallFields, PageCall, pairs
from ..messages.requests import Request
from ..messages.responses import Headers, Response, answered
from ..routes import Caller, Handler, Proof, Route
from ..threads import Threads

_log = structlog.get_logger(__name__)

#: Calls a task by its name and fields.
SendTask = Callable[[str, Mapping[str, Any]], object]


@dataclass(frozen=True)
class Operators:
    """Runs operators' calls on an engine, in threads.

    ``proof`` makes the function that proves a caller's role. A call that is unfinished after its
    turn goes on as a task.
    """

    engine: Engine
    threads: Threads
    proof: Callable[[Role], Proof]
    send_task: SendTask

    def hand_over(self, task: str, org: OrgRef, fields: Mapping[str, Any], origin: Origin) -> None:
        """Send the rest of a call to workers; raises a 503 if no message can be sent."""
        key = self.engine.ask(org, lambda work: work.org.key)
        try:
            self.send_task(task, {**fields, "org": key, "by": origin.by})
        except Exception as error:
            # The errors of a broker that is away.
            _log.warning("not sent", task=task, problem=type(error).__name__)
            problem = "The broker is away, so workers cannot go on with the rest; try again."
            raise unavailable("broker_away", problem) from error

    def carry_out(
        self, door: AnyDoor, org: OrgRef, call: Call, origin: Origin, key: str | None = None
    ) -> Any:
        """Run a call in this thread, under an idempotency key if there is one; return its answer.

        A call that is unfinished after its turn is handed over to workers.
        """

        def go_on(rest: Call) -> None:
            fields = rest.model_dump(mode="json", exclude_unset=True)
            self.hand_over(door.task, org, fields, origin)

        if key is not None:
            return run_once(door, self.engine, org, call, origin, key, go_on)
        answer = door.run(self.engine, org, call, origin)
        if isinstance(answer, Unfinished):
            go_on(answer.rest)
            return answer.answer
        return answer

    def routes(self) -> Iterator[Route]:
        """Make a route of each door that operators have."""
        handlers: dict[tuple[str, str], list[_Handler]] = {}
        for door in DOORS.values():
            if door.route is not None and door.role is not Role.INGEST:
                handler = _Handler(self, door, CallFields.of(door))
                handlers.setdefault((door.route.method, door.route.path), []).append(handler)
        for (method, path), mine in handlers.items():
            [role] = {handler.door.role for handler in mine}
            assert role is not None
            yield Route(method, path, self.proof(role), _chosen(mine))


@dataclass(frozen=True)
class _Handler:
    """Handles the requests of one door's route."""

    operators: Operators
    door: AnyDoor
    fields: CallFields

    async def handle(self, request: Request, caller: Caller) -> Response:
        """Read the call, run it in a thread, and answer."""
        org = caller.org
        assert org is not None
        given = await self.fields.read(request)
        page = self._page(given)
        call = self.door.read(given)
        origin = Origin(
            caller.key or "operator",
            Via.HTTP,
            address=request.address,
            request_id=request.request_id,
        )
        key = self._idempotency_key(request)

        def work() -> Response:
            # As data, so that a repeated call gets the first answer with its headers.
            done = self.operators.carry_out(self.door, org, call, origin, key)
            answer = as_data(done)
            shown = self._shown(answer) if page is None else self._paged(answer, page)
            return _response(shown, saves=request.method == "PUT")

        return await self.operators.threads.run(work)

    def is_chosen(self, request: Request) -> bool:
        """Whether the query has the field that chooses this door."""
        return self.fields.route.chosen_by in dict(pairs(request.query))

    def _idempotency_key(self, request: Request) -> str | None:
        """Return the key that makes a POST safe to repeat; bare or quoted is the same."""
        given = request.headers.get(b"idempotency-key")
        return None if given is None or not self.fields.takes_key else idempotency_key(given)

    def _page(self, given: dict[str, Any]) -> PageCall | None:
        """Remove the requested page from the fields, if the answer is a list."""
        if self.fields.route.cursor is None:
            return None
        asked = {name: given.pop(name) for name in PageCall.model_fields if name in given}
        return validated(PageCall, asked, self.door.task)

    def _shown(self, answer: Any) -> Any:
        """Return the answer; a page has its items under ``items``."""
        items = self.fields.route.items
        if items is None:
            return answer
        page = dict(answer)
        return {"items": page.pop(items), **page}

    def _paged(self, answer: Any, page: PageCall) -> dict[str, Any]:
        cursor, where = self.fields.route.cursor, self.fields.route.items
        items = answer if where is None else answer[where]
        names = [item[cursor] for item in items]
        if page.after is not None and page.after not in names:
            problem = f"{shown(page.after)} is not in the list; allowed is the `next` of a page"
            raise bad_input(f"{self.door.task}.after", problem, "bad_cursor")
        first = 0 if page.after is None else names.index(page.after) + 1
        last = first + page.limit
        return {
            "items": items[first:last],
            "next": names[last - 1] if last < len(items) else None,
        }


def _chosen(handlers: Sequence[_Handler]) -> Handler:
    """Return a route's handler; of several doors the query chooses one."""
    [first, *rest] = sorted(handlers, key=lambda each: each.fields.route.chosen_by is not None)

    async def handle(request: Request, caller: Caller) -> Response:
        chosen = next((each for each in rest if each.is_chosen(request)), first)
        return await chosen.handle(request, caller)

    return handle if rest else first.handle


def idempotency_key(given: bytes) -> str:
    """Return the key of an ``Idempotency-Key`` header; raises a 400 for what cannot be one."""
    text = given.decode("latin-1")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return check_external_id(text, "Idempotency-Key")


def _response(answer: Any, *, saves: bool) -> Response:
    """Return an answer; one with a version is tagged with it. Of a request that saves, 201 tells of
    something new: a plan that would make a series makes none.
    """
    said: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    version = said.get("version")
    headers: Headers = () if version is None else ((b"etag", f'"{version}"'.encode()),)
    is_new = saves and said.get("result") == "created"
    return answered(answer, HTTPStatus.CREATED if is_new else HTTPStatus.OK, headers)
