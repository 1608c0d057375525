"""A mail as a contact would get it, and a test of it (contract §9, §17)."""

from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from halo_engine.domain.roles import Role
from halo_engine.operators.audit import ListAuditCall, list_audit
from tests.panel.browsing import PHONE, People, Shop, barriers
from tests.panel.rules.panel import press

_EVIL: Final = "<img src=x onerror=alert(1)><b>Bold</b>"
_HTML: Final = (
    "<h1>Hi {{ name|there }}</h1><p><a href='https://acme.example/start'>Start</a></p>"
    "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' alt='Acme'>"
)
_STEP: Final[dict[str, Any]] = {
    "key": "hello",
    "email": {"subject": "Hi {{ name|there }}", "body": "Hi {{ name|there }}", "html": _HTML},
}


@pytest.fixture
def preview(people: People, shop: Shop) -> Page:
    """The preview's page of a mail, for a contact with a hostile name."""
    shop.draft("welcome", steps=[_STEP])
    shop.sandbox.contacts(["ann"], name=_EVIL)
    page = people.of(shop, Role.EDITOR)
    page.goto("/series/welcome/steps")
    page.get_by_role("link", name="Preview hello").click()
    page.get_by_label("Contact").fill("ann")
    press(page, "Show")
    return page


def test_i_see_the_mail_as_a_contact_would_get_it(preview: Page) -> None:
    """Subject, text and page, with the contact's own values, whatever they are."""
    expect(preview.get_by_role("heading", name=f"Hi {_EVIL}")).to_be_visible()
    expect(preview.locator("pre.mail")).to_contain_text(f"Hi {_EVIL}")
    frame = preview.frame_locator("iframe")
    expect(frame.get_by_role("heading")).to_have_text(f"Hi {_EVIL}")
    assert "ann" not in preview.url


def test_the_page_of_a_mail_loads_pictures_alone(people: People, shop: Shop) -> None:
    """It stands in a sandbox, under a policy of its own."""
    shop.draft("welcome", steps=[_STEP])
    shop.sandbox.contacts(["ann"])
    page = people.of(shop)
    page.goto("/series/welcome/preview/hello")
    page.get_by_label("Contact").fill("ann")
    with page.expect_response("**/preview/hello/page") as framed:
        press(page, "Show")
    policy = framed.value.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert policy.endswith("sandbox")
    assert page.locator("iframe").get_attribute("sandbox") == ""
    assert framed.value.headers["cache-control"] == "no-store"


def test_i_send_a_test_to_myself(preview: Page, shop: Shop) -> None:
    """The audit log notes who had it sent."""
    preview.get_by_label("Send a test to").fill("me@acme.example")
    press(preview, "Send a test")
    expect(preview.get_by_text("Sent to me@acme.example.")).to_be_visible()
    changes = shop.sandbox.perform(lambda work: list_audit(work, ListAuditCall())).items
    [line] = [each for each in changes if each.action == "series.send_test"]
    assert (line.by, line.via) == ("Ann", "session")


def test_an_address_that_is_none_is_said_at_its_input(preview: Page) -> None:
    """The contact, and the mail that it would get, stay as they are."""
    press(preview, "Send a test")
    expect(preview.locator("#to-error")).to_contain_text("‘’ is not an email address")
    expect(preview.get_by_label("Contact")).to_have_value("ann")
    expect(preview.locator("#contact-error")).to_have_count(0)
    expect(preview.get_by_role("heading", name=f"Hi {_EVIL}")).to_be_visible()


def test_a_contact_that_is_not_there_is_said_at_the_input(people: People, shop: Shop) -> None:
    """In the words of the command."""
    shop.draft("welcome", steps=[_STEP])
    page = people.of(shop)
    page.goto("/series/welcome/preview/hello")
    page.get_by_label("Contact").fill("zoe")
    press(page, "Show")
    expect(page.locator("#contact-error")).to_contain_text("There is no contact ‘zoe’.")


def test_the_preview_has_no_barriers(preview: Page) -> None:
    """At 320 px too."""
    preview.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert barriers(preview) == []
    assert preview.evaluate("document.documentElement.scrollWidth") <= 320
