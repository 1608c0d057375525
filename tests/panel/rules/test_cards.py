"""The cards: what keeps a series from being activated, and what an activation does (§17)."""

from typing import Any

import pytest
from playwright.sync_api import expect

from halo_engine.domain.roles import Role
from halo_engine.series.checking.preflight import NOT_A_SEGMENT
from tests.panel.browsing import PHONE, People, Shop, Site, barriers
from tests.panel.rules.panel import (
    OWNERS,
    counted,
    definition,
    held,
    matched,
    opened,
    press,
    row,
    tab,
)

STEP: dict[str, Any] = {"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}


@pytest.mark.parametrize(
    ("wrong", "said", "leads_to"),
    [
        (
            {"audience_type": "subscription"},
            "Pick a subscription list under Audience before activating.",
            "Subscription list",
        ),
        (
            {"audience_type": "segment"},
            "Audience source is ‘Filter by criteria’ but no filter is set.",
            "Add filter",
        ),
        (
            {"entry_trigger": "segment_match"},
            NOT_A_SEGMENT,
            "Audience source",
        ),
        (
            {"entry_trigger": "event"},
            "Set an event name under Trigger before activating.",
            "Event name",
        ),
        (
            {
                "entry_trigger": "manual",
                "audience_type": "segment",
                "audience_filters": [[{"field": "mrr", "operator": "gt", "value": 5}]],
            },
            "No contacts match this audience right now.",
            "Field of filter 1 of group 1",
        ),
    ],
)
def test_i_am_led_to_what_keeps_my_series_from_being_activated(
    people: People, shop: Shop, wrong: dict[str, Any], said: str, leads_to: str
) -> None:
    """Each text is the documents', and its way ends at the input that mends it."""
    shop.draft("welcome", **wrong)
    page = opened(people.of(shop), "welcome")
    card = page.locator("#cannot")
    expect(card.get_by_role("heading")).to_have_text("Cannot activate yet")
    assert card.get_by_role("listitem").all_inner_texts() == [f"{said} Mend it"]
    tab(page, "Exit")
    card.get_by_role("link", name="Mend it").click()
    expect(page.locator(":focus")).to_have_accessible_name(leads_to)


def test_everything_that_fails_stands_in_the_order_of_the_documents(
    people: People, site: Site
) -> None:
    """Everything missing is named: domain, footer, filter, step, the value of a gate."""
    shop = site.organization(verified_domain=False, company_footer=None)
    gate = {"key": "paid", "condition": {"type": "event_fired"}}
    shop.draft("news", kind="marketing", audience_type="segment", steps=[gate])
    page = opened(people.of(shop), "news")
    links = page.locator("#cannot a")
    assert page.locator("#cannot li").all_inner_texts() == [
        "Audience source is ‘Filter by criteria’ but no filter is set. Mend it",
        "A verified custom domain is required to send broadcasts and email series. Mend it",
        "Marketing emails require a company footer. Mend it",
        "Step ‘paid’: condition event_fired needs a value Mend it",
    ]
    assert [each.get_attribute("href") for each in links.all()] == [
        "#audience_filters",
        "/settings",
        "/settings",
        "/series/news#steps",
    ]
    press(page, "Activate …")
    expect(page.get_by_role("button", name="Activate", exact=True)).to_have_count(0)


def test_a_series_without_steps_cannot_be_activated(people: People, shop: Shop) -> None:
    """The way leads to its steps."""
    shop.draft("empty", steps=[])
    page = opened(people.of(shop), "empty")
    expect(page.locator("#cannot")).to_contain_text("Add at least one step before activating.")


@pytest.mark.parametrize(
    ("given", "said", "view"),
    [
        (
            {"entry_trigger": "manual"},
            "2 contacts will enroll. Contacts who match later are not added.",
            "View who will enroll",
        ),
        (
            {**OWNERS, "audience_filters": [[{"field": "name", "operator": "is", "value": "Ann"}]]},
            "1 contact matches now and will enroll. New matches enroll as they arrive.",
            "View who currently matches",
        ),
        (
            {"settings": {"one_per_company": True}},
            (
                "2 contacts match now. At activation nobody enrolls: contacts enroll who "
                "sign up later."
            ),
            "View who currently matches",
        ),
        (
            {"entry_trigger": "event", "settings": {"entry_event_name": "paid"}},
            "2 contacts match now. Whoever matches enrolls when ‘paid’ fires for them.",
            "View who currently matches",
        ),
    ],
)
def test_on_activate_says_in_numbers_what_will_happen(
    people: People, shop: Shop, given: dict[str, Any], said: str, view: str
) -> None:
    """Each trigger says who enrolls; the way to them is called as the documents call it."""
    shop.sandbox.contacts(["ann"], name="Ann")
    shop.sandbox.contacts(["bob"])
    shop.draft("welcome", **given)
    page = opened(people.of(shop), "welcome")
    card = page.locator("#outcome")
    expect(card.get_by_role("heading")).to_have_text("On activate")
    expect(card).to_contain_text(said)
    expect(card).to_contain_text("Whoever enters now gets the first email at ")
    card.get_by_role("button", name=view).click()
    expect(page.get_by_role("row", name="ann")).to_be_visible()


def test_the_cards_speak_of_what_is_on_the_screen(people: People, shop: Shop) -> None:
    """While something is unsaved they say so, and nothing is saved by counting."""
    shop.sandbox.contacts(["ann"])
    shop.draft("welcome")
    page = opened(people.of(shop), "welcome")
    matched(page, 1)
    page.get_by_label("Contact type").select_option(label="Leads only")
    matched(page, 0)
    expect(page.locator("#cards")).to_contain_text("Something is not saved yet.")
    page.get_by_label("Contact type").select_option(label="Users and leads")
    matched(page, 1)
    expect(page.locator("#cards")).not_to_contain_text("Something is not saved yet.")
    assert "contact_type" not in definition(shop, "welcome")


def test_a_count_is_never_shown_as_zero_while_it_is_unknown(people: People, shop: Shop) -> None:
    """Until the answer is there the panel says that it counts."""
    shop.sandbox.contacts(["ann"])
    shop.draft("welcome")
    page = people.of(shop)
    let_go = held(page, "welcome")
    page.goto("/series/welcome")
    expect(page.locator("#matched")).to_have_text("Counting …")
    expect(page.locator("#outcome")).to_have_count(0)
    let_go()
    matched(page, 1)


def test_a_goal_without_filters_is_a_warning(people: People, shop: Shop) -> None:
    """It can be activated all the same."""
    shop.draft("welcome")
    page = opened(people.of(shop), "welcome")
    tab(page, "Goal")
    page.get_by_label("Measure a goal").check()
    counted(page)
    said = "The goal is switched on, but no goal filter is set: nothing will convert."
    expect(page.locator("#cards")).to_contain_text(said)
    expect(page.locator("#cannot")).to_have_count(0)


def test_the_goal_says_how_many_converted_so_far(people: People, shop: Shop) -> None:
    """The number follows the page once the series was activated."""
    shop.draft("welcome")
    page = opened(people.of(shop), "welcome")
    press(page, "Activate …")
    press(page, "Activate")
    tab(page, "Goal")
    said = page.get_by_text("0 contacts converted so far, of 0 enrolled.")
    expect(said).to_be_visible()


def test_who_matches_is_shown_page_by_page(people: People, shop: Shop) -> None:
    """They stand in order of creation, fifty a page; no address stands in the page's own."""
    shop.sandbox.contacts([f"u{n:02}" for n in range(53)])
    shop.draft("welcome")
    page = opened(people.of(shop), "welcome")
    press(page, "View who currently matches")
    expect(page.get_by_text("53 contacts, in order of creation.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(50)
    press(page, "Next page")
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.get_by_role("button", name="Next page")).to_have_count(0)
    assert page.url.endswith("/series/welcome")


def test_very_many_filters_are_counted_but_not_looked_at_one_by_one(
    people: People, shop: Shop
) -> None:
    """The page says so, and who can look at them."""
    many = [[{"field": "role", "operator": "is", "value": str(n)}] for n in range(51)]
    shop.draft("many", **{**OWNERS, "audience_filters": many})
    page = people.of(shop, Role.VIEWER)
    page.goto("/series/many?counted")
    expect(page.locator("#outcome")).to_contain_text("Nobody matches now.")
    expect(page.locator("#diagnosis")).to_contain_text("There are too many filters")


def test_completes_the_series_is_on_and_stays_on(people: People, shop: Shop) -> None:
    """The exit rules have the documents' labels; this one cannot be taken off."""
    shop.draft("welcome")
    page = opened(people.of(shop), "welcome")
    tab(page, "Exit")
    rules = page.get_by_role("group", name="Exit rules").get_by_role("checkbox")
    assert [each.get_attribute("id") for each in rules.all()] == [
        "exit-completed",
        "exit-unsubscribed",
        "exit-replied",
        "exit-segment_leave",
        "exit-event",
        "exit-filter_match",
        "exit-manual",
    ]
    always = page.get_by_label("Completes the series")
    expect(always).to_be_checked()
    expect(always).to_be_disabled()
    expect(page.get_by_label("Exit event name")).to_be_hidden()
    page.get_by_label("Triggers an event").check()
    expect(page.get_by_label("Exit event name")).to_be_visible()


def test_a_viewer_reads_the_rules_and_sees_no_control_that_would_be_refused(
    people: People, shop: Shop
) -> None:
    """The rules stand there in words; who matches can be counted and viewed."""
    shop.sandbox.contacts(["ann"])
    shop.draft("owners", **OWNERS)
    page = people.of(shop, Role.VIEWER)
    page.goto("/series/owners")
    expect(page.get_by_text("Filter by criteria: Role is ‘owner’ and Signed Up")).to_be_visible()
    buttons = [each.inner_text() for each in page.locator("main button").all()]
    assert buttons == ["Count who matches"]
    press(page, "Count who matches")
    expect(page.locator("#outcome")).to_contain_text("Nobody matches now.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_from_using_the_panel(
    people: People, shop: Shop, scheme: Any
) -> None:
    """Axe finds nothing, in each tab, at 320 pixels, light and dark; nothing needs a sidewards
    scroll.
    """
    shop.sandbox.contacts(["ann"])
    shop.draft("owners", **OWNERS, settings={"goal_enabled": True, "exit_rules": ["filter_match"]})
    page = opened(people.of(shop, viewport=PHONE, color_scheme=scheme), "owners")
    for name in ("Entry", "Goal", "Exit"):
        tab(page, name)
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    row(page, "settings.exit_filters")
    press(page, "Activate …")
    assert barriers(page) == []


def test_what_customers_write_stays_text(people: People, shop: Shop) -> None:
    """Names, fields, values and events that look like HTML are shown as they are."""
    evil = '"><img src=x onerror="document.title=\'owned\'">'
    shop.sandbox.contacts([evil], name=evil, custom_fields={evil: evil})
    item = {"field": f"custom:{evil}", "operator": "is", "value": evil}
    shop.draft(
        "evil",
        name=evil,
        entry_trigger="event",
        audience_type="segment",
        audience_filters=[[item]],
        settings={"entry_event_name": evil, "exit_rules": ["event"], "exit_event_name": evil},
        steps=[{**STEP, "email": {"subject": evil, "body": evil}}],
    )
    page = opened(people.of(shop), "evil")
    matched(page, 1)
    inputs = row(page, "audience_filters")
    expect(inputs["value"]).to_have_value(evil)
    inputs["value"].focus()
    expect(page.locator("datalist option", has_text="1 contact")).to_have_count(1)
    press(page, "View who currently matches")
    expect(page.get_by_role("rowheader")).to_have_text(evil)
    page.goto("/series/evil")
    press(page, "Save …")
    assert page.locator("img[src=x]").count() == 0
    assert "owned" not in page.title() or evil in page.title()
