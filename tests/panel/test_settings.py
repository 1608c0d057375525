"""The settings of an organisation (contract §17)."""

import pytest
from playwright.sync_api import expect

from halo_engine.domain.roles import Role
from halo_engine.operators.audit import ListAuditCall, list_audit
from tests.panel.browsing import People, Shop, barriers, rows


def test_an_admin_changes_the_organisation(people: People, shop: Shop) -> None:
    """The change is in the audit log, by session."""
    page = people.of(shop)
    page.goto("/settings")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("✓\nSaved.", use_inner_text=True)
    page.get_by_role("link", name="Audit log").click()
    [[at, who, via, what, _, before, after]] = rows(page)
    assert at.endswith(" Europe/Berlin")
    assert (who, via, what) == ("Ann", "session", "organizations.change")
    assert (before, after) == ("timezone: UTC", "timezone: Europe/Berlin")
    assert barriers(page) == []


def test_quiet_hours_and_caps_are_a_line_each_and_name_the_series_that_they_break(
    people: People, shop: Shop
) -> None:
    """A line that says no quiet hours is refused at its field; what is saved is shown again."""
    window = {"days": ["sat"], "from": "22:00", "to": "23:00", "timezone": "contact"}
    shop.draft("night", kind="marketing", settings={"send_window": window})
    shop.enter("night", ["ann"])
    page = people.of(shop)
    page.goto("/settings")
    quiet = page.get_by_label("Quiet hours")
    quiet.fill("at night")
    page.get_by_role("button", name="Save").click()
    expect(quiet).to_have_attribute("aria-invalid", "true")
    quiet.fill("21:00-08:00 contact")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("it is never sent, in: night.")).to_be_visible()
    expect(quiet).to_have_value("21:00-08:00 contact")
    page.get_by_label("Frequency caps").fill("2/24h 5/7d")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Frequency caps")).to_have_value("2/1d 5/7d")


def test_what_is_wrong_is_said_at_its_field(people: People, shop: Shop) -> None:
    """What I typed is still there, and the focus is on what is wrong."""
    page = people.of(shop)
    page.goto("/settings")
    page.get_by_label("Time zone").fill("Mars/Olympus")
    page.get_by_label("Name", exact=True).fill("Acme Ltd")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_focused()
    zone = page.get_by_label("Time zone")
    expect(zone).to_have_attribute("aria-invalid", "true")
    expect(zone).to_have_value("Mars/Olympus")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Acme Ltd")
    page.get_by_role("alert").get_by_role("link").click()
    expect(zone).to_be_focused()
    assert barriers(page) == []


def test_i_learn_what_it_means_that_identities_are_not_verified(people: People, shop: Shop) -> None:
    """An admin switches it on; the secret is shown once."""
    page = people.of(shop)
    page.goto("/settings")
    expect(page.get_by_text("Whoever has it can write as any of your users")).to_be_visible()
    page.get_by_role("button", name="Switch it on with a new secret").click()
    secret = page.locator("#secret").inner_text()
    stored = shop.sandbox.perform(lambda work: work.org.identity_secret)
    assert secret == stored
    page.goto("/settings")
    expect(page.get_by_text("It is on.")).to_be_visible()
    assert secret not in page.content()


def test_a_new_key_is_shown_once_and_signs_in(people: People, shop: Shop) -> None:
    """A new key is shown once; when it is revoked, its sessions end at the next click."""
    page = people.of(shop)
    page.goto("/settings/keys")
    card = page.locator(".card").filter(has_text="New key")
    card.get_by_label("Name").fill("Ben")
    page.get_by_role("button", name="Make the key").click()
    key = page.locator("#new-key").inner_text()
    assert barriers(page) == []
    ben = people.anybody()
    ben.goto("/sign-in")
    ben.get_by_label("Operator key").fill(key)
    ben.get_by_role("button", name="Sign in").click()
    expect(ben.get_by_role("heading", name="Series", level=1)).to_be_visible()
    page.locator("summary", has_text="Revoke Ben").click()
    page.get_by_role("button", name="Yes, revoke Ben").click()
    expect(page.get_by_role("cell", name="revoked")).to_be_visible()
    ben.reload()
    expect(ben.get_by_role("heading", name="Sign in to Halo")).to_be_visible()


def test_a_key_that_cannot_be_made_says_why(people: People, shop: Shop) -> None:
    """A key with a bad lifetime is refused with the reason, and none is made."""
    page = people.of(shop)
    page.goto("/settings/keys")
    page.get_by_label("Ends after").fill("soon")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_label("Ends after")).to_have_attribute("aria-invalid", "true")
    assert len(list(rows(page))) == 1


def test_mail_is_held_and_let_go(people: People, shop: Shop) -> None:
    """An editor can hold mail; only an admin can let it go."""
    editor = people.of(shop, Role.EDITOR, "Eve")
    editor.goto("/settings/mail")
    editor.get_by_text("Hold all mail").click()
    editor.get_by_role("button", name="Yes, hold it").click()
    expect(editor.get_by_text("Eve held it.")).to_be_visible()
    expect(editor.get_by_role("button", name="Let mail go")).to_have_count(0)
    admin = people.of(shop)
    admin.goto("/settings/mail")
    assert barriers(admin) == []
    admin.get_by_role("button", name="Let mail go").click()
    expect(admin.get_by_role("heading", name="Mail goes out")).to_be_visible()
    changes = shop.sandbox.perform(lambda work: list_audit(work, ListAuditCall())).items
    assert [(row.by, row.via, row.action) for row in changes] == [
        ("Ann", "session", "sending.start"),
        ("Eve", "session", "sending.stop"),
    ]


@pytest.mark.parametrize("path", ["/series", "/settings", "/settings/mail"])
def test_a_viewer_sees_no_button_that_would_be_refused(
    people: People, shop: Shop, path: str
) -> None:
    """A viewer sees no button but sign out and search."""
    shop.draft("welcome")
    page = people.of(shop, Role.VIEWER)
    page.goto(path)
    buttons = {button.inner_text() for button in page.get_by_role("button").all()}
    assert buttons <= {"Sign out", "Search"}
    assert page.get_by_role("link", name="Operator keys").count() == 0
