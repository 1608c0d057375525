"""Whom a surge holds, on the page of its series (contract §17, §19)."""

from playwright.sync_api import expect

from halo_engine.domain.roles import Role
from tests.panel.browsing import People, Shop, barriers
from tests.panel.rules.panel import enrolled, press

SURGED = {"surge": {"at_most": 1, "within": "1h"}}


def test_whoever_is_held_is_released_or_discarded(people: People, shop: Shop) -> None:
    """The list says that it needs me; the page asks before it releases, or discards."""
    shop.draft("welcome", name="Welcome", settings=SURGED)
    shop.enter("welcome", ["ann", "ben", "cyd"])
    page = people.of(shop)
    page.goto("/series")
    expect(page.get_by_text("series welcome holds contacts back: 2")).to_be_visible()
    page.goto("/series/welcome")
    expect(page.locator("#held")).to_contain_text("2 contacts wait for somebody to decide.")
    assert barriers(page) == []
    page.get_by_role("link", name="Release", exact=True).click()
    page.get_by_label("Not more than").fill("many")
    press(page, "Release whoever is held")
    expect(page.get_by_text("‘many’ is no pace")).to_be_visible()
    page.get_by_label("Not more than").fill("1/1h")
    press(page, "Release whoever is held")
    expect(page.locator("#held")).to_contain_text("under way, at 1/1h: 1 contact is left.")
    assert (enrolled(shop), barriers(page)) == (2, [])
    page.get_by_role("link", name="Release", exact=True).click()
    expect(page.get_by_text("1 contact is held.")).to_be_visible()
    press(page, "Release whoever is held")
    expect(page.get_by_text("Released. Whoever the rules let in has entered.")).to_be_visible()
    expect(page.locator("#held")).to_have_count(0)
    assert enrolled(shop) == 3
    shop.sandbox.signal(shop.sandbox.contacts(["dan"]))
    shop.sandbox.settle()
    page.goto("/series/welcome")
    page.get_by_role("link", name="Discard", exact=True).click()
    press(page, "Discard whoever is held")
    expect(page.get_by_text("Discarded. Nobody is held any more.")).to_be_visible()
    assert enrolled(shop) == 3


def test_a_viewer_sees_who_is_held_and_no_button(people: People, shop: Shop) -> None:
    """Whom the surge holds is shown; a button that would answer 403 is not."""
    shop.draft("welcome", name="Welcome", settings=SURGED)
    shop.enter("welcome", ["ann", "ben"])
    page = people.of(shop, Role.VIEWER)
    page.goto("/series/welcome")
    expect(page.locator("#held")).to_contain_text("1 contact waits for somebody to decide.")
    expect(page.get_by_role("link", name="Release", exact=True)).to_have_count(0)
