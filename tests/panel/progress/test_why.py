"""Why a contact is in a series, or is not (contract §10, §17)."""

from playwright.sync_api import expect

from halo_engine.domain.roles import Role
from tests.panel.browsing import People, Shop


def test_i_learn_where_a_contact_stands_and_what_comes_next(people: People, welcome: Shop) -> None:
    """The page says since when, at which step, and when it goes on."""
    page = people.of(welcome, Role.VIEWER)
    page.goto("/series/welcome")
    page.get_by_role("link", name="Why", exact=True).click()
    page.get_by_label("Contact").fill("ann")
    page.get_by_role("button", name="Explain").click()
    card = page.locator("#why")
    expect(card.get_by_role("heading")).to_have_text("ann: In it now")
    expect(card).to_contain_text("paid, since")
    expect(card).to_contain_text(
        "As things stand, the condition is not met, and the enrollment ends."
    )
    assert page.url.endswith("/series/welcome/why")


def test_i_learn_which_filter_failed_and_what_would_have_to_change(
    people: People, shop: Shop
) -> None:
    """The filter stands there with the value that it saw."""
    filters = [[{"field": "plan", "operator": "is", "value": "pro"}]]
    shop.draft("pros", audience_type="segment", audience_filters=filters)
    shop.sandbox.contacts(["ann"], custom_fields={"plan": "free"})
    page = people.of(shop)
    page.goto("/series/pros/why")
    page.get_by_label("Contact").fill("ann")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#why")).to_contain_text("The series is not active")
    row = page.locator("#why tbody tr")
    assert row.locator("th, td").all_inner_texts() == ["Plan is ‘pro’", "free"]
    expect(page.locator("#why")).to_contain_text("Needed: ")


def test_i_find_a_contact_by_how_its_id_begins(people: People, welcome: Shop) -> None:
    """A name that is nobody's suggests whom it may mean."""
    page = people.of(welcome)
    page.goto("/series/welcome/why")
    page.get_by_label("Contact").fill("be")
    page.get_by_role("button", name="Explain").click()
    page.locator("#similar").get_by_role("button", name="ben").click()
    expect(page.locator("#why").get_by_role("heading")).to_have_text("ben: In it now")


def test_a_name_that_nobody_has_says_so(people: People, welcome: Shop) -> None:
    """The message is tied to the input."""
    page = people.of(welcome)
    page.goto("/series/welcome/why")
    page.get_by_label("Contact").fill("zoe@nowhere.example")
    page.get_by_role("button", name="Explain").click()
    box = page.get_by_label("Contact")
    expect(box).to_have_accessible_description(
        "No contact's external ID or email begins so. An external ID or an email"
    )
    assert "zoe" not in page.url
