"""Contacts: the search, and everything about one (contract §17)."""

from playwright.sync_api import expect

from halo_engine.domain.roles import Role
from tests.panel.browsing import PHONE, People, Shop, barriers, rows

HELLO = {"key": "hello", "email": {"subject": "Hello", "body": "Hi"}}
LATER = {**HELLO, "key": "later", "delay": "2d"}
_EVIL = "<script>alert(1)</script>\"'&"


def test_i_find_a_contact_and_see_what_happened_to_it(people: People, shop: Shop) -> None:
    """By how its email begins; the email stands in no URL."""
    shop.sandbox.series("welcome", entry_trigger="user_created")
    shop.sandbox.signal(shop.sandbox.contacts(["ann", "ben"]))
    shop.sandbox.settle()
    page = people.of(shop, Role.VIEWER)
    page.goto("/contacts")
    assert [row[0] for row in rows(page)] == ["ben", "ann"]
    page.get_by_label("Search").fill("ANN")
    page.get_by_role("button", name="Search").click()
    assert [row[0] for row in rows(page)] == ["ann"]
    assert "ann" not in page.url
    page.get_by_role("link", name="ann", exact=True).click()
    expect(page.locator("#series tbody th")).to_have_text("welcome")
    happened = page.locator("#timeline tbody td:nth-child(2)").all_inner_texts()
    assert sorted(happened) == ["Entered", "Left", "Mail sent"]


def test_i_take_a_contact_out_of_a_series(people: People, shop: Shop) -> None:
    """After a question, without a script too; a viewer cannot."""
    shop.sandbox.series("welcome", entry_trigger="user_created", steps=[HELLO, LATER])
    [ann] = shop.sandbox.contacts(["ann"])
    shop.sandbox.signal([ann])
    shop.sandbox.settle()
    viewer = people.of(shop, Role.VIEWER)
    viewer.goto(f"/contacts/{ann}")
    assert viewer.get_by_text("Remove").count() == 0
    page = people.of(shop, Role.EDITOR, java_script_enabled=False)
    page.goto(f"/contacts/{ann}")
    page.get_by_text("Remove … from welcome").click()
    page.get_by_role("button", name="Yes, remove it").click()
    expect(page.locator("#series tbody tr")).to_contain_text("Manual removal only")


def test_a_long_list_is_read_page_by_page(people: People, shop: Shop) -> None:
    """Fifty at a time, newest first, without a script too."""
    shop.sandbox.contacts(f"u{number}" for number in range(51))
    page = people.of(shop, java_script_enabled=False)
    page.goto("/contacts")
    assert page.locator("tbody tr").count() == 50
    page.get_by_role("button", name="Next page").click()
    assert [row[0] for row in rows(page)] == ["u0"]
    page.get_by_role("button", name="First page").click()
    assert page.locator("tbody tr").count() == 50


def test_a_search_that_finds_nobody_says_so(people: People, shop: Shop) -> None:
    """And leads back to all."""
    shop.sandbox.contacts(["ann"])
    page = people.of(shop)
    page.goto("/contacts")
    page.get_by_label("Search").fill("zoe")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".empty")).to_contain_text("No contact's external ID or email begins so.")
    page.get_by_role("link", name="Show all contacts").click()
    assert [row[0] for row in rows(page)] == ["ann"]


def test_what_a_customer_wrote_is_shown_as_it_was_written(people: People, shop: Shop) -> None:
    """Whatever it is, at 320 px and in the dark; nothing runs."""
    shop.sandbox.contacts([_EVIL], name=_EVIL, custom_fields={_EVIL: _EVIL, "plan": [_EVIL]})
    page = people.of(shop, viewport=PHONE, color_scheme="dark")
    page.goto("/contacts")
    page.get_by_role("link", name=_EVIL).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(_EVIL)
    assert page.locator("#traits dt").all_inner_texts() == ["name", "plan", _EVIL]
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_contact_that_is_not_there_is_not_found(people: People, shop: Shop) -> None:
    """Nor one of another organisation, nor what is no id."""
    other = shop.site.organization()
    [theirs] = other.sandbox.contacts(["ann"])
    page = people.of(shop)
    for path in (f"/contacts/{theirs}", "/contacts/nobody"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 404
