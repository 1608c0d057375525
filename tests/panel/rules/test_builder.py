"""The filter builder of the rules panel (contract §17)."""

import json
import re
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from playwright.sync_api import expect

from halo_engine.contacts.consent.subscriptions import SaveListCall, save_list
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.domain.fields.presets import PRESETS
from tests.panel.browsing import People, Shop
from tests.panel.rules.panel import (
    counted,
    definition,
    held,
    matched,
    opened,
    press,
    row,
    save,
    tab,
)
from tests.properties.definitions import LISTS, definitions

AUDIENCE: Final = "audience_filters"
BELOW_ONE: Final = {"operator": "lt", "value": 1}
BY_CRITERIA: Final = {"entry_trigger": "segment_match", "audience_type": "segment"}


@pytest.mark.parametrize("with_script", [True, False])
def test_what_i_open_and_save_is_what_was_there(
    people: People, shop: Shop, with_script: bool
) -> None:
    """Nothing of a series changes by being looked at: any series, with a script and without."""
    for name in LISTS:
        shop.sandbox.perform(partial(save_list, call=SaveListCall(list=name)))
    page = people.of(shop, java_script_enabled=with_script)

    @settings(
        max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(definitions())
    def looked_at(generated: dict[str, Any]) -> None:
        shop.draft("any", **generated)
        page.goto("/series/any")
        press(page, "Save …")
        nothing = page.get_by_text("Nothing on the screen differs from what is saved.")
        expect(nothing).to_be_visible()

    looked_at()


def test_i_build_groups_of_filters_joined_by_or(people: People, shop: Shop) -> None:
    """Filters of a group hold together, one group is enough; the count follows before I save."""
    shop.sandbox.contacts(["ann", "bob", "cleo"], mrr=500)
    shop.draft("pro", **BY_CRITERIA)
    page = opened(people.of(shop), "pro")
    press(page, "Add filter")
    first = row(page, AUDIENCE)
    expect(first["field"]).to_be_focused()
    first["field"].fill("mrr")
    first["field"].blur()
    first["operator"].select_option(label="is more than")
    first["value"].fill("100")
    matched(page, 3)
    press(page, "Add group")
    second = row(page, AUDIENCE, 1)
    second["field"].fill("contact_type")
    second["field"].blur()
    expect(second["value"]).to_have_js_property("tagName", "SELECT")
    second["value"].select_option("lead")
    matched(page, 3)
    save(page)
    shown = definition(shop, "pro")
    assert shown["audience_filters"] == [
        [{"field": "mrr", "operator": "gt", "value": 100}],
        [{"field": "contact_type", "operator": "is", "value": "lead"}],
    ]


def test_a_field_offers_the_operators_of_its_type_alone(people: People, shop: Shop) -> None:
    """A date is before or on or after; a number has no “contains”."""
    shop.draft("pro", **BY_CRITERIA)
    page = opened(people.of(shop), "pro")
    press(page, "Add filter")
    inputs = row(page, AUDIENCE)
    for field, operators in {
        "signed_up_at": ["is before", "is on or after"],
        "mrr": ["is", "is more than", "is less than", "is at least", "is at most"],
        "on_contract": ["is"],
        "name": ["is", "is not", "contains"],
    }.items():
        inputs["field"].fill(field)
        inputs["field"].blur()
        expect(inputs["operator"].locator("option")).to_have_text(
            [*operators, "is set", "is empty"]
        )


@pytest.mark.parametrize("with_script", [True, False])
def test_an_operator_without_a_value_has_no_input_for_one(
    people: People, shop: Shop, with_script: bool
) -> None:
    """“is set” and “is empty” stand alone; what was typed beside them before is not saved (§22)."""
    item = {"field": "plan", "operator": "is", "value": "pro"}
    shop.draft("pro", **BY_CRITERIA, audience_filters=[[item]])
    page = people.of(shop, java_script_enabled=with_script)
    page.goto("/series/pro")
    inputs = row(page, AUDIENCE)
    expect(inputs["value"]).to_be_visible()
    inputs["operator"].select_option("is_empty")
    if with_script:
        expect(inputs["value"]).to_be_hidden()
    save(page)
    assert definition(shop, "pro")["audience_filters"] == [
        [{"field": "plan", "operator": "is_empty"}]
    ]
    page.goto("/series/pro")
    expect(row(page, AUDIENCE)["value"]).to_be_hidden()


def test_events_are_counted_within_a_span(people: People, shop: Shop) -> None:
    """The span stands beside the count, and is said in words; other fields have none (§22)."""
    shop.draft("pro", **BY_CRITERIA, audience_filters=[[{"field": "event:login", **BELOW_ONE}]])
    page = opened(people.of(shop), "pro")
    span = page.get_by_label("Span of filter 1 of group 1")
    span.fill("90d")
    save(page)
    saved = {"field": "event:login", **BELOW_ONE, "within": "90d"}
    assert definition(shop, "pro")["audience_filters"] == [[saved]]
    shop.draft("rich", **BY_CRITERIA, audience_filters=[[{"field": "mrr", **BELOW_ONE}]])
    opened(page, "rich")
    expect(span).to_have_count(0)


def test_a_picker_shows_fields_with_their_type_and_values_seen_most(
    people: People, shop: Shop
) -> None:
    """Custom fields that my app sends are found by search, with what is stored in them."""
    for user in ("ann", "bob"):
        call = IdentifyCall(user_id=user, traits={"tier": "gold", "seats": 5})
        shop.sandbox.perform(partial(identify, call=call))
    shop.draft("pro", **BY_CRITERIA)
    page = opened(people.of(shop), "pro")
    press(page, "Add filter")
    inputs = row(page, AUDIENCE)
    tier = page.locator('#fields-seen option[value="custom:tier"]')
    expect(tier).to_have_text("‘tier’, text")
    inputs["field"].fill("custom:tier")
    inputs["field"].blur()
    expect(inputs["type"]).to_have_value("string")
    inputs["value"].focus()
    seen = page.locator('datalist option[value="gold"]')
    expect(seen).to_have_text("2 contacts")
    inputs["field"].fill("custom:seats")
    inputs["field"].blur()
    expect(inputs["type"]).to_have_value("number")
    expect(inputs["operator"].locator("option").nth(1)).to_have_text("is more than")


@pytest.mark.parametrize("label", ["On trial", "Inactive 30 days+"])
def test_a_preset_is_one_click_and_a_second_changes_nothing(
    people: People, shop: Shop, label: str
) -> None:
    """It switches the source to “Filter by criteria” and adds its filter to the first group."""
    shop.draft("pro")
    page = opened(people.of(shop), "pro")
    press(page, label)
    expect(page.get_by_label("Audience source")).to_have_value("segment")
    expect(page.get_by_role("button", name=label)).to_have_attribute("aria-pressed", "true")
    press(page, label)
    counted(page)
    expect(page.locator('[name$=".field"]')).to_have_count(1)
    expect(row(page, AUDIENCE)["field"]).to_have_value(PRESETS[label].field)


def test_i_am_told_at_the_input_what_is_wrong(people: People, shop: Shop) -> None:
    """The list of what is wrong leads to it, in whichever tab it is."""
    shop.draft("pro", **BY_CRITERIA)
    page = opened(people.of(shop), "pro")
    press(page, "Add filter")
    inputs = row(page, AUDIENCE)
    inputs["field"].fill("signed_up_at")
    inputs["field"].blur()
    expect(inputs["operator"]).to_have_value("before")
    inputs["value"].fill("soon")
    tab(page, "Goal")
    page.get_by_label("Measure a goal").check()
    page.get_by_label("Goal window in days").fill("long")
    press(page, "Save …")
    wrong = page.get_by_role("alert")
    expect(wrong).to_contain_text("Audience filters: ")
    expect(wrong).to_contain_text("Goal window in days: ‘long’ is refused; allowed is a number")
    expect(inputs["value"]).to_have_accessible_description(
        re.compile("‘soon’ is not a date; allowed")
    )
    wrong.get_by_role("link", name="Goal window in days").click()
    window = page.get_by_label("Goal window in days")
    expect(window).to_be_focused()
    expect(window).to_have_value("long")
    assert definition(shop, "pro").get("audience_filters") is None


def test_what_i_type_while_the_page_follows_stays(people: People, shop: Shop) -> None:
    """The form comes anew when a field is chosen; what was typed meanwhile is not lost."""
    shop.draft("pro", **BY_CRITERIA)
    page = opened(people.of(shop), "pro")
    press(page, "Add filter")
    inputs = row(page, AUDIENCE)
    inputs["field"].fill("mrr")
    let_go = held(page, "pro")
    inputs["value"].focus()
    page.keyboard.type("120")
    let_go()
    expect(inputs["operator"].locator("option").nth(1)).to_have_text("is more than")
    expect(inputs["value"]).to_have_value("120")
    expect(inputs["value"]).to_be_focused()


def test_removing_the_last_filter_removes_its_group(people: People, shop: Shop) -> None:
    """What is left is what is counted."""
    name = {"field": "name", "operator": "is", "value": "x"}
    shop.draft("pro", **BY_CRITERIA, audience_filters=[[name], [name]])
    page = opened(people.of(shop), "pro")
    page.get_by_role("button", name="Remove filter 1 of group 2").click()
    expect(page.get_by_role("group", name="Group 1 of 1")).to_be_visible()
    save(page)
    assert json.dumps(definition(shop, "pro")["audience_filters"]) == json.dumps([[name]])
