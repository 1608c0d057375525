"""Operators' routes: the documented ones, and those made by the rule (contract §12)."""

from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from halo_engine.domain.roles import Role
from halo_engine.series.checking.preflight import NO_FILTER
from halo_engine.tables import automation_active_periods, end_users, idempotency_keys
from tests.doors.test_series import WELCOME
from tests.pipeline.sandbox import Sandbox, new_sandbox
from tests.web.operating import Program, program

SEGMENT = {"entry_trigger": "segment_match", "audience_type": "segment", "steps": WELCOME["steps"]}


def test_a_series_from_definition_to_end(sandbox: Sandbox, admin: Program) -> None:
    """A series is saved, checked, activated, asked about, and stopped."""
    sandbox.contacts(["ann", "bob"])
    manual = {**WELCOME, "entry_trigger": "manual"}
    manual["steps"] = [{**WELCOME["steps"][0], "delay": "1d"}]
    saved = admin("PUT", "/api/series/letter", manual)
    assert (saved.status, saved.headers["etag"], saved.body["version"]) == (201, '"1"', 1)
    assert admin("GET", "/api/series/letter").body["definition"] == manual
    assert admin("GET", "/api/series/letter/preflight").body["refusals"] == []
    assert admin("GET", "/api/series/letter/preview?size=1").body["matched"] == 2
    assert admin("GET", "/api/series/letter/diagnose").body["eligible"] == 2
    activated = admin("POST", "/api/series/letter/activate")
    assert activated.body == {"series": "letter", "status": "active"}
    sandbox.settle()
    assert admin("GET", "/api/series/letter/funnel").body["active"] == 2
    assert admin("GET", "/api/series/letter/explain?contact=ann").body["code"] == "active"
    removed = admin("POST", "/api/series/letter/contacts/ann/remove", {})
    assert removed.body == {"series": "letter", "contact": "ann", "exit_reason": "manual"}
    buckets = admin("GET", "/api/series/letter/ledger").body["buckets"]
    assert buckets == {"active": 1, "already_enrolled": 1}
    assert admin("POST", "/api/series/letter/pause").body["status"] == "paused"
    assert admin("POST", "/api/series/letter/resume", {}).body["status"] == "active"
    assert admin("POST", "/api/series/letter/stop").body["removed"] == 1
    assert admin("POST", "/api/series/letter/stop").refusal == (409, "not_running")
    started = sandbox.perform(
        lambda work: work.connection.scalars(
            automation_active_periods.select()
            .with_only_columns(automation_active_periods.c.started_by)
            .where(automation_active_periods.c.org_id == work.org_id)
        ).all()
    )
    assert set(started) == {"admin key"}


def test_a_refused_activation_says_the_contracts_words(editor: Program) -> None:
    """`detail` is the text of §8 alone, and preflight lists all of them in order."""
    editor("PUT", "/api/series/pro", {**SEGMENT, "steps": []})
    refused = editor("POST", "/api/series/pro/activate")
    assert (refused.refusal, refused.body["detail"]) == ((400, "not_activatable"), NO_FILTER)
    checks = editor("GET", "/api/series/pro/preflight").body["refusals"]
    assert checks == [NO_FILTER, "Add at least one step before activating."]


def test_a_save_over_what_somebody_else_saved_is_refused(editor: Program) -> None:
    """A save whose `If-Match` names an older version is refused."""
    editor("PUT", "/api/series/w", WELCOME)
    mine = editor("GET", "/api/series/w").headers["etag"]
    theirs = editor("PUT", "/api/series/w", {**WELCOME, "name": "Hello"}, if_match=mine)
    assert (theirs.status, theirs.headers["etag"]) == (200, '"2"')
    late = editor("PUT", "/api/series/w", WELCOME, if_match=mine)
    assert late.refusal == (409, "changed_meanwhile")
    assert editor("PUT", "/api/series/w", WELCOME, if_match="3").refusal == (400, "bad_input")


def test_a_proxy_that_compresses_answers_does_not_keep_a_program_from_saving(
    editor: Program,
) -> None:
    """It makes tags weak, as nginx does with gzip; such a tag names the same version."""
    editor("PUT", "/api/series/w", WELCOME)
    saved = editor("PUT", "/api/series/w", {**WELCOME, "name": "Hello"}, if_match='W/"1"')
    assert (saved.status, saved.headers["etag"]) == (200, '"2"')
    late = editor("PUT", "/api/series/w", WELCOME, if_match='W/"1"')
    assert late.refusal == (409, "changed_meanwhile")


def test_the_plan_of_a_new_series_makes_none(viewer: Program) -> None:
    """Only what saves answers 201."""
    plan = viewer("POST", "/api/series/w/plan", WELCOME)
    assert (plan.status, plan.body["result"]) == (200, "created")
    assert viewer("GET", "/api/series/w").refusal == (404, "unknown_series")


def test_a_plan_is_saved_by_its_token(editor: Program) -> None:
    """`If-Match` takes the token too; after another save it is a 409 (contract §18)."""
    editor("PUT", "/api/series/w", WELCOME)
    hello = {**WELCOME, "name": "Hello"}
    plan = editor("POST", "/api/series/w/plan", hello).body
    assert [change["field"] for change in plan["changes"]] == ["name"]
    token = f'"{plan["token"]}"'
    assert editor("PUT", "/api/series/w", WELCOME, if_match=token).refusal == (409, "plan_outdated")
    assert editor("PUT", "/api/series/w", hello, if_match=token).headers["etag"] == '"2"'
    assert editor("PUT", "/api/series/w", hello, if_match=token).refusal == (409, "plan_outdated")
    history = editor("GET", "/api/series/w/history").body
    assert [each["version"] for each in history["versions"]] == [2, 1]
    assert "name" not in editor("GET", "/api/series/w?version=1").body["definition"]


def test_a_save_says_whether_the_series_is_there(editor: Program) -> None:
    """`If-Match: *` creates no series, `If-None-Match: *` replaces none (RFC 9110 §13.1)."""
    path, stale = "/api/series/w", (409, "changed_meanwhile")
    assert editor("PUT", path, WELCOME, if_match="*").refusal == stale
    assert editor("PUT", path, WELCOME, if_match='"1"').refusal == stale
    assert editor("GET", path).status == 404
    assert editor("PUT", path, WELCOME, if_none_match="*").status == 201
    hello = {**WELCOME, "name": "Hello"}
    assert editor("PUT", path, hello, if_none_match="*").refusal == stale
    assert editor("PUT", path, hello, if_match="*").headers["etag"] == '"2"'
    assert editor("PUT", path, hello, if_none_match='"1"').refusal == (400, "bad_input")
    both = editor("PUT", path, hello, if_match="*", if_none_match="*")
    assert both.refusal == (400, "bad_input")


def test_a_draft_is_deleted(editor: Program) -> None:
    """A draft is deleted; a series that was activated is not."""
    for key in ("a", "b"):
        editor("PUT", f"/api/series/{key}", WELCOME)
    editor("POST", "/api/series/b/activate")
    assert editor("DELETE", "/api/series/a").body == {"series": "a", "deleted": True}
    assert editor("DELETE", "/api/series/b").refusal == (409, "not_draft")
    assert editor("GET", "/api/series/a").refusal == (404, "unknown_series")


def test_lists_are_pages(editor: Program) -> None:
    """Each series is on one page, and the last page has no next."""
    for key in ("a", "b", "c"):
        editor("PUT", f"/api/series/{key}", WELCOME)
    first = editor("GET", "/api/series?limit=2").body
    assert ([each["series"] for each in first["items"]], first["next"]) == (["a", "b"], "b")
    rest = editor("GET", f"/api/series?limit=2&after={first['next']}").body
    assert ([each["series"] for each in rest["items"]], rest["next"]) == (["c"], None)
    assert editor("GET", "/api/series?after=z").refusal == (400, "bad_cursor")
    for limit in ("0", "201", "x", "1_0", "5.0"):
        assert editor("GET", f"/api/series?limit={limit}").refusal[0] == 400


def test_what_there_is_to_choose_from_is_pages_too(editor: Program) -> None:
    """Subscription lists and presets are pages, by key and in the panel's order."""
    for key in ("c", "a", "b"):
        editor("PUT", f"/api/lists/{key}", {})
    first = editor("GET", "/api/lists?limit=2").body
    assert ([each["list"] for each in first["items"]], first["next"]) == (["a", "b"], "b")
    rest = editor("GET", "/api/lists?limit=2&after=b").body
    assert ([each["list"] for each in rest["items"]], rest["next"]) == (["c"], None)
    presets = editor("GET", "/api/presets").body["items"]
    page = editor("GET", "/api/presets?limit=1&after=On%20trial").body
    assert page == {"items": presets[1:2], "next": presets[1]["preset"]}
    assert editor("GET", "/api/lists?after=z").refusal == (400, "bad_cursor")


@pytest.mark.parametrize("path", ["series", "contacts", "lists", "imports"])
def test_a_limit_that_is_no_number_is_refused_by_its_name(editor: Program, path: str) -> None:
    """The field that a refusal names is the one in the query."""
    for given in ("x", "", "5.0"):
        refused = editor("GET", f"/api/{path}?limit={given}")
        assert refused.refusal == (400, "bad_input")
        assert refused.body["field"] == "limit"
        assert refused.body["allowed"] == "a whole number"


@pytest.mark.parametrize("name", ["a/b", "a%b", "a b", "ünï", "a?b#c", "..", "ann@a.example"])
def test_a_contact_in_a_path_is_percent_encoded(
    sandbox: Sandbox, editor: Program, name: str
) -> None:
    """A path is split before it is decoded, so a slash can be part of an ID."""
    sandbox.contacts([name])
    sandbox.series("w", entry_trigger="manual", steps=[{**WELCOME["steps"][0], "delay": "1d"}])
    sandbox.settle()
    removed = editor("POST", f"/api/series/w/contacts/{quote(name, safe='')}/remove")
    assert removed.body["contact"] == name


def test_a_definition_is_asked_about_before_it_is_saved(sandbox: Sandbox, viewer: Program) -> None:
    """A definition in the body is answered as a saved series; the query names the page."""
    sandbox.contacts(["ann", "bob"])
    page = viewer("POST", "/api/preview?size=1", WELCOME).body
    assert (page["matched"], len(page["contacts"])) == (2, 1)
    rest = viewer("POST", f"/api/preview?after={page['next']}", WELCOME).body
    assert [each["external_id"] for each in rest["contacts"]] == ["bob"]
    assert viewer("POST", "/api/diagnose", WELCOME).body["eligible"] == 2
    wrong = viewer("POST", "/api/preview", {"steps": 3})
    assert wrong.body["detail"].startswith("series.definition.entry_trigger: is required\n")


def test_every_other_door_is_found_by_the_rule(sandbox: Sandbox, admin: Program) -> None:
    """`halo.a.b_c` is `POST /api/a/b-c`; a series' doors stand below that series."""
    ann = {"user_id": "ann", "email": "ann@a.example"}
    assert admin("POST", "/api/contacts/add", ann).body["created"]
    assert admin("POST", "/api/events/list").body == []
    admin("PUT", "/api/series/w", {**WELCOME, "entry_trigger": "manual"})
    assert admin("POST", "/api/series/w/activate").status == 200
    retried = admin("POST", "/api/series/w/retry-failed").body
    assert (retried["series"], retried["done"]) == ("w", True)
    assert admin("POST", "/api/sending/stop").body["stops"][0]["by"] == "admin key"
    assert admin("POST", "/api/sending/start").body["stops"] == []
    assert admin("DELETE", "/api/contacts/ann").status == 200
    assert sandbox.count(end_users) == 0


def test_pages_of_who_is_where(sandbox: Sandbox, editor: Program) -> None:
    """A series' recipients, a bucket of its ledger, and contacts by name are pages of items."""
    sandbox.contacts(["ann", "anna", "bob"])
    sandbox.series("w", entry_trigger="manual", steps=[{**WELCOME["steps"][0], "delay": "1d"}])
    sandbox.settle()

    def items(path: str) -> list[Any]:
        found: list[Any] = editor("GET", path).body["items"]
        return found

    assert {each["contact"] for each in items("/api/series/w/recipients?status=pending")} == {
        "ann",
        "anna",
        "bob",
    }
    assert items("/api/series/w/recipients?status=failed") == []
    assert editor("GET", "/api/series/w/recipients?status=happy").refusal[0] == 400
    assert len(items("/api/series/w/ledger?code=active&limit=2")) == 2
    assert items("/api/series/w/ledger?code=suppressed") == []
    found = editor("GET", "/api/contacts?q=ann&limit=1").body
    rest = editor("GET", f"/api/contacts?q=ann&after={found['next']}").body
    names = [each["external_id"] for each in (*found["items"], *rest["items"])]
    assert (sorted(names), rest["next"]) == (["ann", "anna"], None)


def test_a_series_may_be_called_as_a_route_is(editor: Program) -> None:
    """`POST /api/series/apply` is a route of its own; the series `apply` is read and saved."""
    assert editor("PUT", "/api/series/apply", WELCOME).status == 201
    assert editor("GET", "/api/series/apply").body["series"] == "apply"
    applied = editor("POST", "/api/series/apply", {"series": {"apply": WELCOME}})
    assert applied.body[0]["result"] == "unchanged"
    assert editor("PATCH", "/api/series/apply").headers["allow"] == "DELETE, GET, HEAD, POST, PUT"


def test_a_role_may_what_lower_ones_may(viewer: Program, editor: Program, admin: Program) -> None:
    """Viewers ask, editors change, admins stop; a refusal names the required role."""
    assert viewer("GET", "/api/series").status == 200
    assert viewer("PUT", "/api/series/w", WELCOME).refusal == (403, "forbidden")
    assert editor("PUT", "/api/series/w", WELCOME).status == 201
    assert editor("POST", "/api/series/w/activate").status == 200
    refused = editor("POST", "/api/series/w/stop")
    assert refused.body["detail"] == (
        "Authorization: is a key of role editor; allowed is admin, or a role that may more."
    )
    assert admin("POST", "/api/series/w/stop").status == 200


def test_only_an_operator_key_opens_them(sandbox: Sandbox, admin: Program) -> None:
    """A missing or unknown key is a 401, another kind of key a 403."""
    unknown = admin("GET", "/api/series", authorization="Bearer hk_000000000000_x")
    assert unknown.refusal == (401, "unknown_key")
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert admin("GET", "/api/series", authorization="Basic x").refusal[0] == 401
    widget = admin("GET", "/api/series", authorization="Bearer ab_live_x")
    assert widget.refusal == (403, "wrong_key")
    ingest = program(sandbox, Role.INGEST)
    assert ingest("GET", "/api/series").refusal == (403, "forbidden")


def test_a_refusal_is_a_problem_in_the_tasks_words(editor: Program) -> None:
    """A refusal has the message as `detail`, with field, index and what is allowed as members."""
    wrong = editor("GET", "/api/series/w/preview?size=-1")
    assert wrong.body == {
        "type": "urn:halo:bad_input",
        "title": "Bad Request",
        "status": 400,
        "detail": "halo.series.preview.size: -1 is refused; allowed is 0 or more",
        "code": "bad_input",
        "field": "size",
        "allowed": "0 or more",
    }
    unknown = editor("POST", "/api/contacts/add", {"dance": 1})
    assert unknown.body["detail"] == (
        "halo.contacts.add.dance: unknown key; allowed are user_id, email, traits"
    )
    assert (unknown.body["field"], unknown.body["allowed"]) == ("dance", "user_id, email, traits")


@pytest.mark.parametrize(
    ("method", "path", "raw", "refusal"),
    [
        ("POST", "/api/contacts/add", b"[]", (400, "bad_input")),
        ("POST", "/api/contacts/add", b"{", (400, "bad_json")),
        ("POST", "/api/contacts/add", b'{"user_id": NaN}', (400, "bad_json")),
        ("POST", "/api/contacts/add", b'{"user_id": "a", "user_id": "b"}', (400, "duplicate_key")),
        ("POST", "/api/series/w/activate", b'{"series": "v"}', (400, "unknown_key")),
        ("POST", "/api/series/w/activate", b'{"by": "eve"}', (400, "unknown_key")),
        ("POST", "/api/series/w/activate?by=eve", b"", (400, "unknown_key")),
        ("GET", "/api/series/w?dance=1", b"", (400, "unknown_key")),
        ("GET", "/api/series/w/preview?size=1&size=2", b"", (400, "duplicate_key")),
        ("GET", "/api/series/w/preview?size", b"", (400, "bad_input")),
        ("GET", "/api/series/w/preview?after=%ff", b"", (400, "bad_input")),
        ("GET", "/api/series/%ff", b"", (400, "bad_path")),
        ("GET", "/api/series/w%00", b"", (400, "bad_text")),
        ("GET", "/api/nothing", b"", (404, "unknown_path")),
        ("PATCH", "/api/series/w", b"", (405, "bad_method")),
    ],
)
def test_what_is_wrong_with_a_request_is_refused_by_name(
    editor: Program, method: str, path: str, raw: bytes, refusal: tuple[int, str]
) -> None:
    """Bad JSON, a field that belongs elsewhere, a bad query, path or method are refused by name."""
    assert editor(method, path, raw=raw).refusal == refusal


def test_a_method_that_is_not_allowed_is_told_which_are(editor: Program) -> None:
    """A 405 lists the methods in `Allow`."""
    assert editor("PATCH", "/api/series/w").headers["allow"] == "DELETE, GET, HEAD, PUT"


def test_a_body_of_another_type_is_refused(editor: Program) -> None:
    """Only JSON is accepted; a request without a body needs no type."""
    form = editor("POST", "/api/contacts/add", raw=b"a=1", content_type="text/plain")
    assert form.refusal == (415, "unsupported_type")


def test_a_post_with_an_idempotency_key_is_done_once(sandbox: Sandbox, editor: Program) -> None:
    """A key is one key, quoted or not; with another body it is a 409."""
    ann = {"user_id": "ann"}
    first = editor("POST", "/api/contacts/add", ann, idempotency_key="k")
    assert first.body["created"]
    again = editor("POST", "/api/contacts/add", ann, idempotency_key='"k"')
    assert (again.status, again.body) == (200, first.body)
    other = editor("POST", "/api/contacts/add", {"user_id": "ben"}, idempotency_key="k")
    assert other.refusal == (409, "idempotency_key_reused")
    assert sandbox.count(end_users) == 1
    for key in ("", " ", "x" * 256):
        answer = editor("POST", "/api/contacts/add", ann, idempotency_key=key)
        assert answer.refusal == (400, "bad_id")
    assert sandbox.count(idempotency_keys) == 1


def test_one_organisations_key_opens_no_others(shared_database: Any, sandbox: Sandbox) -> None:
    """The key alone names the organisation, no path or body does."""
    other = new_sandbox(shared_database, f"{sandbox.org.key}-other")
    mine, theirs = program(sandbox, Role.ADMIN), program(other, Role.ADMIN)
    mine("PUT", "/api/series/w", WELCOME)
    assert theirs("GET", "/api/series").body["items"] == []
    assert theirs("GET", "/api/series/w").refusal == (404, "unknown_series")
    assert theirs("POST", "/api/contacts/add", {"user_id": "a", "org": "x"}).refusal[0] == 400
    theirs("POST", "/api/organizations/erase")
    assert [each["series"] for each in mine("GET", "/api/series").body["items"]] == ["w"]


def test_what_a_call_leaves_unfinished_goes_on_as_a_task(
    sandbox: Sandbox, admin: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long call is answered after one turn, and workers do the rest in the caller's name."""
    sandbox.contacts(["ann"])
    monkeypatch.setattr("halo_engine.doors.organization.TURN_SECONDS", -1)
    answer = admin("POST", "/api/organizations/erase").body
    assert not answer["done"]
    assert admin.tasks == [
        ("halo.organizations.erase", {"org": sandbox.org.key, "by": "admin key"})
    ]


def test_what_a_call_leaves_unfinished_is_not_lost_with_the_broker(
    sandbox: Sandbox, admin: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the task cannot be sent, the caller is told to send the call again, and with its key it
    goes on.
    """
    sandbox.contacts(["ann"])
    erase = partial(admin, "POST", "/api/organizations/erase", idempotency_key="k")
    with monkeypatch.context() as broken:
        broken.setattr("halo_engine.doors.organization.TURN_SECONDS", -1)
        admin.broker_is_away = True
        away = erase()
    assert (away.refusal, away.headers["retry-after"]) == ((503, "broker_away"), "1")
    admin.broker_is_away = False
    assert erase().body["done"]
    assert admin.tasks == []


def test_a_request_has_an_id(editor: Program) -> None:
    """A request has the caller's id if it is safe, else a new one."""
    assert editor("GET", "/api/series", x_request_id="abc-1").headers["x-request-id"] == "abc-1"
    made = editor("GET", "/api/series", x_request_id="a\tb").headers["x-request-id"]
    assert made not in ("", "a\tb")


def test_what_is_read_of_an_organisation_can_be_sent_back(admin: Program) -> None:
    """Whole, as it was read, also the answer to a change; what is no setting cannot be changed."""
    read = admin("GET", "/api/organization").body
    changed = admin("PUT", "/api/organization", {**read, "company_footer": "Acme, Main St 1"})
    assert (changed.status, changed.body["company_footer"]) == (200, "Acme, Main St 1")
    assert admin("PUT", "/api/organization", changed.body).body == changed.body
    refused = admin("PUT", "/api/organization", {**read, "key": "other", "name": "Other"})
    allowed = f"allowed is {read['key']}, as it is, or to leave it out"
    assert (refused.status, refused.body["detail"]) == (
        400,
        f"key: ‘other’ would change it, which no call can; {allowed}",
    )
    assert admin("GET", "/api/organization").body == {**read, "company_footer": "Acme, Main St 1"}
