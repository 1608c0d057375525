"""Applications' routes: by the widget key, by an ingest key, and what a stranger cannot (§12)."""

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from halo_engine.domain.roles import Role
from halo_engine.opening import open_work
from halo_engine.operators.keys import CreateKeyCall, create_key
from halo_engine.tables import companies, end_users, events, suppressions
from halo_engine.work import OrgRef
from tests.web.conftest import Answer, Web

SECRET = "a secret of thirty-two bytes or more"


def key_of(web: Web, org: OrgRef, role: Role) -> str:
    """Make an operator key."""
    with web.database.begin() as connection:
        return create_key(open_work(connection, org, None), CreateKeyCall(role=role)).key


def count(web: Web, table: Any, org: OrgRef) -> int:
    """Return how many rows of the organisation a table has."""
    with web.database.connect() as connection:
        found = connection.scalar(select(func.count()).where(table.c.org_id == org.id))
        return found or 0


@pytest.fixture(scope="module")
def verified(web: Web) -> OrgRef:
    """An organisation with identity verification, in which ann is known by her email."""
    org = web.organization(identity_secret=SECRET)
    backend = key_of(web, org, Role.INGEST)
    traits = {"email": "ann@a.example"}
    assert web.post("/api/sdk/users/identify", backend, {"user_id": "ann", "traits": traits}).status
    return org


def test_every_door_of_an_application_has_its_route(web: Web) -> None:
    """Each door of applications has a route with the task's fields and answers, without the widget
    key.
    """
    org = web.organization()
    key = str(org.widget_key)
    assert web.post("/api/sdk/users/identify", key, {"user_id": "ann"}).json()["created"] is True
    company = {"id": "acme", "user_id": "ann", "traits": {"plan": "pro"}}
    assert web.post("/api/sdk/companies/identify", key, company).json()["company_id"] == "acme"
    event = {"event": "paid", "user_id": "ann", "properties": {"plan": "pro"}}
    assert web.post("/api/sdk/events", key, event).json()["event"] == "paid"
    lead = web.post("/api/sdk/leads", key, {"email": "new@a.example"})
    assert (lead.status, lead.json()) == (200, {"accepted": True})
    assert [count(web, table, org) for table in (end_users, companies, events)] == [2, 1, 1]
    update = web.post("/api/sdk/users/update", key, {"users": []})
    assert (update.status, update.json()["code"]) == (401, "identity_secret_required")


def test_a_backend_proves_its_calls_by_an_ingest_key(web: Web, verified: OrgRef) -> None:
    """A call by an ingest key needs no token, and is answered with what is stored."""
    backend = key_of(web, verified, Role.INGEST)
    answer = web.post("/api/sdk/users/identify", backend, {"user_id": "ann"})
    assert answer.json()["stored"]["traits"]["email"] == "ann@a.example"
    assert web.post("/api/sdk/events", backend, {"event": "paid", "user_id": "ann"}).status == 200
    batch = {"users": [{"user_id": "bob"}]}
    assert web.post("/api/sdk/users/update", backend, batch).json()["created"] == 1
    assert "created" in web.post("/api/sdk/leads", backend, {"email": "ann@a.example"}).json()


def test_an_operators_key_is_no_applications(web: Web, verified: OrgRef) -> None:
    """An operator's key opens no application's route, and an ingest key no operator's."""
    admin, backend = key_of(web, verified, Role.ADMIN), key_of(web, verified, Role.INGEST)
    refused = web.post("/api/sdk/users/identify", admin, {"user_id": "ann"})
    assert (refused.status, refused.json()["code"]) == (403, "wrong_key")
    refused = web.ask("GET", "/api/contacts", Authorization=f"Bearer {backend}")
    assert (refused.status, refused.json()["code"]) == (403, "forbidden")


def test_a_stranger_cannot_learn_whether_an_email_is_known(web: Web, verified: OrgRef) -> None:
    """By the widget key a known and an unknown email are answered alike."""
    key = str(verified.widget_key)

    def answers(email: str) -> list[tuple[int, Any]]:
        lead = {"email": email, "traits": {"plan": "pro"}}
        tried = [
            web.post("/api/sdk/leads", key, lead),
            web.post("/api/sdk/leads", key, {**lead, "traits": {"mrr": "much"}}),
            web.post(
                "/api/sdk/users/identify", key, {"user_id": "eve", "traits": {"email": email}}
            ),
            web.post("/api/sdk/users/update", key, {"users": [{"user_id": "eve"}]}),
            web.post("/api/sdk/events", key, {"event": "paid", "user_id": "ann"}),
            web.post("/api/sdk/companies/identify", key, {"id": "acme", "user_id": "ann"}),
        ]
        return [(each.status, _said(each)) for each in tried]

    known = answers("ann@a.example")
    assert known == answers("nobody@a.example")
    assert [status for status, _ in known] == [200, 400, 401, 401, 401, 401]


def _said(answer: Answer) -> Any:
    said = answer.json()
    return said.get("code", said)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/api/contacts/ann", None),
        ("POST", "/api/lists/unsubscribe", {"contact": "ann"}),
        ("POST", "/api/mail/bounced", {"contact": "ann"}),
        ("POST", "/api/mail/complained", {"contact": "ann"}),
        ("GET", "/api/contacts/ann", None),
        ("GET", "/api/contacts?q=ann", None),
        ("GET", "/api/series", None),
        ("GET", "/api/organization", None),
        ("POST", "/api/imports", None),
    ],
)
def test_a_stranger_cannot_erase_suppress_or_read(
    web: Web, verified: OrgRef, method: str, path: str, body: Any
) -> None:
    """The widget key opens nothing outside of /api/sdk."""
    before = [count(web, table, verified) for table in (end_users, suppressions)]
    sent = None if body is None else json.dumps(body).encode()
    named = {"Authorization": f"Bearer {verified.widget_key}", "Content_Type": "application/json"}
    answer = web.ask(method, path, sent, **named)
    assert (answer.status, answer.json()["code"]) == (403, "wrong_key")
    assert [count(web, table, verified) for table in (end_users, suppressions)] == before


def test_no_page_reads_an_answer_outside_of_what_is_public(web: Web, verified: OrgRef) -> None:
    """Only applications' routes have CORS, on refusals too, and never with credentials."""
    admin = key_of(web, verified, Role.ADMIN)
    origin = {"Origin": "https://evil.example"}
    for path in ("/api/contacts", "/api/organization", "/api/nothing", "/metrics", "/healthz"):
        answer = web.ask("GET", path, None, Authorization=f"Bearer {admin}", **origin)
        preflight = web.ask("OPTIONS", path, None, Access_Control_Request_Method="GET", **origin)
        for each in (answer, preflight):
            assert [name for name in each.headers if name.startswith("access-control")] == []
    public = web.post("/api/sdk/events", "ab_live_nobodys", {"event": "paid"}, **origin)
    assert public.status in (400, 401)
    assert public.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in public.headers


def test_an_idempotency_key_may_stand_in_the_header(web: Web) -> None:
    """A key in the header may be quoted; one that differs from the body's is refused."""
    org = web.organization()
    key, event = str(org.widget_key), {"event": "paid", "session_id": "s1"}
    for header in ("k1", '"k1"'):
        assert web.post("/api/sdk/events", key, event, Idempotency_Key=header).status == 200
    both = {**event, "idempotency_key": "k1"}
    assert web.post("/api/sdk/events", key, both, Idempotency_Key="k1").status == 200
    assert count(web, events, org) == 1
    refused = web.post("/api/sdk/events", key, both, Idempotency_Key="k2")
    assert (refused.status, refused.json()["code"]) == (400, "bad_idempotency_key")
    other = web.post("/api/sdk/events", key, {**event, "event": "left"}, Idempotency_Key="k1")
    assert (other.status, other.json()["code"]) == (409, "idempotency_key_reused")
