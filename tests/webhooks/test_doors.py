"""What an admin does with endpoints over HTTP, and what the audit log keeps (contract §14)."""

import json
from typing import Any
from uuid import uuid4

import pytest

from halo_engine.domain.roles import Role
from halo_engine.webhooks.endpoints import MOST
from tests.web.operating import Program, program
from tests.webhooks.receiver import Receiver
from tests.webhooks.sandbox import Hooks

ENDPOINT = "/api/webhooks/{endpoint}"
#: Method, path and body of each route.
ROUTES: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", "/api/webhooks", {"url": "https://hooks.acme.example/halo"}),
    "list": ("GET", "/api/webhooks", None),
    "change": ("PUT", ENDPOINT, {"off": True}),
    "remove": ("DELETE", ENDPOINT, None),
    "rotate_secret": ("POST", f"{ENDPOINT}/rotate-secret", {}),
    "replay": ("POST", f"{ENDPOINT}/replay", {"since": "2026-06-01"}),
    "test": ("POST", f"{ENDPOINT}/test", {}),
    "deliveries": ("GET", f"{ENDPOINT}/deliveries", None),
}


@pytest.fixture
def admin(hooks: Hooks) -> Program:
    """A program that may do everything."""
    return program(hooks, Role.ADMIN)


def created(admin: Program, url: str, **given: Any) -> Any:
    """Create an endpoint, and return the answer's body."""
    answer = admin("POST", "/api/webhooks", {"url": url, **given})
    assert answer.status == 200
    return answer.body


def test_an_endpoint_is_shown_with_its_secret_once(admin: Program, receiver: Receiver) -> None:
    """Only the answer to the creation shows the secret; other answers and the audit log have
    `***`.
    """
    made = created(admin, receiver.url, kinds=["mail.sent"])
    assert made["secret"].startswith("whsec_")
    shown = {
        "id": made["id"],
        "url": receiver.url,
        "kinds": ["mail.sent"],
        "series": None,
        "with_traits": False,
        "secret": "***",
        "created_at": "2026-06-01T12:00:00.000000+00:00",
        "off_since": None,
        "off_reason": None,
        "failing_since": None,
        "problem": None,
        "delivered_at": None,
    }
    assert {**made, "secret": "***"} == shown
    assert admin("GET", "/api/webhooks").body["items"] == [shown]
    path = f"/api/webhooks/{made['id']}"
    assert admin("PUT", path, {"with_traits": True}).body == {**shown, "with_traits": True}
    assert admin("DELETE", path).body == {**shown, "with_traits": True}
    assert made["secret"] not in json.dumps(admin("GET", "/api/audit").body)


def test_what_is_changed_counts_and_what_is_not_given_stays(
    hooks: Hooks, admin: Program, receiver: Receiver
) -> None:
    """Given fields change, null removes a filter, missing fields stay; an endpoint is switched off
    and on.
    """
    hooks.series("welcome")
    made = created(admin, "https://hooks.acme.example/", kinds=["mail.sent"], series=["welcome"])
    path = f"/api/webhooks/{made['id']}"
    changed = admin("PUT", path, {"url": receiver.url, "kinds": None}).body
    assert (changed["url"], changed["kinds"], changed["series"]) == (
        receiver.url,
        None,
        ["welcome"],
    )
    off = admin("PUT", path, {"off": True}).body
    assert (off["off_reason"], off["off_since"]) == ("operator", made["created_at"])
    hooks.enter("ann")
    assert hooks.deliver() == {}
    on = admin("PUT", path, {"off": False}).body
    assert (on["off_reason"], on["off_since"]) == (None, None)
    hooks.deliver()
    assert [each.type for each in receiver.taken][:2] == ["contact.entered", "mail.sent"]


def test_after_a_rotation_both_secrets_sign(
    hooks: Hooks, admin: Program, receiver: Receiver
) -> None:
    """After a rotation both secrets sign, and the new one is shown once."""
    made = created(admin, receiver.url)
    rotated = admin("POST", f"/api/webhooks/{made['id']}/rotate-secret", {}).body
    assert rotated["secret"] != made["secret"]
    assert admin("GET", "/api/webhooks").body["items"][0]["secret"] == "***"
    admin("POST", f"/api/webhooks/{made['id']}/test", {})
    hooks.deliver()
    for secret in (made["secret"], rotated["secret"]):
        assert [each["type"] for each in receiver.verified(secret)] == ["webhook.test"]


def test_a_test_message_goes_to_the_endpoint_alone(
    hooks: Hooks, admin: Program, receiver: Receiver
) -> None:
    """A test message ignores the filter, and the deliveries say what came of it."""
    made = created(admin, receiver.url, kinds=["mail.opened"])
    created(admin, receiver.url, kinds=["mail.opened"])
    sent = admin("POST", f"/api/webhooks/{made['id']}/test", {}).body
    hooks.deliver()
    assert [each.id for each in receiver.taken] == [sent["webhook_id"]]
    at = "2026-06-01T12:00:00.000000+00:00"
    assert admin("GET", f"/api/webhooks/{made['id']}/deliveries").body["items"] == [
        {
            "webhook_id": sent["webhook_id"],
            "type": "webhook.test",
            "at": at,
            "contact": None,
            "series": None,
            "state": "delivered",
            "attempts": 1,
            "due_at": None,
            "tried_at": at,
            "status": 204,
            "problem": None,
        }
    ]


def test_deliveries_are_listed_newest_first_in_pages(
    hooks: Hooks, admin: Program, receiver: Receiver
) -> None:
    """Deliveries are listed newest first in pages, all or those of one state."""
    receiver.answers = lambda taken: 204 if taken.contact == "ann" else 500
    made = created(admin, receiver.url, kinds=["contact.entered"])
    hooks.series("welcome")
    ids = [str(hooks.enter(name)[0]) for name in ("ann", "bob", "cyd")]
    hooks.deliver()
    path = f"/api/webhooks/{made['id']}/deliveries"
    first = admin("GET", f"{path}?limit=2").body
    assert [each["contact"] for each in first["items"]] == [ids[2], ids[1]]
    rest = admin("GET", f"{path}?limit=2&after={first['next']}").body
    assert [each["contact"] for each in rest["items"]] == [ids[0]]
    assert rest["next"] is None
    waiting = admin("GET", f"{path}?state=waiting").body["items"]
    assert [each["contact"] for each in waiting] == [ids[2], ids[1]]
    assert {each["problem"] for each in waiting} == {"it answered 500"}


def test_what_waits_for_an_endpoint_is_removed_with_it(
    hooks: Hooks, admin: Program, receiver: Receiver
) -> None:
    """After an endpoint's removal nothing is sent to it or written for it."""
    made = created(admin, receiver.url)
    hooks.series("welcome")
    hooks.enter("ann")
    assert admin("DELETE", f"/api/webhooks/{made['id']}").status == 200
    hooks.enter("bob")
    assert hooks.deliver() == {}
    assert receiver.taken == []
    assert admin("GET", "/api/webhooks").body["items"] == []


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER, Role.INGEST])
def test_endpoints_are_an_admins(hooks: Hooks, receiver: Receiver, role: Role) -> None:
    """Only admins may list or change endpoints."""
    endpoint = hooks.endpoint(receiver.url)
    other = program(hooks, role)
    for method, path, body in ROUTES.values():
        answer = other(method, path.format(endpoint=endpoint.id), body)
        assert answer.status == 403, path
    assert hooks.found(endpoint.id).off_since is None


def test_an_unknown_endpoint_is_refused(admin: Program) -> None:
    """Every route refuses an unknown endpoint, and leaves no row in the audit log."""
    for name, (method, path, body) in ROUTES.items():
        if path.startswith(ENDPOINT):
            answer = admin(method, path.format(endpoint=uuid4()), body)
            assert answer.refusal == (404, "unknown_endpoint"), name
    assert admin("GET", "/api/audit").body["items"] == []


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"kinds": ["mail.lost"]}, (400, "bad_input")),
        ({"kinds": []}, (400, "bad_input")),
        ({"series": []}, (400, "bad_input")),
        ({"series": ["nothing"]}, (404, "unknown_series")),
        ({"url": "nothing"}, (400, "bad_url")),
    ],
)
def test_a_bad_endpoint_is_refused(
    admin: Program, given: dict[str, Any], refusal: tuple[int, str]
) -> None:
    """A bad endpoint is refused, and none is created."""
    call = {"url": "https://hooks.acme.example/halo", **given}
    assert admin("POST", "/api/webhooks", call).refusal == refusal
    assert admin("GET", "/api/webhooks").body["items"] == []


def test_an_organisation_has_twenty_endpoints_at_most(hooks: Hooks, admin: Program) -> None:
    """The twenty-first endpoint is refused."""
    for number in range(MOST):
        hooks.endpoint(f"https://hooks.acme.example/{number}")
    call = {"url": "https://hooks.acme.example/one-more"}
    assert admin("POST", "/api/webhooks", call).refusal == (409, "too_many_endpoints")
    assert len(admin("GET", "/api/webhooks").body["items"]) == MOST == 20


def test_each_change_is_in_the_audit_log(admin: Program, receiver: Receiver) -> None:
    """Each change's row says who changed what; questions leave none."""
    made = created(admin, receiver.url)
    path = f"/api/webhooks/{made['id']}"
    admin("PUT", path, {"off": True})
    admin("POST", f"{path}/rotate-secret", {})
    admin("POST", f"{path}/replay", {"since": "2026-06-01"})
    admin("POST", f"{path}/test", {})
    admin("GET", f"{path}/deliveries")
    admin("DELETE", path)
    rows = admin("GET", "/api/audit").body["items"]
    assert {(row["by"], row["target"]) for row in rows} == {("admin key", made["id"])}
    assert [row["action"] for row in reversed(rows)] == [
        "webhooks.create",
        "webhooks.change",
        "webhooks.rotate_secret",
        "webhooks.replay",
        "webhooks.test",
        "webhooks.remove",
    ]
    changed = rows[-2]
    assert (changed["before"], changed["after"]) == (
        {"off_reason": None},
        {"off_reason": "operator"},
    )
