"""Signing in to the panel and out of it (contract §17)."""

from playwright.sync_api import expect

from halo_engine.domain.roles import Role
from tests.panel.browsing import People, Shop, barriers


def test_my_key_signs_me_in(people: People, shop: Shop) -> None:
    """I am led to the page that I asked for, and back to signing in when I am done."""
    page = people.anybody()
    page.goto("/settings")
    assert page.url.endswith("/sign-in?next=%2Fsettings")
    page.get_by_label("Operator key").fill(shop.key(Role.VIEWER, "Ann").key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Halo")).to_be_visible()
    page.goto("/series")
    assert page.url.endswith("/sign-in?next=%2Fseries")


def test_a_wrong_key_is_said_at_its_field(people: People) -> None:
    """The error stands at the input and is read with it."""
    page = people.anybody()
    page.goto("/sign-in")
    key = page.get_by_label("Operator key")
    key.fill("hk_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(key).to_have_accessible_description(
        "The operator key is unknown. It begins with hk_. An admin makes keys under Settings; "
        "the first one comes from `halo key create`."
    )
    assert barriers(page) == []
