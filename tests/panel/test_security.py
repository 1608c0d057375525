"""What keeps the panel to the people who may use it (contract §17)."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from halo_engine.domain.errors import Refusal
from halo_engine.domain.roles import Role
from halo_engine.operators.keys import RevokeKeyCall, revoke_key
from halo_engine.operators.proof import Keyring
from halo_engine.operators.sessions import Sessions, make_link
from tests.panel.browsing import People, Shop, Site
from workers.web.panel.pages.signing_in import next_path

OURS = {"Sec_Fetch_Site": "same-origin"}


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def session(self) -> str:
        """The session's id that the browser is to keep."""
        return self.headers["set-cookie"].partition("=")[2].partition(";")[0]


def ask(site: Site, method: str, path: str, form: object = None, **headers: str) -> Answer:
    """Make a request as a program does: it sends what it likes."""
    parts = urlsplit(site.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = None
    if form is not None:
        body = urlencode(form)  # type: ignore[arg-type]
        named["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    found = {name.lower(): value for name, value in answer.getheaders()}
    said = Answer(answer.status, found, answer.read().decode())
    connection.close()
    return said


def sign_in(site: Site, key: str, **headers: str) -> Answer:
    """Sign in as a browser does on our page."""
    return ask(site, "POST", "/sign-in", {"key": key, "next": "/series"}, **OURS, **headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "ours"},
    ],
)
def test_a_form_from_another_page_changes_nothing(
    site: Site, shop: Shop, headers: dict[str, str]
) -> None:
    """A form sent from another page changes nothing and signs nobody in."""
    origin = {"Origin": site.url} if headers.get("Origin") == "ours" else {}
    cookie = {"Cookie": f"halo_session={shop.session()}"}
    changed = ask(site, "POST", "/settings/mail/hold", {}, **headers | origin | cookie)
    assert changed.status == 403
    assert "sent by another page" in changed.body
    signed = ask(site, "POST", "/sign-in", {"key": shop.key().key}, **headers | origin)
    assert (signed.status, "set-cookie" in signed.headers) == (403, False)
    assert shop.sandbox.perform(lambda work: work.org.sending_stopped) is False


def test_a_page_of_ours_is_known_by_its_origin_too(site: Site, shop: Shop) -> None:
    """A browser without Sec-Fetch-Site is recognised by its Origin."""
    signed = ask(site, "POST", "/sign-in", {"key": shop.key().key}, Origin=site.url)
    assert (signed.status, signed.headers["location"]) == (303, "/series")


def test_a_session_id_that_was_planted_before_is_nobodys(site: Site, shop: Shop) -> None:
    """Each sign-in makes a new id, and ends the session that the browser had."""
    planted = "x" * 43
    first = sign_in(site, shop.key().key, Cookie=f"halo_session={planted}")
    assert first.session != planted
    assert ask(site, "GET", "/series", Cookie=f"halo_session={planted}").status == 303
    second = sign_in(site, shop.key().key, Cookie=f"halo_session={first.session}")
    assert second.session != first.session
    assert ask(site, "GET", "/series", Cookie=f"halo_session={first.session}").status == 303
    assert ask(site, "GET", "/series", Cookie=f"halo_session={second.session}").status == 200


def test_two_ids_at_once_are_none(site: Site, shop: Shop) -> None:
    """A request with two session ids has no session, since one may be planted."""
    twice = f"halo_session={shop.session()}; halo_session={shop.session()}"
    assert ask(site, "GET", "/series", Cookie=twice).status == 303


def test_the_cookie_is_for_our_pages_alone(site: Site, shop: Shop) -> None:
    """No script reads the cookie, no other site sends it, and it lasts twelve hours."""
    _, _, attributes = sign_in(site, shop.key().key).headers["set-cookie"].partition("; ")
    assert attributes == "Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"


def test_an_applications_key_signs_nobody_in(site: Site, shop: Shop) -> None:
    """An application's key signs nobody in."""
    refused = sign_in(site, shop.key(Role.INGEST).key)
    assert (refused.status, "set-cookie" in refused.headers) == (401, False)
    assert "a key of role ingest" in refused.body


def test_a_link_signs_in_once(site: Site, shop: Shop) -> None:
    """A link signs in once and leads on; a HEAD does not use it."""
    link = f"/sign-in/{shop.sandbox.perform(make_link)}"
    assert ask(site, "HEAD", link).status == 204
    signed = ask(site, "GET", link)
    assert (signed.status, signed.headers["location"]) == (303, "/series")
    assert ask(site, "GET", "/settings/keys", Cookie=f"halo_session={signed.session}").status == 200
    again = ask(site, "GET", link)
    assert (again.status, "set-cookie" in again.headers) == (401, False)
    assert "was used already" in again.body


def test_a_link_signs_nobody_in_through_a_proxy(site: Site, shop: Shop) -> None:
    """A link that comes through a proxy signs nobody in, and still works on the machine itself."""
    link = f"/sign-in/{shop.sandbox.perform(make_link)}"
    for header in ("X-Forwarded-For", "Forwarded", "Via"):
        assert ask(site, "GET", link, **{header: "1.2.3.4"}).status == 403
    assert ask(site, "GET", link).status == 303


def test_a_link_is_too_old_after_ten_minutes(site: Site, shop: Shop) -> None:
    """A link works for ten minutes, to the second."""
    tokens = [shop.sandbox.perform(make_link) for _ in range(2)]
    made = shop.sandbox.now
    database = site.database
    for token, seconds, works in zip(tokens, (599, 600), (True, False), strict=True):
        later = made + timedelta(seconds=seconds)
        sessions = Sessions(database, Keyring(database), lambda at=later: at)  # type: ignore[misc]
        try:
            signed = bool(sessions.follow(token))
        except Refusal:
            signed = False
        assert signed is works


def test_a_session_ends_after_twelve_hours(site: Site, shop: Shop) -> None:
    """A session ends after twelve hours, or earlier with its key."""
    keyring = Keyring(site.database)
    now = datetime.now(UTC)
    sessions = Sessions(site.database, keyring, lambda: now)
    long = sessions.sign_in(shop.key().key)
    short = sessions.sign_in(shop.key(expires="1h").key)
    assert sessions.find(long).ends_at == now + timedelta(hours=12)
    now += timedelta(hours=2)
    assert sessions.find(long).organization == "Acme"
    with pytest.raises(Refusal, match="it has ended"):
        sessions.find(short)
    now += timedelta(hours=10)
    with pytest.raises(Refusal, match="it has ended"):
        sessions.find(long)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/series",
        "/series\\..\\..\\evil",
        "/series/../c/token",
        "/series/%2e%2E/c/token",
        "/c/token",
        "/seriesevil",
        "/series\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "",
    ],
)
def test_signing_in_leads_to_the_panel_alone(path: str) -> None:
    """A next page outside the panel leads to the series instead."""
    assert next_path(path) == "/series"


def test_signing_in_leads_back_to_the_page_that_was_asked_for(site: Site, shop: Shop) -> None:
    """Signing in leads back to the requested page, with its query."""
    asked = ask(site, "GET", "/settings/audit?after=7")
    assert asked.headers["location"] == "/sign-in?next=%2Fsettings%2Faudit%3Fafter%3D7"
    form = {"key": shop.key().key, "next": "/settings/audit?after=7"}
    signed = ask(site, "POST", "/sign-in", form, **OURS)
    assert signed.headers["location"] == "/settings/audit?after=7"


def test_a_key_that_is_revoked_ends_what_i_was_doing(people: People, shop: Shop) -> None:
    """After a revocation my next change is refused, and I am told what to do."""
    key = shop.key()
    page = people.anybody()
    page.goto("/sign-in?next=/settings/mail")
    page.get_by_label("Operator key").fill(key.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Hold all mail").click()
    shop.sandbox.perform(lambda work: revoke_key(work, RevokeKeyCall(key=key.id)))
    page.get_by_role("button", name="Yes, hold it").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    assert shop.sandbox.perform(lambda work: work.org.sending_stopped) is False


def test_a_viewers_form_is_refused(site: Site, shop: Shop) -> None:
    """A viewer's page has no such control, and a form sent anyway changes nothing."""
    cookie = f"halo_session={shop.session(Role.VIEWER)}"
    for path in ("/settings", "/settings/mail/hold", "/settings/keys", "/settings/identity"):
        assert ask(site, "POST", path, {}, Cookie=cookie, **OURS).status == 403
    assert ask(site, "GET", "/settings/audit", Cookie=cookie).status == 403


def test_no_page_of_another_organisation_is_mine(site: Site, shop: Shop) -> None:
    """A key of another organisation cannot be revoked."""
    theirs = site.organization().key()
    cookie = f"halo_session={shop.session()}"
    path = f"/settings/keys/{theirs.id}/revoke"
    form = {"organization": str(shop.sandbox.org.id)}
    assert ask(site, "POST", path, form, Cookie=cookie, **OURS).status == 404
    assert Keyring(site.database).holder(theirs.key).key_id == theirs.id


def test_every_page_forbids_what_it_does_not_need(site: Site, shop: Shop) -> None:
    """Pages forbid inline scripts, frames, referrers and caching; files are cached for a year."""
    page = ask(site, "GET", "/series", Cookie=f"halo_session={shop.session()}")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    kept = ("x-content-type-options", "referrer-policy", "cache-control")
    assert [page.headers[name] for name in kept] == ["nosniff", "no-referrer", "no-store"]
    sheet = next(part for part in page.body.split('"') if part.endswith("panel.css"))
    found = ask(site, "GET", sheet).headers["cache-control"]
    assert found == "public, max-age=31536000, immutable"


def test_what_is_no_page_says_so(site: Site) -> None:
    """An unknown path is a page for a browser and a problem for a program."""
    page = ask(site, "GET", "/nothing", Accept="text/html,*/*")
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert ask(site, "GET", "/nothing").headers["content-type"] == "application/problem+json"
