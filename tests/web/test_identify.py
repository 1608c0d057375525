"""Identify over HTTP: the task's answers and refusals, as HTTP says them (contract §12)."""

import gzip
import json
from codecs import BOM_UTF8
from typing import Any

import pytest
from sqlalchemy import select

from halo_engine.tables import end_users
from tests.web.conftest import Web

PATH = "/api/sdk/users/identify"


def test_an_identified_user_is_committed_and_answered(web: Web) -> None:
    """A 200 has the task's fields, and its user is committed."""
    org = web.organization()
    answer = web.post(PATH, str(org.widget_key), {"user_id": "ann", "traits": {"plan": "pro"}})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["user_id"] == "ann"
    assert answer.json()["created"] is True
    asked = select(end_users.c.external_id, end_users.c.custom_fields)
    with web.database.connect() as connection:
        rows = connection.execute(asked.where(end_users.c.org_id == org.id)).all()
    assert [tuple(row) for row in rows] == [("ann", {"plan": "pro"})]


def test_a_refusal_is_a_problem_with_the_tasks_message(web: Web) -> None:
    """A refusal is a problem (RFC 9457) with the status, code and message of the task's."""
    org = web.organization()
    answer = web.post(PATH, str(org.widget_key), {"user_id": "ann", "traits": {"id": 1}})
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    said = answer.json()
    assert said["detail"].startswith("traits: id cannot be set; Halo manages ")
    assert {name: said[name] for name in ("type", "title", "status", "code")} == {
        "type": "urn:halo:reserved_trait",
        "title": "Bad Request",
        "status": 400,
        "code": "reserved_trait",
    }


def test_an_unknown_widget_key_is_a_401(web: Web) -> None:
    """An unknown widget key is a 401 that says how to prove the caller."""
    answer = web.post(PATH, "ab_live_nobodys", {"user_id": "ann"})
    assert (answer.status, answer.json()["code"]) == (401, "unknown_widget_key")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "Bearer", "Bearer \xe9"])
def test_without_a_key_nobody_may_call(web: Web, authorization: str) -> None:
    """A call without a key, or with another scheme, is refused."""
    answer = web.ask("POST", PATH, b"{}", Authorization=authorization)
    assert (answer.status, answer.json()["code"]) == (401, "key_required")


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (b'{"user_id": "ann",\n "traits": }', "bad_json", "body at line 2, column 12: is no JSON"),
        (b"", "bad_json", "body at line 1, column 0: is no JSON"),
        (b'{"user_id": "ann", "user_id": "bob"}', "duplicate_key", "a key comes twice"),
        (b'{"user_id": "ann", "traits": {"a": NaN}}', "bad_json", "is no JSON"),
        (b'{"user_id": "ann", "traits": {"a": 1e999}}', "bad_number", "traits.a"),
        (b'{"user_id": "ann", "traits": {"a": 9223372036854775808}}', "bad_number", "traits.a"),
        (b'{"user_id": "\\ud800"}', "bad_json", "is no JSON"),
        (b'{"user_id": "ann\xff"}', "bad_json", "is no JSON"),
        (b"[" * 300, "too_deep", "it nests too deep"),
        (b"[1]", "bad_input", "a list is not an object with user_id"),
        (b'{"user_id": "ann", "widget_key": "k"}', "unknown_key", "halo.identify.widget_key"),
    ],
)
def test_a_body_that_is_no_call_is_a_400(web: Web, body: bytes, code: str, detail: str) -> None:
    """A body that is no call is a 400: bad JSON with its place, a bad value as by the task."""
    org = web.organization()
    answer = web.ask(
        "POST",
        PATH,
        body,
        Authorization=f"Bearer {org.widget_key}",
        Content_Type="application/json",
    )
    said = answer.json()
    assert (answer.status, said["code"]) == (400, code), said
    assert detail in said["detail"]


@pytest.mark.parametrize(
    ("headers", "header"),
    [
        ({"Content_Type": "text/plain"}, "Content-Type"),
        ({"Content_Type": "application/json; charset=latin-1"}, "Content-Type"),
        ({"Content_Type": "application/json", "Content_Encoding": "br"}, "Content-Encoding"),
    ],
)
def test_another_type_or_encoding_is_a_415(web: Web, headers: dict[str, str], header: str) -> None:
    """Another type or encoding is a 415 that names the header and what is allowed."""
    org = web.organization()
    answer = web.ask("POST", PATH, b"{}", Authorization=f"Bearer {org.widget_key}", **headers)
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_type")
    assert answer.json()["detail"].startswith(header)


def _gzipped(web: Web, body: bytes) -> Any:
    return web.ask(
        "POST",
        PATH,
        body,
        Authorization=f"Bearer {web.organization().widget_key}",
        Content_Type="application/json; charset=UTF-8",
        Content_Encoding="gzip",
    )


def test_a_byte_order_mark_before_json_is_passed_over(web: Web) -> None:
    """.NET and PowerShell write one before UTF-8."""
    named = {"Authorization": f"Bearer {web.organization().widget_key}"}
    body, json_type = BOM_UTF8 + b'{"user_id": "ann"}', "application/json"
    assert web.ask("POST", PATH, body, Content_Type=json_type, **named).status == 200


def test_a_compressed_body_is_read_within_the_bound(web: Web) -> None:
    """A compressed body is bounded by its unpacked size."""
    call = json.dumps({"user_id": "ann"}).encode()
    assert _gzipped(web, gzip.compress(call)).status == 200
    assert _gzipped(web, gzip.compress(call)[:-1]).json()["code"] == "bad_encoding"
    assert _gzipped(web, gzip.compress(call) + b"more").json()["code"] == "bad_encoding"
    assert _gzipped(web, gzip.compress(b" " * 1024 * 1024 + call)).status == 413


@pytest.mark.parametrize("given", ["trace-1.2:3", "a" * 128])
def test_a_safe_request_id_is_taken_over(web: Web, given: str) -> None:
    """A safe request id is used and sent back."""
    assert web.ask("GET", "/healthz", X_Request_Id=given).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "a\tb", '"', "\xe9"])
def test_an_unsafe_request_id_is_replaced(web: Web, given: str) -> None:
    """An unsafe request id is replaced, since it would stand in log lines."""
    made = web.ask("GET", "/healthz", X_Request_Id=given).headers["x-request-id"]
    assert made != given
    assert len(made) == 32


def test_any_page_may_call_and_read_refusals(web: Web) -> None:
    """Any page may call and read refusals: CORS without credentials, and a preflight without a
    key.
    """
    preflight = web.ask("OPTIONS", PATH, Origin="https://shop.example")
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, "*")
    allowed = preflight.headers["access-control-allow-headers"]
    assert allowed == "Authorization, Content-Type, Idempotency-Key, X-Request-Id"
    assert preflight.headers["access-control-max-age"] == "86400"
    refused = web.post(PATH, "ab_live_nobodys", {})
    assert refused.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in refused.headers


def test_no_page_may_read_anything_else(web: Web) -> None:
    """Outside /api/sdk and /v1 there is no CORS."""
    for method in ("GET", "OPTIONS"):
        answer = web.ask(method, "/healthz", Origin="https://shop.example")
        assert "access-control-allow-origin" not in answer.headers


def test_a_path_that_is_none_is_a_404_and_a_wrong_method_a_405(web: Web) -> None:
    """An unknown path is a 404, a wrong method a 405 that lists the methods."""
    assert web.ask("GET", "/nothing").json()["code"] == "unknown_path"
    answer = web.ask("GET", PATH)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
