"""The routes of Customer.io's clients, under /api/v1/customers (contract §13)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from halo_engine.contacts.clients.waiting import forget_waiting
from halo_engine.contacts.consent.resubscribe import ResubscribeCall, resubscribe
from halo_engine.contacts.finding import Noted
from halo_engine.domain.clients.customerio import customer_of, event_of
from halo_engine.domain.clients.meaning import ClientMessage
from halo_engine.domain.errors import Refusal, bad_input, shown, unauthorized
from halo_engine.domain.fields.traits import check_external_id
from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Write
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.over_http.clients import CUSTOMERIO_PROVEN, CUSTOMERIO_PUBLIC
from halo_engine.doors.table import DOORS
from halo_engine.doors.trails import ONE_CONTACT
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin, Via
from halo_engine.work import OrgRef

from ..gathering import Gatherer
from ..messages.requests import Request
from ..messages.responses import Problem, Response, answered
from ..routes import Caller, Handler, Route
from ..threads import Threads
from .operator_keys import OperatorKeys
from .proofs import basic

CUSTOMERS: Final = "/api/v1/customers/{id}"

#: It has no task of its own: an operator lifts a suppression by name, with a reason.
_RESUBSCRIBE: Final = Door(
    "lists.resubscribe",
    "Lift that a contact unsubscribed from everything.",
    ResubscribeCall,
    Noted,
    Role.INGEST,
    Write(resubscribe),
    ONE_CONTACT,
)


@dataclass(frozen=True)
class CustomerIo:
    """Takes customers and their events, in sets; erases and suppresses customers by an ingest
    key.
    """

    engine: Engine
    gatherer: Gatherer
    threads: Threads
    keys: OperatorKeys

    def routes(self) -> Iterator[Route]:
        """Make the routes."""
        yield Route("PUT", CUSTOMERS, self._anybody, self._customer)
        yield Route("POST", f"{CUSTOMERS}/events", self._anybody, self._event)
        private: dict[tuple[str, str], AnyDoor] = {
            ("DELETE", ""): DOORS["contacts.erase"],
            ("POST", "/suppress"): DOORS["lists.unsubscribe"],
            ("POST", "/unsuppress"): _RESUBSCRIBE,
        }
        for (method, path), door in private.items():
            yield Route(method, f"{CUSTOMERS}{path}", self._backend, self._running(door))

    async def _anybody(self, request: Request) -> Caller:
        """Return the caller by the password of Basic: the widget key or an ingest key."""
        given = basic(request)
        if given is None or not given[1]:
            problem = "Authorization: is required; allowed is Basic, any site id and an API key"
            raise unauthorized("key_required", problem)
        return await self.keys.application_of(given[1])

    async def _backend(self, request: Request) -> Caller:
        """Return the caller by an ingest key; the widget key is refused, since it is public."""
        caller = await self._anybody(request)
        if caller.key is None:
            problem = "Authorization: is the widget key; allowed is a key of role ingest."
            raise Problem(HTTPStatus.FORBIDDEN, "wrong_key", problem)
        return caller

    async def _customer(self, request: Request, caller: Caller) -> Response:
        attributes = _object(await request.json(), "attributes")
        return await self._take(caller, customer_of(_id(request), attributes))

    async def _event(self, request: Request, caller: Caller) -> Response:
        event = _object(await request.json(), "event")
        return await self._take(caller, event_of(_id(request), event))

    async def _take(self, caller: Caller, message: ClientMessage) -> Response:
        form = CUSTOMERIO_PUBLIC if caller.key is None else CUSTOMERIO_PROVEN
        await self.gatherer.perform(_org(caller), form, message)
        return answered({})

    def _running(self, door: AnyDoor) -> Handler:
        """Return a handler that runs a door for a customer; an unknown one is ignored."""

        async def handle(request: Request, caller: Caller) -> Response:
            org, user_id = _org(caller), _id(request)
            call = door.read({"contact": user_id})
            origin = Origin(
                caller.key or "", Via.HTTP, address=request.address, request_id=request.request_id
            )
            if request.method == "POST":
                await request.body()

            def work() -> None:
                try:
                    door.run(self.engine, org, call, origin)
                except Refusal as refusal:
                    if refusal.status != 404:
                        raise
                if request.method == "DELETE":
                    # Also of a customer who never came.
                    self.engine.perform(org, lambda work: forget_waiting(work, user_id))

            await self.threads.run(work)
            return answered({})

        return handle


def _id(request: Request) -> str:
    return check_external_id(request.parameters["id"], "id")


def _object(given: object, where: str) -> Mapping[str, Any]:
    if isinstance(given, dict):
        return given
    raise bad_input(where, f"{shown(given)} is refused; allowed is an object", "bad_json")


def _org(caller: Caller) -> OrgRef:
    assert caller.org is not None
    return caller.org
