"""How a series goes: its steps with what became of each, its ledger (contract §17)."""

import pytest
from playwright.sync_api import Page, expect

from halo_engine.answers.codes import CODES
from halo_engine.answers.reports.bucket import BESIDE
from halo_engine.domain.rules_panel.reason_labels import REASON_LABELS
from tests.panel.browsing import PHONE, People, Shop, barriers
from tests.panel.progress.conftest import STEPS


def _parts(page: Page, card: str) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(f"{card} .bar li").all_inner_texts()]


def test_i_read_each_step_in_words_before_anything_is_counted(people: People, shop: Shop) -> None:
    """Each says what it does, how long after the step before, and when it may be sent."""
    shop.draft("welcome", steps=STEPS)
    page = people.of(shop, java_script_enabled=False)
    page.goto("/series/welcome/progress")
    assert [text.splitlines() for text in page.locator("#steps .steps > li").all_inner_texts()] == [
        ["Welcome hello", "", "At once · Mon to Wed, 00:00 to 23:59"],
        [
            "Goes on only if ‘order_paid’ fired while waiting here paid",
            "",
            "2 days after the step before",
        ],
        ["Thanks thanks", "", "At once · At any time"],
    ]


def test_i_see_what_became_of_everybody_at_each_step(people: People, welcome: Shop) -> None:
    """The numbers follow the page, on the page of the rules too."""
    page = people.of(welcome)
    for path in ("/series/welcome/progress", "/series/welcome"):
        page.goto(path)
        counts = page.locator("#steps .counts")
        expect(counts).to_have_count(3)
        assert [" ".join(text.split()) for text in counts.all_inner_texts()] == [
            "went on 3 sent 3",
            "waiting 3",
            "Nobody reached it yet",
        ]


def test_without_a_script_a_link_counts(people: People, welcome: Shop) -> None:
    """The link leads to the same page with its numbers."""
    page = people.of(welcome, java_script_enabled=False)
    page.goto("/series/welcome/progress")
    page.get_by_role("link", name="Count what became of each step").click()
    expect(page.locator("#steps .counts").first).to_contain_text("went on 3")
    assert _parts(page, "#funnel") == ["In it now 3"]


def test_the_parts_of_the_ledger_add_up_and_lead_to_their_contacts(
    people: People, welcome: Shop
) -> None:
    """Each part opens the contacts that it counts."""
    welcome.sandbox.contacts(["dee"])
    page = people.of(welcome)
    page.goto("/series/welcome/progress")
    expect(page.locator("#ledger")).to_contain_text("4 contacts match now.")
    assert _parts(page, "#ledger") == ["In it now 3", "The trigger has not fired for it 1"]
    page.get_by_role("link", name="The trigger has not fired for it").click()
    assert page.locator("tbody th").all_inner_texts() == ["dee"]


def test_every_part_of_the_ledger_has_a_name() -> None:
    """A code alone says nothing to a marketer."""
    assert set(REASON_LABELS) == {*CODES, *BESIDE}


@pytest.mark.parametrize("path", ["progress?counted", "why", "ledger/active"])
def test_the_pages_of_a_series_have_no_barriers(people: People, welcome: Shop, path: str) -> None:
    """Axe finds nothing, neither in the dark nor at 320 pixels."""
    page = people.of(welcome, viewport=PHONE, color_scheme="dark")
    page.goto(f"/series/welcome/{path}")
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
