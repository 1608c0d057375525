"""The page of all series (contract §17)."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect
from sqlalchemy import insert

from halo_engine.domain.roles import Role
from halo_engine.tables import signals
from tests.panel.browsing import PHONE, People, Shop, barriers, rows

HOSTILE = """"><script>document.title='owned'</script>'{{ 7*7 }}"""


def test_an_empty_page_says_what_to_do_first(people: People, shop: Shop) -> None:
    """Nothing is there to search."""
    page = people.of(shop)
    page.goto("/series")
    expect(page.get_by_text("There is no series yet.")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_count(0)


def test_i_see_every_series_with_its_trigger_in_words(people: People, shop: Shop) -> None:
    """The newest is on top; what came of it follows the page."""
    shop.draft("trial", name="Trial", entry_trigger="event", settings={"entry_event_name": "paid"})
    shop.draft("welcome", name="Welcome")
    shop.enter("welcome", ["ann", "ben"])
    page = people.of(shop)
    page.goto("/series")
    expect(page.locator("#entered-welcome")).to_have_text("2")
    assert list(rows(page)) == [
        ["Welcome", "active", "User signs up", "0", "2", "2", "0"],
        ["Trial", "draft", "Triggers an event: ‘paid’", "0", "0", "0", "0"],
    ]
    assert barriers(page) == []


def test_the_search_narrows_while_i_type(people: People, shop: Shop) -> None:
    """Without a script the button does the same."""
    for name in ("Welcome", "Trial", "Renewal"):
        shop.draft(name.lower(), name=name)
    page = people.of(shop)
    page.goto("/series")
    page.get_by_role("searchbox").press_sequentially("TRI")
    expect(page.get_by_text("1 series")).to_be_visible()
    assert [row[0] for row in rows(page)] == ["Trial"]
    plain = people.of(shop, java_script_enabled=False)
    plain.goto("/series")
    plain.get_by_role("searchbox").fill("new")
    plain.get_by_role("button", name="Search").click()
    assert [row[0] for row in rows(plain)] == ["Renewal"]
    plain.get_by_role("link", name="Count who is in these series").click()
    assert [row[3] for row in rows(plain)] == ["0"]


def test_many_series_come_page_by_page(people: People, shop: Shop) -> None:
    """The second page has the oldest."""
    for number in range(51):
        shop.draft(f"s{number:02}")
    page = people.of(shop)
    page.goto("/series")
    assert len(list(rows(page))) == 50
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("link", name="First page")).to_be_visible()
    assert [row[0] for row in rows(page)] == ["s00"]


def test_what_needs_me_stands_on_top(people: People, shop: Shop) -> None:
    """A signal that was set aside, and mail that somebody holds."""
    shop.draft("welcome")
    failed = datetime.now(UTC) - timedelta(hours=1)
    [ann] = shop.sandbox.contacts(["ann"])
    row = {
        "org_id": shop.sandbox.org_id,
        "kind": "created",
        "end_user_id": ann,
        "changed": ["*"],
        "happened_at": failed,
        "created_at": failed,
        "failed_at": failed,
        "parked_at": failed,
        "error": "division by zero",
        "attempts": 9,
    }
    shop.sandbox.perform(lambda work: work.connection.execute(insert(signals), [row]))
    page = people.of(shop, Role.EDITOR)
    page.goto("/settings/mail")
    page.get_by_text("Hold all mail").click()
    page.get_by_role("button", name="Yes, hold it").click()
    expect(page.get_by_role("heading", name="Mail is held")).to_be_visible()
    page.goto("/series")
    card = page.locator(".card.amber")
    expect(card).to_contain_text("Mail is held since")
    expect(card).to_contain_text("Signals that failed and were set aside: 1")
    expect(card).to_contain_text("division by zero")
    assert barriers(page) == []


def test_a_hostile_name_is_only_text(people: People, shop: Shop) -> None:
    """Nothing of it runs, in the list or in the search."""
    shop.draft("welcome", name=HOSTILE)
    page = people.of(shop)
    page.goto("/series")
    page.get_by_role("searchbox").press_sequentially('"><script>')
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    expect(page).to_have_title("Series · Halo")


def test_a_phone_in_the_dark_shows_the_same(people: People, shop: Shop) -> None:
    """At 320 pixels the page does not scroll sideways; contrast holds in the dark."""
    shop.draft("welcome", name="W" * 60)
    page = people.of(shop, viewport=PHONE, color_scheme="dark")
    page.goto("/series")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert barriers(page) == []
