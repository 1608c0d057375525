"""Segment's and RudderStack's messages: what each kind becomes, and what is refused (§13)."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from sqlalchemy import update

from halo_engine.domain.roles import Role
from halo_engine.tables import (
    anonymous_traits,
    contact_sessions,
    end_users,
    events,
    taken_messages,
    waiting_calls,
)
from tests.clients.sending import batch, happened, members, people, rows, send
from tests.web.conftest import Web
from tests.web.test_applications import SECRET, key_of

SUCCESS = {"success": True}
FORM = "application/x-www-form-urlencoded"


def identify(user_id: str, **fields: Any) -> dict[str, Any]:
    """Return an identify."""
    return {"type": "identify", "userId": user_id, **fields}


def track(user_id: str, event: str = "paid", **fields: Any) -> dict[str, Any]:
    """Return a track."""
    return {"type": "track", "userId": user_id, "event": event, **fields}


def test_each_kind_becomes_calls_of_our_doors(web: Web) -> None:
    """Identify, track, group, page and screen of one batch become calls of our doors, in order."""
    org = web.organization()
    traits = {"email": "ann@a.example", "plan": "pro"}
    answer = batch(
        web,
        org,
        identify("ann", traits=traits, anonymousId="s1"),
        track("ann", properties={"total": 5}, anonymousId="s1"),
        {
            "type": "group",
            "userId": "ann",
            "groupId": "acme",
            "traits": {"name": "Acme", "size": 9},
        },
        {"type": "page", "userId": "ann", "name": "Index", "category": "Docs"},
        {"type": "page", "userId": "ann", "properties": {"path": "/"}},
        {"type": "screen", "anonymousId": "s2", "name": "Home"},
        {"type": "screen", "anonymousId": "s2", "category": "Docs"},
    )
    assert answer == SUCCESS
    assert people(web, org) == [("ann", "ann@a.example", {"plan": "pro"})]
    found = happened(web, org)
    assert [each for each in found if each[1] == "ann"] == [
        ("paid", "ann", "s1"),
        ("Viewed Docs Index Page", "ann", None),
        ("Loaded a Page", "ann", None),
    ]
    assert [each for each in found if each[1] is None] == [
        ("Viewed Home Screen", None, "s2"),
        ("Loaded a Screen", None, "s2"),
    ]
    assert members(web, org) == [("acme", "Acme", {"size": 9}, "ann")]
    assert rows(web, org, contact_sessions, "session_id") == [("s1",)]
    assert rows(web, org, end_users, "context") == [({},)]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/identify", {"userId": "ann"}),
        ("/v1/i", {"userId": "ann"}),
        ("/v1/track", {"anonymousId": "s", "event": "paid"}),
        ("/v1/t", {"anonymousId": "s", "event": "paid"}),
        ("/v1/group", {"anonymousId": "s", "groupId": "acme"}),
        ("/v1/g", {"anonymousId": "s", "groupId": "acme"}),
        ("/v1/page", {"anonymousId": "s"}),
        ("/v1/p", {"anonymousId": "s"}),
        ("/v1/screen", {"anonymousId": "s"}),
        ("/v1/s", {"anonymousId": "s"}),
        ("/v1/alias", {"previousId": "s", "userId": "nobody"}),
        ("/v1/a", {"previousId": "s", "userId": "nobody"}),
        ("/v1/batch", {"batch": []}),
        ("/v1/b", {"batch": []}),
        ("/v1/import", {"batch": [{"type": "identify", "userId": "ann"}]}),
    ],
)
def test_every_path_takes_its_messages(web: Web, path: str, message: dict[str, Any]) -> None:
    """Each path takes Basic auth, a key in the body, text/plain as browsers send it, compressed
    bodies (which RudderStack's client for Node calls a form), and a slash at its end, as Segment's
    client for Java sends it.
    """
    org = web.organization()
    key = str(org.widget_key)
    plain = {"Content_Type": "text/plain;charset=UTF-8"}
    packed = gzip.compress(json.dumps(message).encode())
    answers = [
        send(web, path, key, message),
        send(web, path, None, {**message, "writeKey": key}, **plain),
        send(web, path, key, {**message, "writeKey": key}, **plain),
        send(web, path, key, packed, Content_Encoding="gzip"),
        send(web, path, key, packed, Content_Encoding="gzip", Content_Type=FORM),
        send(web, f"{path}/", key, message),
    ]
    for answer in answers:
        assert (answer.status, answer.json()["success"]) == (200, True)
        assert answer.headers["access-control-allow-origin"] == "*"


def test_a_key_is_asked_for_once_and_may_not_contradict_itself(web: Web) -> None:
    """A missing key and two different keys are refused, with `message` beside the problem's
    members.
    """
    org, other = web.organization(), web.organization()
    key, message = str(org.widget_key), {"userId": "ann"}
    refused = {
        "no key": send(web, "/v1/identify", None, message),
        "unknown key": send(web, "/v1/identify", "ab_live_nobodys", message),
        "unknown key of a batch": send(web, "/v1/batch", "ab_live_nobodys", {"batch": [message]}),
        "unknown key of nothing": send(web, "/v1/batch", "ab_live_nobodys", {"batch": []}),
        "two keys": send(web, "/v1/identify", key, {**message, "writeKey": other.widget_key}),
        "an operator's": send(web, "/v1/identify", key_of(web, org, Role.ADMIN), message),
        "no Basic": send(web, "/v1/identify", None, message, Authorization="Basic ???"),
    }
    told = {}
    for name, answer in refused.items():
        problem = answer.json()
        assert problem["message"] == problem["detail"]
        assert answer.headers["content-type"] == "application/problem+json"
        told[name] = (answer.status, problem["code"])
    assert told == {
        "no key": (401, "key_required"),
        "unknown key": (401, "unknown_widget_key"),
        "unknown key of a batch": (401, "unknown_widget_key"),
        "unknown key of nothing": (401, "unknown_widget_key"),
        "two keys": (400, "keys_differ"),
        "an operator's": (403, "wrong_key"),
        "no Basic": (401, "key_required"),
    }
    assert people(web, org) == []


def test_traits_are_named_as_ours(web: Web) -> None:
    """CreatedAt becomes the sign-up, a company is identified, and reserved traits are left out."""
    org = web.organization()
    company = {"id": 7, "name": "Acme", "created_at": "2020-01-02", "plan": "pro"}
    answer = batch(
        web,
        org,
        identify("ann", traits={"createdAt": 1577923200, "id": "ann", "company": company}),
        identify("bob", traits={"created_at": "2020-01-02T00:00:00Z", "company": "Acme"}),
        identify("cec", traits={"createdAt": 1577923200123, "signed_up_at": "2021-01-01"}),
        identify("dan", context={"traits": {"created_at": "1577923200", "company_id": 1}}),
    )
    assert {each["index"]: each["message"].partition(";")[0] for each in answer["warnings"]} == {
        0: "traits: id left out",
        1: "traits.company: has no id, so it stays a trait",
        3: "context.traits: company_id left out",
    }
    second = datetime(2020, 1, 2, tzinfo=UTC)
    assert rows(web, org, end_users, "external_id", "signed_up_at", "custom_fields") == [
        ("ann", second, {}),
        ("bob", second, {"company": "Acme"}),
        ("cec", datetime(2021, 1, 1, tzinfo=UTC), {}),
        ("dan", second, {}),
    ]
    assert members(web, org) == [("7", "Acme", {"plan": "pro"}, "ann")]


def test_a_company_that_is_refused_refuses_its_user_too(web: Web) -> None:
    """If a company is refused, its user is not written either."""
    org = web.organization()
    answer = batch(web, org, identify("ann", traits={"company": {"id": "acme", "mrr": "much"}}))
    [refused] = answer["refused"]
    assert (refused["status"], refused["code"]) == (400, "bad_trait")
    assert refused["message"].startswith("traits.company: traits.mrr: ‘much’ is refused")
    assert people(web, org) == []


def test_a_message_that_comes_again_does_nothing(web: Web) -> None:
    """A known messageId is answered and ignored, in a batch or alone, whatever the message says."""
    org = web.organization()
    key = str(org.widget_key)
    once = {"anonymousId": "s", "event": "paid", "messageId": "m1"}
    sent = {"type": "track", **once}
    assert batch(web, org, sent, {**sent, "event": "left"}, sentAt="2026-01-01") == SUCCESS
    assert batch(web, org, {**sent, "event": "gone"}, sentAt="2026-01-02") == SUCCESS
    assert send(web, "/v1/track", key, {**once, "event": "gone"}).json() == SUCCESS
    assert happened(web, org) == [("paid", None, "s")]
    assert len(rows(web, org, taken_messages, "key")) == 1
    # Message ids are no idempotency keys of applications'.
    event = {"event": "other", "session_id": "s", "idempotency_key": "m1"}
    assert web.post("/api/sdk/events", key, event).status == 200


def test_a_refused_message_may_come_again(web: Web) -> None:
    """A refused message leaves its messageId free."""
    org = web.organization()
    bad = identify("ann", traits={"email": "no address"}, messageId="m1")
    assert batch(web, org, bad)["refused"][0]["messageId"] == "m1"
    assert batch(web, org, {**bad, "traits": {"email": "ann@a.example"}}) == SUCCESS
    assert people(web, org) == [("ann", "ann@a.example", {})]


def test_a_bad_message_spoils_no_other(web: Web) -> None:
    """A bad message is refused alone, by index, messageId, status, code and message."""
    org = web.organization()
    body = (
        b'{"batch": [{"type": "identify", "userId": "ann", "traits": {"age": NaN}},'
        b' {"type": "identify", "userId": "bob", "traits": {"age": 3}, "messageId": "m2"},'
        b' {"type": "track", "userId": "bob"}, {"type": "sing"}, 7, {"type": "track"},'
        b' {"type": "track", "userId": "bob", "event": "e", "properties": {"x": -Infinity}}]}'
    )
    answer = send(web, "/v1/batch", str(org.widget_key), body)
    assert answer.status == 200
    assert [(each["index"], each["status"], each["code"]) for each in answer.json()["refused"]] == [
        (0, 400, "bad_number"),
        (2, 400, "bad_name"),
        (3, 400, "bad_input"),
        (4, 400, "bad_json"),
        (5, 400, "missing_key"),
        (6, 400, "bad_number"),
    ]
    assert answer.json()["refused"][0]["message"].startswith("message.traits.age: ")
    assert people(web, org) == [("bob", None, {"age": 3})]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"nonsense", 400, "bad_json"),
        (b"\x00\xff\xfe", 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b"{}", 400, "bad_input"),
        (b'{"batch": {}}', 400, "bad_input"),
        (b'{"batch": [], "batch": []}', 400, "duplicate_key"),
        (b'{"batch": [' + b'{"type":"identify","userId":"a"},' * 40_000 + b"]}", 413, "too_large"),
    ],
)
def test_a_body_that_is_no_batch_is_refused(web: Web, body: bytes, status: int, code: str) -> None:
    """A body that is no batch is refused as on every route."""
    answer = send(web, "/v1/batch", str(web.organization().widget_key), body)
    assert (answer.status, answer.json()["code"]) == (status, code)


def test_a_body_that_unpacks_to_too_much_is_refused(web: Web) -> None:
    """A body is bounded by its unpacked size; an encoding that is not supported is refused."""
    key = str(web.organization().widget_key)
    large = gzip.compress(b'{"batch": []}' + b" " * 1024 * 1024)
    answer = send(web, "/v1/batch", key, large, Content_Encoding="gzip")
    assert (answer.status, answer.json()["code"]) == (413, "too_large")
    answer = send(web, "/v1/batch", key, b"{}", Content_Type="application/xml")
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_type")


def test_a_clock_that_is_wrong_is_corrected(web: Web) -> None:
    """Timestamps are shifted by the difference between sentAt and our clock; a short transit is not
    taken for a wrong clock.
    """
    org = web.organization()
    now = datetime.now(UTC).replace(microsecond=0)
    ahead, hour = now + timedelta(days=400), timedelta(hours=1)
    old = now - timedelta(hours=3)
    batch(
        web,
        org,
        {"type": "track", "anonymousId": "s", "event": "ahead", "timestamp": str(ahead - hour)},
        sentAt=str(ahead),
    )
    batch(
        web,
        org,
        {"type": "track", "anonymousId": "s", "event": "exact", "timestamp": str(old)},
        sentAt=str(datetime.now(UTC)),
    )
    found = dict(rows(web, org, events, "name", "happened_at"))
    assert now - hour <= found["ahead"] < now - hour + timedelta(minutes=1)
    assert found["exact"] == old


def test_an_identify_that_comes_late_undoes_nothing(web: Web) -> None:
    """An identify counts from its timestamp, since a retry has another sentAt."""
    org = web.organization()
    now = datetime.now(UTC)
    times = [str(now - timedelta(minutes=minutes)) for minutes in (1, 9)]
    for time, plan in zip(times, ("new", "old"), strict=True):
        batch(web, org, identify("ann", traits={"plan": plan}, timestamp=time), sentAt=str(now))
    assert people(web, org) == [("ann", None, {"plan": "new"})]


def test_traits_of_somebody_anonymous_wait_for_its_identify(web: Web) -> None:
    """Anonymous traits wait for the identify; its own traits win, and a refused identify leaves
    them waiting.
    """
    org = web.organization()
    batch(
        web,
        org,
        {"type": "identify", "anonymousId": "s", "traits": {"plan": "a", "city": "Rome"}},
        {"type": "identify", "anonymousId": "s", "traits": {"plan": "b", "id": 5}},
    )
    assert people(web, org) == []
    kept = {"plan": "b", "city": "Rome", "id": 5}
    assert rows(web, org, anonymous_traits, "session_id", "traits") == [("s", kept)]
    assert "refused" in batch(web, org, identify("ann", anonymousId="s", traits={"mrr": "much"}))
    assert rows(web, org, anonymous_traits, "session_id") == [("s",)]
    batch(
        web,
        org,
        identify("ann", anonymousId="s", traits={"plan": "c"}),
        {"type": "identify", "anonymousId": "s", "traits": {"next": 1}},
        identify("bob", anonymousId="s"),
        {"type": "identify", "anonymousId": "s", "traits": {"last": 1}},
    )
    assert people(web, org) == [
        ("ann", None, {"plan": "c", "city": "Rome"}),
        ("bob", None, {"next": 1}),
    ]
    assert rows(web, org, anonymous_traits, "session_id", "traits") == [("s", {"last": 1})]


def test_traits_of_somebody_anonymous_are_bounded_and_checked(web: Web) -> None:
    """Anonymous traits that no identify could take are refused at once, and deleted after 30
    days.
    """
    org = web.organization()
    anonymous = {"type": "identify", "anonymousId": "s"}
    large = {**anonymous, "traits": {"a": "x" * 15_000}}
    answer = batch(
        web,
        org,
        large,
        {**anonymous, "traits": {"b": "x" * 15_000}},
        {**anonymous, "traits": {"email": "none"}},
        {**anonymous, "traits": {"company": {"id": "acme", "mrr": "much"}}},
        {**anonymous, "traits": {"id": "a\0b"}},
    )
    assert [(each["index"], each["code"]) for each in answer["refused"]] == [
        (1, "too_large"),
        (2, "bad_email"),
        (3, "bad_trait"),
        (4, "bad_text"),
    ]
    with web.database.begin() as connection:
        past = datetime.now(UTC) - timedelta(days=30)
        connection.execute(
            update(anonymous_traits).where(anonymous_traits.c.org_id == org.id).values(said_at=past)
        )
    batch(web, org, identify("ann", anonymousId="s"))
    assert people(web, org) == [("ann", None, {})]


def test_kept_traits_that_do_not_fit_are_left_out(web: Web) -> None:
    """Waiting traits that do not fit are left out; the identify's own are taken."""
    org = web.organization()
    batch(web, org, {"type": "identify", "anonymousId": "s", "traits": {"a": "x" * 15_000}})
    answer = batch(web, org, identify("ann", anonymousId="s", traits={"b": "x" * 15_000}))
    assert "those kept are left out" in answer["warnings"][0]["message"]
    assert rows(web, org, end_users, "external_id") == [("ann",)]


def test_calls_of_an_unknown_user_wait_for_it(web: Web) -> None:
    """Events, groups and aliases of an unknown user wait for it; an event keeps its own instant."""
    org = web.organization()
    an_hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    answer = batch(
        web,
        org,
        {"type": "track", "anonymousId": "s", "event": "before"},
        track("ann", timestamp=str(an_hour_ago)),
        {"type": "group", "userId": "ann", "groupId": "acme"},
        {"type": "alias", "previousId": "s", "userId": "ann"},
        track("bob"),
    )
    assert answer == SUCCESS
    assert happened(web, org) == [("before", None, "s")]
    assert len(rows(web, org, waiting_calls, "id")) == 4
    batch(web, org, track("ann", "mine"), identify("ann"), track("ann", "after"))
    assert happened(web, org) == [
        ("before", "ann", "s"),
        ("after", "ann", None),
        ("paid", "ann", None),
        ("mine", "ann", None),
    ]
    assert members(web, org) == [("acme", None, {}, "ann")]
    found = rows(web, org, events, "name", "happened_at", "live")
    assert ("paid", an_hour_ago, True) in found
    assert rows(web, org, waiting_calls, "user_id") == [("bob",)]


def test_too_many_calls_of_an_unknown_user_are_refused(web: Web) -> None:
    """At most 100 calls wait for one user; further ones are refused by name."""
    org = web.organization()
    answer = batch(web, org, *[track("ann", f"e{n}") for n in range(103)], track("bob"))
    assert [(each["index"], each["status"], each["code"]) for each in answer["refused"]] == [
        (100, 409, "too_many_waiting"),
        (101, 409, "too_many_waiting"),
        (102, 409, "too_many_waiting"),
    ]
    assert "refused" in batch(web, org, track("ann"))
    assert len(rows(web, org, waiting_calls, "id")) == 101


def test_an_alias_links_an_anonymous_id_alone(web: Web) -> None:
    """An alias links an anonymous id; two users stay apart, with a warning."""
    org = web.organization()
    batch(web, org, identify("ann"), identify("bob"), track("", anonymousId="s"))
    answer = batch(
        web,
        org,
        {"type": "alias", "previousId": "ann", "userId": "bob"},
        {"type": "alias", "previousId": "s", "userId": "bob"},
    )
    [warning] = answer["warnings"]
    assert (warning["index"], warning["message"][:24]) == (0, "previousId: is a user's,")
    assert happened(web, org) == [("paid", "bob", "s")]


def test_with_verification_a_message_of_a_user_needs_a_token(web: Web) -> None:
    """With verification a browser's message needs a token in its context; a backend's needs
    none.
    """
    org = web.organization(identity_secret=SECRET)
    token = jwt.encode({"user_id": "ann"}, SECRET, algorithm="HS256")
    proof = {"context": {"user_token": token}}
    messages = [
        identify("ann"),
        track("ann"),
        {"type": "group", "userId": "ann", "groupId": "acme"},
        {"type": "alias", "userId": "ann", "previousId": "s"},
        identify("bob", **proof),
    ]
    answer = batch(web, org, *messages)
    assert [(each["index"], each["status"]) for each in answer["refused"]] == [
        (0, 401),
        (1, 401),
        (2, 401),
        (3, 401),
        (4, 401),
    ]
    assert rows(web, org, waiting_calls, "user_id") == []
    assert batch(web, org, *[{**each, **proof} for each in messages[:4]]) == SUCCESS
    anonymous = {"type": "track", "anonymousId": "s", "event": "seen"}
    assert batch(web, org, anonymous, {"type": "identify", "anonymousId": "s"}) == SUCCESS
    single = send(web, "/v1/identify", str(org.widget_key), {"userId": "ann"})
    assert (single.status, single.json()["code"]) == (401, "user_token_required")
    backend = key_of(web, org, Role.INGEST)
    assert send(web, "/v1/identify", backend, {"userId": "bob"}).status == 200
    assert [name for name, *_ in people(web, org)] == ["ann", "bob"]


def test_browsers_may_say_what_their_clients_say(web: Web) -> None:
    """A preflight allows the headers of Segment's client when it tries again, and those that
    RudderStack's always sends, or when it tries again.
    """
    preflight = web.ask("OPTIONS", "/v1/t", Origin="https://app.example")
    assert preflight.status == 204
    allowed = preflight.headers["access-control-allow-headers"].split(", ")
    assert {"X-Retry-Count", "AnonymousId", "SentAt"} <= {*allowed}
    retries = ("Attempt", "Reason")
    assert {f"Rsa-Retry-{each}" for each in retries} | {"Rsa-Recovered"} <= {*allowed}
    assert {f"Rsa-Since-{each}-Attempt" for each in ("First", "Last")} <= {*allowed}


def test_an_empty_list_is_no_properties(web: Web) -> None:
    """PHP writes an object without keys so; any other list is refused by its name."""
    org = web.organization()
    answer = batch(
        web,
        org,
        identify("ann", traits=[], context=[]),
        track("ann", properties=[], context=[]),
        {"type": "group", "userId": "ann", "groupId": "acme", "traits": []},
        {"type": "page", "userId": "ann", "properties": []},
        track("ann", "other", properties=[1]),
    )
    assert [(each["index"], each["code"]) for each in answer["refused"]] == [(4, "bad_json")]
    assert [name for name, *_ in happened(web, org)] == ["paid", "Loaded a Page"]
    assert members(web, org) == [("acme", None, {}, "ann")]


def test_nobody_else_may_use_a_batch_of_ours(web: Web) -> None:
    """Ids may be numbers; anything else is refused as an id."""
    org = web.organization()
    answer = batch(web, org, identify(7), identify({}), identify(True), identify(7.5))  # type: ignore[arg-type]
    assert [each["code"] for each in answer["refused"]] == ["bad_id"] * 3
    assert [name for name, *_ in people(web, org)] == ["7"]
