"""Customer.io's five routes: customers and events, and what only an ingest key may (§13)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import insert

from halo_engine.domain.roles import Role
from halo_engine.tables import (
    audit_log,
    end_users,
    events,
    suppressions,
    waiting_calls,
)
from halo_engine.work import OrgRef
from tests.clients.sending import basic, happened, people, rows
from tests.web.conftest import Answer, Web
from tests.web.test_applications import SECRET, key_of


class Client:
    """A client with a site id and an API key."""

    def __init__(self, web: Web, key: str) -> None:
        self._web = web
        self._key = key

    def __call__(self, method: str, customer: str, body: Any = None, path: str = "") -> Answer:
        """Make a call about a customer."""
        sent = None if body is None else json.dumps(body).encode()
        named = {"Content_Type": "application/json", "Authorization": basic("site", self._key)}
        url = f"/api/v1/customers/{quote(customer, safe='')}{path}"
        return self._web.ask(method, url, sent, **named)

    def done(self, method: str, customer: str, body: Any = None, path: str = "") -> None:
        """Make a call that is taken."""
        answer = self(method, customer, body, path)
        assert (answer.status, answer.json()) == (200, {})

    def event(self, customer: str, **event: Any) -> None:
        """Track an event that is taken."""
        self.done("POST", customer, event, "/events")


@pytest.fixture(scope="module")
def org(web: Web) -> OrgRef:
    """An organisation of the module's."""
    return web.organization()


@pytest.fixture(scope="module")
def backend(web: Web, org: OrgRef) -> Client:
    """A client with an ingest key."""
    return Client(web, key_of(web, org, Role.INGEST))


@pytest.fixture(scope="module")
def public(web: Web, org: OrgRef) -> Client:
    """A client with the widget key."""
    return Client(web, str(org.widget_key))


def test_a_customer_is_a_user(web: Web) -> None:
    """A customer's attributes are traits; created_at becomes the sign-up; keys that begin with `_`
    are left out.
    """
    org = web.organization()
    client = Client(web, key_of(web, org, Role.INGEST))
    client.done(
        "PUT", "a/b c", {"email": "a@a.example", "created_at": 1577923200, "_x": 1, "id": 5}
    )
    client.done("PUT", "bob", {"created_at": "2020-01-02T00:00:00.000Z", "plan": "pro"})
    client.done("PUT", "a/b c", {"_update": True, "plan": "max"})
    client.done("PUT", "cec", {"_update": True, "plan": "max"})
    second = datetime(2020, 1, 2, tzinfo=UTC)
    assert people(web, org) == [
        ("a/b c", "a@a.example", {"plan": "max"}),
        ("bob", None, {"plan": "pro"}),
    ]
    assert rows(web, org, end_users, "signed_up_at") == [(second,), (second,)]


def test_an_event_is_an_event(web: Web) -> None:
    """An event's id is its idempotency key; its date may be ISO or unix seconds; a page view is an
    event.
    """
    org = web.organization()
    client = Client(web, str(org.widget_key))
    client.done("PUT", "ann", {})
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    paid = {
        "name": "paid",
        "data": {"total": 5},
        "id": "e1",
        "timestamp": int(hour_ago.timestamp()),
    }
    client.event("ann", **paid)
    client.event("ann", **paid)
    client.event("ann", name="left", timestamp=hour_ago.isoformat())
    client.event("ann", name="/pricing", type="page")
    refused = client("POST", "ann", {**paid, "name": "other"}, "/events")
    assert (refused.status, refused.json()["code"]) == (409, "idempotency_key_reused")
    assert rows(web, org, events, "name", "happened_at", "properties")[1:] == [
        ("left", hour_ago, {}),
        ("paid", hour_ago, {"total": 5}),
    ]
    assert [name for name, *_ in happened(web, org)] == ["paid", "left", "Viewed /pricing Page"]


def test_an_event_of_an_unknown_customer_waits(web: Web) -> None:
    """An event of an unknown customer waits for it; if the customer is deleted, the event goes
    too.
    """
    org = web.organization()
    client = Client(web, key_of(web, org, Role.INGEST))
    for customer in ("ann", "bob"):
        client.event(customer, name="paid")
    client.done("DELETE", "bob", {})
    assert rows(web, org, waiting_calls, "user_id") == [("ann",)]
    client.done("PUT", "ann", {})
    assert happened(web, org) == [("paid", "ann", None)]
    client.done("DELETE", "ann")
    assert happened(web, org) == people(web, org) == []
    client.done("DELETE", "ann")
    assert rows(web, org, audit_log, "via", "action") == [("http", "contacts.erase")]


def test_suppress_unsubscribes_from_everything(web: Web) -> None:
    """Suppress unsubscribes from everything; unsuppress lifts that, but no bounce; neither minds an
    unknown customer.
    """
    org = web.organization()
    client = Client(web, key_of(web, org, Role.INGEST))
    now = datetime.now(UTC)
    for customer in ("ann", "bob"):
        client.done("PUT", customer, {"email": f"{customer}@a.example"})
    bounced = {"org_id": org.id, "address": "bob@a.example", "bounced_at": now}
    with web.database.begin() as connection:
        connection.execute(insert(suppressions).values(bounced))
    for customer in ("ann", "bob", "nobody"):
        client.done("POST", customer, {}, "/suppress")
    found = rows(web, org, suppressions, "address", "unsubscribed_at", "bounced_at")
    assert [(address, left is None, bounce) for address, left, bounce in found] == [
        ("ann@a.example", False, None),
        ("bob@a.example", False, now),
    ]
    for customer in ("ann", "bob", "nobody"):
        client.done("POST", customer, None, "/unsuppress")
    assert rows(web, org, suppressions, "address", "unsubscribed_at", "bounced_at") == [
        ("bob@a.example", None, now)
    ]
    assert {action for (action,) in rows(web, org, audit_log, "action")} == {
        "lists.unsubscribe",
        "lists.resubscribe",
    }


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", ""), ("POST", "/suppress"), ("POST", "/unsuppress")]
)
def test_the_public_key_can_neither_delete_nor_suppress(
    web: Web, org: OrgRef, public: Client, method: str, path: str
) -> None:
    """Only an ingest key deletes or suppresses: the widget key is public, and operators' keys are
    refused.
    """
    public.done("PUT", "ann", {"email": "ann@a.example"})
    for client in (public, Client(web, key_of(web, org, Role.ADMIN))):
        answer = client(method, "ann", None, path)
        assert (answer.status, answer.json()["code"]) == (403, "wrong_key")
    assert [name for name, *_ in people(web, org)] == ["ann"]
    assert rows(web, org, suppressions, "address") == []


def test_data_may_be_an_empty_list(web: Web, org: OrgRef, backend: Client) -> None:
    """PHP writes an object without keys so."""
    backend.done("PUT", "pia", {})
    backend.event("pia", name="php", data=[])
    assert [each for each in happened(web, org) if each[1] == "pia"] == [("php", "pia", None)]


def test_what_cannot_be_read_is_refused(web: Web, backend: Client) -> None:
    """Bad input is refused by name, with the status that other routes give it."""
    refused = {
        "no object": backend("PUT", "ann", []),
        "bad trait": backend("PUT", "ann", {"email": "none"}),
        "bad date": backend("PUT", "ann", {"created_at": "soon"}),
        "no name": backend("POST", "ann", {"data": {}}, "/events"),
        "bad time": backend("POST", "ann", {"name": "e", "timestamp": 1e30}, "/events"),
        "blank id": backend("PUT", " ", {}),
    }
    assert {name: (each.status, each.json()["code"]) for name, each in refused.items()} == {
        "no object": (400, "bad_json"),
        "bad trait": (400, "bad_email"),
        "bad date": (400, "bad_date"),
        "no name": (400, "missing_key"),
        "bad time": (400, "bad_date"),
        "blank id": (400, "bad_id"),
    }
    path = "/api/v1/customers/ann"
    for key in ({}, {"Authorization": basic("site")}, {"Authorization": "Bearer x"}):
        answer = web.ask("DELETE", path, None, **key)
        assert (answer.status, answer.json()["code"]) == (401, "key_required")


def test_with_verification_only_a_backend_is_believed(web: Web) -> None:
    """With identity verification a customer sent by the widget key is refused, since it has no
    token.
    """
    org = web.organization(identity_secret=SECRET)
    public = Client(web, str(org.widget_key))
    assert public("PUT", "ann", {}).status == 401
    assert public("POST", "ann", {"name": "paid"}, "/events").status == 401
    Client(web, key_of(web, org, Role.INGEST)).done("PUT", "ann", {})
    assert [name for name, *_ in people(web, org)] == ["ann"]
