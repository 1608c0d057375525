"""Saving, activating, pausing, resuming and stopping a series on its page (contract §17)."""

import re

from playwright.sync_api import Page, expect

from halo_engine.domain.roles import Role
from tests.panel.browsing import People, Shop, barriers, rows
from tests.panel.rules.panel import (
    counted,
    definition,
    enrolled,
    matched,
    opened,
    press,
    row,
    save,
    tab,
    wait_until,
)


def test_what_will_change_is_shown_before_it_is_saved(people: People, shop: Shop) -> None:
    """Each part stands there before and after, in the panel's words; going back loses nothing."""
    shop.draft("welcome")
    page = opened(people.of(shop), "welcome")
    page.get_by_label("Contact type").select_option(label="Users only")
    page.get_by_label("Re-enrollment").check()
    page.get_by_label("Days before entering again").fill("7.5")
    press(page, "Save …")
    lines = page.get_by_role("table", name="What will change").locator("tbody tr").all()
    assert [each.inner_text().split("\t") for each in lines] == [
        ["Contact type", "Users and leads", "Users only"],
        ["Re-enrollment", "Off", "On"],
        ["Days before entering again", "Not set", "7.5"],
    ]
    assert "contact_type" not in definition(shop, "welcome")
    press(page, "Back to editing")
    expect(page.get_by_label("Days before entering again")).to_have_value("7.5")
    save(page)
    assert definition(shop, "welcome")["settings"] == {
        "reenroll_enabled": True,
        "reenroll_delay_days": 7.5,
    }


def test_i_make_a_new_series(people: People, shop: Shop) -> None:
    """A name and a trigger are enough for a draft: its key is made from the name. A key that is
    taken is said at its input.
    """
    shop.draft("taken")
    page = people.of(shop, Role.EDITOR)
    page.goto("/new-series")
    page.get_by_label("Name").fill("Taken")
    page.get_by_label("Trigger").select_option(label="Manual")
    press(page, "Make the draft")
    key = page.get_by_label("Key")
    expect(key).to_have_value("taken")
    expect(key).to_have_accessible_description(re.compile("there is a series of this key already"))
    assert barriers(page) == []
    key.fill("once")
    press(page, "Make the draft")
    counted(page)
    expect(page.locator("#cannot")).to_contain_text("Add at least one step before activating.")
    assert definition(shop, "once") == {"name": "Taken", "entry_trigger": "manual"}


def test_the_enter_key_saves_nothing(people: People, shop: Shop) -> None:
    """It shows what would change."""
    shop.draft("welcome", entry_trigger="event")
    page = opened(people.of(shop), "welcome")
    page.get_by_label("Event name", exact=True).fill("paid")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Save ‘welcome’?")).to_be_visible()
    assert "settings" not in definition(shop, "welcome")


def test_two_people_save_at_once_and_nobody_s_work_is_overwritten(
    people: People, shop: Shop
) -> None:
    """Who comes second sees both versions, and chooses."""
    shop.draft("welcome")
    ann, bob = people.of(shop, name="Ann"), people.of(shop, Role.EDITOR, name="Bob")
    for page in (ann, bob):
        opened(page, "welcome")
    ann.get_by_label("Contact type").select_option(label="Users only")
    bob.get_by_label("Contact type").select_option(label="Leads only")
    press(bob, "Save …")
    save(ann)
    press(bob, "Save")
    heading = bob.get_by_role("heading", name="Somebody saved ‘welcome’ meanwhile")
    expect(heading).to_be_visible()
    expect(bob.get_by_text("Ann saved version 2 at")).to_be_visible()
    [line] = bob.get_by_role("table", name="What will change").locator("tbody tr").all()
    assert line.inner_text().split("\t") == ["Contact type", "Users only", "Leads only"]
    assert definition(shop, "welcome")["contact_type"] == "user"
    press(bob, "Save mine over it")
    expect(bob.get_by_text("Saved.")).to_be_visible()
    assert definition(shop, "welcome")["contact_type"] == "lead"


def test_i_activate_a_series_by_keyboard_alone(people: People, shop: Shop) -> None:
    """Every control can be reached and shows that it has the focus."""
    shop.sandbox.contacts(["ann", "bob"])
    shop.draft("once", entry_trigger="manual")
    page = opened(people.of(shop), "once")
    matched(page, 2)
    _tab_to(page, "Activate …")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Activate ‘once’?")).to_be_visible()
    _tab_to(page, "Activate")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Activated. Workers enroll who matches.")).to_be_visible()
    wait_until(page, lambda: enrolled(shop) == 2)


def test_tabs_are_walked_by_arrows(people: People, shop: Shop) -> None:
    """One of them is in the order of the page, the arrows lead to the others."""
    shop.draft("welcome")
    page = opened(people.of(shop), "welcome")
    page.get_by_role("tab", name="Entry").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Goal")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Goal")).to_be_visible()
    expect(page.get_by_role("tabpanel", name="Entry")).to_be_hidden()


def test_activating_saves_what_is_on_the_screen_first(people: People, shop: Shop) -> None:
    """The button says so, and the page shows what it saves."""
    shop.draft("go", entry_trigger="event")
    page = opened(people.of(shop), "go")
    page.get_by_label("Event name", exact=True).fill("paid")
    press(page, "Activate …")
    press(page, "Save and activate")
    expect(page.get_by_text("active", exact=True)).to_be_visible()
    assert definition(shop, "go")["settings"] == {"entry_event_name": "paid"}


def test_i_narrow_the_event_that_enrolls_and_the_one_that_ends_a_run(
    people: People, shop: Shop
) -> None:
    """A property compares with a value, at the exit with the event that began the run too (§21)."""
    exits = {"exit_rules": ["event"], "exit_event_name": "paid"}
    settings = {"entry_event_name": "ordered", **exits}
    shop.draft("go", entry_trigger="event", settings=settings)
    page = opened(people.of(shop), "go")
    page.get_by_role("group", name="Entry event filters").get_by_role("button").click()
    inputs = row(page, "settings.entry_event_filters")
    inputs["field"].fill("event.amount")
    inputs["field"].blur()
    inputs["type"].select_option("number")
    inputs["operator"].select_option("gte")
    inputs["value"].fill("100")
    tab(page, "Exit")
    page.get_by_role("group", name="Exit event filters").get_by_role("button").click()
    inputs = row(page, "settings.exit_event_filters")
    inputs["field"].fill("event.order_id")
    inputs["field"].blur()
    inputs["operator"].select_option("same")
    expect(inputs["value"]).to_have_count(0)
    save(page)
    assert definition(shop, "go")["settings"] == {
        **settings,
        "entry_event_filters": [[{"field": "event.amount", "operator": "gte", "value": 100}]],
        "exit_event_filters": [[{"same": "order_id"}]],
    }
    opened(page, "go")
    expect(row(page, "settings.exit_event_filters")["operator"]).to_have_value("same")


def test_i_see_what_a_save_does_to_whom_is_in_the_series(people: People, shop: Shop) -> None:
    """I read how many leave and why, and how many stay; the save is what was shown."""
    shop.sandbox.contacts(["ann", "bob"])
    step = {"key": "hi", "delay": "3d", "email": {"subject": "Hi", "body": "Hi"}}
    shop.draft("once", entry_trigger="manual", steps=[step])
    page = opened(people.of(shop), "once")
    press(page, "Activate …")
    press(page, "Activate")
    wait_until(page, lambda: enrolled(shop) == 2)
    opened(page, "once")
    tab(page, "Exit")
    page.get_by_label("Matches an exit filter").check()
    page.get_by_role("group", name="Exit filters").get_by_role("button").click()
    inputs = row(page, "settings.exit_filters")
    inputs["field"].fill("external_id")
    inputs["value"].fill("ann")
    press(page, "Save …")
    table = page.get_by_role("table", name="What happens to whom is in it")
    lines = [each.inner_text().split("\t") for each in table.locator("tbody tr").all()]
    assert lines == [
        ["leave: Matches an exit filter", "hi", "1"],
        ["stay as they are", "hi", "1"],
    ]
    press(page, "View the 1 who leave")
    [[contact, *_, at, said, _, _]] = rows(page)
    assert (contact, at, said) == ("ann", "hi", "leave: Matches an exit filter")
    assert barriers(page) == []
    press(page, "Back to what will change")
    press(page, "View the 1 who stay as they are")
    assert [each[0] for each in rows(page)] == ["bob"]
    press(page, "Back to what will change")
    press(page, "Save")
    expect(page.get_by_text("Saved.")).to_be_visible()


def test_i_pause_resume_and_stop_a_series(people: People, shop: Shop) -> None:
    """Each says first what will happen, with numbers; stopping asks for the key of the series."""
    shop.draft("go")
    page = opened(people.of(shop), "go")
    press(page, "Activate …")
    press(page, "Activate")
    page.get_by_role("link", name="Pause").click()
    expect(page.get_by_text("0 contacts are in it now.")).to_be_visible()
    expect(page.get_by_text("Nobody enters, and nothing is sent.")).to_be_visible()
    press(page, "Pause the series")
    page.get_by_role("link", name="Resume").click()
    press(page, "Resume the series")
    page.get_by_role("link", name="Stop").click()
    press(page, "Stop the series for good")
    key = page.get_by_label("The key of the series")
    expect(key).to_have_accessible_description(re.compile("^Type go to stop it."))
    key.fill("go")
    press(page, "Stop the series for good")
    expect(page.get_by_text("completed", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Save …")).to_have_count(0)


def test_an_editor_cannot_stop_a_series(people: People, shop: Shop) -> None:
    """Only an admin sees the way to it."""
    shop.draft("go")
    page = opened(people.of(shop, Role.EDITOR), "go")
    press(page, "Activate …")
    press(page, "Activate")
    expect(page.get_by_role("link", name="Pause")).to_be_visible()
    expect(page.get_by_role("link", name="Stop")).to_have_count(0)


def test_the_panel_works_without_a_script(people: People, shop: Shop) -> None:
    """I add a filter and a preset, count, save and activate by buttons alone."""
    shop.sandbox.contacts(["ann"], mrr=700, source="sdk")
    shop.draft("plain", entry_trigger="segment_match", audience_type="segment")
    page = people.of(shop, java_script_enabled=False)
    page.goto("/series/plain")
    page.get_by_role("group", name="Audience filters").get_by_role("button").click()
    inputs = row(page, "audience_filters")
    inputs["field"].fill("mrr")
    press(page, "Count who matches")
    inputs["operator"].select_option(label="is at least")
    inputs["value"].fill("500")
    press(page, "From SDK")
    press(page, "Count who matches")
    expect(page.locator("#matched")).to_have_text("1 contact matched")
    press(page, "Activate …")
    press(page, "Save and activate")
    expect(page.get_by_text("Activated. Workers enroll who matches.")).to_be_visible()
    wait_until(page, lambda: enrolled(shop) == 1)


def test_what_i_typed_is_there_again_when_my_session_ended(people: People, shop: Shop) -> None:
    """It is kept in my browser until it is saved, and gone once I sign out."""
    shop.draft("welcome")
    page = opened(people.of(shop), "welcome")
    tab(page, "Goal")
    page.get_by_label("Measure a goal").check()
    page.get_by_label("Goal window in days").fill("12")
    counted(page)
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in to Halo")).to_be_visible()
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.goto("/series/welcome")
    expect(page.get_by_text("What you typed before and did not save is back.")).to_be_visible()
    tab(page, "Goal")
    expect(page.get_by_label("Goal window in days")).to_have_value("12")
    press(page, "Drop it")
    tab(page, "Goal")
    expect(page.get_by_label("Measure a goal")).not_to_be_checked()
    page.get_by_label("Measure a goal").check()
    assert page.evaluate("localStorage.length") == 1
    press(page, "Sign out")
    expect(page.get_by_role("heading", name="Sign in to Halo")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0


def test_what_i_saved_does_not_come_back(people: People, shop: Shop) -> None:
    """Nothing is kept in the browser after a save."""
    shop.draft("welcome")
    page = opened(people.of(shop), "welcome")
    page.get_by_label("Contact type").select_option(label="Users only")
    save(page)
    assert page.evaluate("localStorage.length") == 0


def _tab_to(page: Page, name: str) -> None:
    """Go on by the tab key until the button has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(f"the tab key does not lead to {name}")
