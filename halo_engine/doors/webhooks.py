"""The doors of webhooks out: endpoints, secrets, replays, deliveries (contract §14)."""

from typing import Any, Final

from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Ask, Flow, Order
from halo_engine.doors.calls import BareCall
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import About, answered
from halo_engine.engine import Engine
from halo_engine.operators.audit import State
from halo_engine.operators.origin import Origin
from halo_engine.webhooks.deliveries import DeliveryPage, ListDeliveriesCall, list_deliveries
from halo_engine.webhooks.endpoint_calls import (
    ChangeEndpointCall,
    CreatedEndpoint,
    CreateEndpointCall,
    EndpointAnswer,
    EndpointCall,
)
from halo_engine.webhooks.endpoints import (
    change_endpoint,
    create_endpoint,
    find_endpoint,
    list_endpoints,
    remove_endpoint,
    rotate_secret,
    secret_of,
)
from halo_engine.webhooks.replaying import ReplayCall, Replayed, Tested, replay, send_test
from halo_engine.work import OrgRef, Work

_SETTINGS: Final = ("url", "kinds", "series", "with_traits", "off_reason")


def _create(engine: Engine, org: OrgRef, call: CreateEndpointCall, _: Origin) -> CreatedEndpoint:
    return engine.perform(org, lambda work: create_endpoint(work, call, engine.call_rules))


def _change(engine: Engine, org: OrgRef, call: ChangeEndpointCall, _: Origin) -> EndpointAnswer:
    return engine.perform(org, lambda work: change_endpoint(work, call, engine.call_rules))


def _the_endpoint(_work: Work, call: EndpointCall, _answer: Any) -> str:
    return str(call.endpoint)


def _state(work: Work, call: EndpointCall) -> State:
    found = find_endpoint(work, call.endpoint)
    return found.model_dump(mode="json", include={*_SETTINGS})


def _secret(work: Work, call: EndpointCall) -> State:
    return {"secret": secret_of(work, call.endpoint)}


DOORS: Final[tuple[AnyDoor, ...]] = (
    Door(
        "webhooks.create",
        "Name a URL that is told what happens to contacts; its secret is shown this once.",
        CreateEndpointCall,
        CreatedEndpoint,
        Role.ADMIN,
        Flow(_create),
        About(answered, answers=_SETTINGS),
    ),
    Door(
        "webhooks.list",
        "List the endpoints of webhooks, with what is wrong with them; a secret is `***`.",
        BareCall,
        list[EndpointAnswer],
        Role.ADMIN,
        Ask(lambda work, _: list_endpoints(work)),
    ),
    Door(
        "webhooks.change",
        "Change an endpoint, switch it off or on again.",
        ChangeEndpointCall,
        EndpointAnswer,
        Role.ADMIN,
        Flow(_change),
        About(_the_endpoint, _state),
    ),
    Door(
        "webhooks.remove",
        "Remove an endpoint, and what waits for it.",
        EndpointCall,
        EndpointAnswer,
        Role.ADMIN,
        Order(lambda work, call, _: remove_endpoint(work, call)),
        About(_the_endpoint, answers=("url",)),
    ),
    Door(
        "webhooks.rotate_secret",
        "Make a new secret, shown this once; the old one signs too for a day.",
        EndpointCall,
        CreatedEndpoint,
        Role.ADMIN,
        Order(lambda work, call, _: rotate_secret(work, call)),
        About(_the_endpoint, _secret),
    ),
    Door(
        "webhooks.replay",
        "Send again what happened since an instant, under the same ids.",
        ReplayCall,
        Replayed,
        Role.ADMIN,
        Order(lambda work, call, _: replay(work, call)),
        About(_the_endpoint, says=("since",), answers=("messages",)),
    ),
    Door(
        "webhooks.test",
        "Send a test message to an endpoint; its outcome is in the list of deliveries.",
        EndpointCall,
        Tested,
        Role.ADMIN,
        Order(lambda work, call, _: send_test(work, call)),
        About(_the_endpoint, answers=("webhook_id",)),
    ),
    Door(
        "webhooks.deliveries",
        "List what was sent to an endpoint and what came of it, newest first.",
        ListDeliveriesCall,
        DeliveryPage,
        Role.ADMIN,
        Ask(list_deliveries),
    ),
)
