"""The pages behind a mail's links, in a browser without scripts and in a narrow one (§16)."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from halo_engine.contacts.consent.lists import SubscribeCall, subscribe
from halo_engine.contacts.consent.subscriptions import SaveListCall, save_list
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.tables import confirmations, subscription_members
from halo_engine.work import Work
from tests.contacts.sandbox import add_contact, add_message, add_series, rows
from tests.panel.browsing import PHONE, People, Shop, barriers

NEWS = SaveListCall(list="news", name="Company news", description="Once a month, what is new.")
TIPS = SaveListCall(list="tips", name="A" * 100, description="B" * 500)


def mailed(work: Work) -> dict[str, str]:
    """Write to Ann, who is on two lists and asked for a third; return the paths in her mails."""
    ann = add_contact(work, "ann", email="ann@a.example")
    for topic in (NEWS, TIPS):
        save_list(work, topic)
        subscribe(work, SubscribeCall(contact="ann", list=topic.list))
    save_list(work, SaveListCall(list="deals", name="Deals", double_opt_in=True))
    subscribe(work, SubscribeCall(contact="ann", list="deals"))
    mail = add_message(work, ann, add_series(work, "welcome", "hello"), "hello")
    asked = rows(work, confirmations, "id")[0][0]

    def path(letter: str, purpose: Purpose, number: int) -> str:
        return f"/{letter}/{MailToken(purpose, work.org_id, number).signed(work.org.mail_key)}"

    return {"u": path("u", Purpose.UNSUBSCRIBE, mail), "s": path("s", Purpose.CONFIRM, asked)}


def fits(page: Page) -> bool:
    """Return whether nothing reaches beyond the width of the window."""
    fit: bool = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return fit


def members(shop: Shop) -> int:
    """Return how many memberships there are."""
    return shop.sandbox.count(subscription_members)


def test_lists_are_chosen_by_keyboard_without_scripts(people: People, shop: Shop) -> None:
    """In a narrow window: a list is left, everything is left, one is joined again."""
    paths = shop.sandbox.perform(mailed)
    page = people.anybody(java_script_enabled=False, viewport=PHONE)
    page.goto(paths["u"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Unsubscribe from Acme?")
    expect(page.get_by_text("a•••@a.example")).to_be_visible()
    news = page.get_by_role("checkbox", name="Company news")
    expect(news).to_be_checked()
    news.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Save my choice").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is on ‘AAAA")
    expect(page.get_by_role("checkbox", name="Company news")).not_to_be_checked()
    assert members(shop) == 1
    page.goto(paths["u"])
    page.get_by_role("button", name="Unsubscribe", exact=True).press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")
    assert members(shop) == 0
    page.get_by_role("checkbox", name="Company news").check()
    page.get_by_role("button", name="Save my choice").click()
    expect(page.get_by_role("status")).to_contain_text("is on ‘Company news’")
    assert members(shop) == 1


def test_a_list_is_confirmed_without_scripts(people: People, shop: Shop) -> None:
    """The page's one button does it."""
    paths = shop.sandbox.perform(mailed)
    page = people.anybody(java_script_enabled=False, viewport=PHONE)
    page.goto(paths["s"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Do you want ‘Deals’?")
    assert members(shop) == 2
    page.get_by_role("button", name="Confirm").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are subscribed")
    assert members(shop) == 3


@pytest.mark.parametrize("look", [{"color_scheme": "dark"}, {"viewport": PHONE}])
def test_nothing_bars_anybody(people: People, shop: Shop, look: dict[str, Any]) -> None:
    """Axe finds nothing on any of the pages, light and dark, and they fit into 320 pixels."""
    paths = shop.sandbox.perform(mailed)
    page = people.anybody(**look)
    for path, button in ((paths["u"], "Save my choice"), (paths["s"], "Confirm")):
        page.goto(path)
        assert (barriers(page), fits(page)) == ([], True)
        page.get_by_role("button", name=button).click()
        assert (barriers(page), fits(page)) == ([], True)
    page.goto("/u/nonsense")
    assert barriers(page) == []
