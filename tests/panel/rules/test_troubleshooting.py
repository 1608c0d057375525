"""The documents' two examples of “0 matched”, from nobody to enrolled (contract §17)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from halo_engine.tables import organizations
from tests.panel.browsing import People, Shop
from tests.panel.rules.panel import OWNERS, enrolled, matched, opened, press, wait_until

Identify = Callable[..., None]


@pytest.fixture
def identify(people: People, shop: Shop) -> Identify:
    """Call identify as the customer's server does."""
    with shop.site.database.connect() as connection:
        found = select(organizations.c.widget_key).where(organizations.c.id == shop.sandbox.org.id)
        key = connection.execute(found).scalar_one()
    server = people.anybody()

    def call(user_id: str, **traits: Any) -> None:
        answer = server.request.post(
            "/api/sdk/users/identify",
            headers={"Authorization": f"Bearer {key}"},
            data={"user_id": user_id, "traits": {"email": f"{user_id}@acme.com", **traits}},
        )
        assert answer.ok, answer.text()

    return call


def _activate(page: Page) -> None:
    press(page, "Activate …")
    press(page, "Activate")
    expect(page.get_by_text("Activated. Workers enroll who matches.")).to_be_visible()


def test_signups_that_my_app_has_and_halo_has_not(
    people: People, shop: Shop, identify: Identify
) -> None:
    """The panel says that no contact exists; once my server identifies them, they enroll."""
    signed_up = [{"field": "signed_up_at", "operator": "after", "value": "-1d"}]
    shop.draft("created", **{**OWNERS, "audience_filters": [signed_up]})
    page = opened(people.of(shop), "created")
    matched(page, 0)
    why = page.locator("#diagnosis")
    expect(why).to_contain_text("There are no contacts yet")
    expect(why).to_contain_text("Call identify from your server when somebody signs up.")
    today = (shop.sandbox.now - timedelta(hours=1)).isoformat()
    identify("u1", signed_up_at=today)
    identify("u2", signed_up_at=today)
    page.reload()
    matched(page, 2)
    _activate(page)
    wait_until(page, lambda: enrolled(shop) == 2)


def test_signups_of_today_without_the_role_that_my_filter_wants(
    people: People, shop: Shop, identify: Identify
) -> None:
    """The panel names what the filter lacks and what to send; once it is sent, they enroll."""
    for user in ("u1", "u2", "u3"):
        identify(user, signed_up_at="2026-05-27T08:00:00Z")
    identify("u4", role="owner", signed_up_at="2026-01-01")
    shop.draft("created", **OWNERS)
    page = opened(people.of(shop), "created")
    matched(page, 0)
    cells = [
        [cell.inner_text() for cell in line.locator("th, td").all()]
        for line in page.locator("#diagnosis tbody tr").all()
    ]
    assert cells == [
        ["Role is ‘owner’", "1", "3", "3"],
        ["Signed Up is on or after 2026-05-27", "3", "1", "0"],
    ]
    why = page.locator("#diagnosis")
    expect(why).to_contain_text("role has no value for 3 of 4 contacts.")
    expect(why).to_contain_text("Pass ‘role’ in the traits of every identify.")
    expect(why).to_contain_text("do not loop identify")
    for user in ("u1", "u2"):
        identify(user, role="owner")
    page.reload()
    matched(page, 2)
    press(page, "View who currently matches")
    expect(page.get_by_role("row", name="u1@acme.com")).to_be_visible()
    press(page, "Back to the rules")
    _activate(page)
    wait_until(page, lambda: enrolled(shop) == 2)
