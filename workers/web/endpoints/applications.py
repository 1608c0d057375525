"""The routes of applications, under /api/sdk, by the widget key or an ingest key (§12)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from halo_engine.contacts.identifying.update import UpdateAnswer
from halo_engine.domain.errors import bad_input, shown, validated
from halo_engine.doors.over_http.callers import PROVEN, PUBLIC, update_proven
from halo_engine.doors.table import DOORS
from halo_engine.engine import Engine
from halo_engine.pipeline.batches.update_users import update_or_try
from halo_engine.work import OrgRef

from ..gathering import Gatherer
from ..messages.requests import Request
from ..messages.responses import Response, answered
from ..routes import Caller, Handler, Proof, Route
from ..threads import Threads
from .operators import idempotency_key

_UPDATE: Final = "users.update"


@dataclass(frozen=True)
class Applications:
    """Does applications' calls, in sets.

    ``proof`` tells the widget key from an ingest key, which proves its calls.
    """

    engine: Engine
    gatherer: Gatherer
    threads: Threads
    proof: Proof

    def routes(self) -> Iterator[Route]:
        """Make the routes."""
        for name in PUBLIC:
            yield self._route(name, self._gathered(name))
        yield self._route(_UPDATE, self._update)

    def _route(self, name: str, handler: Handler) -> Route:
        route = DOORS[name].route
        assert route is not None
        return Route(route.method, route.path, self.proof, handler)

    def _gathered(self, name: str) -> Handler:
        """Return the handler that does a door's calls as sets."""

        async def handle(request: Request, caller: Caller) -> Response:
            opened = (PUBLIC if caller.key is None else PROVEN)[name]
            given = await request.json()
            if "idempotency_key" in opened.call.model_fields:
                given = _with_key(given, request.headers.get(b"idempotency-key"))
            call = validated(opened.call, given, DOORS[name].task)
            perform = self.gatherer.perform
            return answered(await perform(_org(caller), opened.form, call, request.size))

        return handle

    async def _update(self, request: Request, caller: Caller) -> Response:
        """Handle a batch of users as one set."""
        call = DOORS[_UPDATE].read(await request.json())
        write = update_or_try if caller.key is None else update_proven

        def work() -> UpdateAnswer:
            return self.engine.perform(_org(caller), lambda work: write(work, call))

        return answered(await self.threads.run(work))


def _org(caller: Caller) -> OrgRef:
    assert caller.org is not None
    return caller.org


def _with_key(given: Any, header: bytes | None) -> Any:
    """Return the call with the key of ``Idempotency-Key``; raises a 400 if the body has another."""
    if header is None or not isinstance(given, dict):
        return given
    key = idempotency_key(header)
    if given.get("idempotency_key", key) != key:
        said = f"{shown(key)} is not the idempotency_key of the body; allowed is one of the two"
        raise bad_input("Idempotency-Key", said, "bad_idempotency_key")
    return {**given, "idempotency_key": key}
