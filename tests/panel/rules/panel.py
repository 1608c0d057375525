"""How a marketer works the rules panel: opens it, waits for its counts, presses its buttons."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from playwright.sync_api import Locator, Page, Route, expect
from sqlalchemy import func, select

from halo_engine.series.files.showing import show_series
from halo_engine.tables import automation_enrollments
from tests.panel.browsing import Shop

#: The filters of the documents' example: Role is owner and Signed Up on or after a day.
OWNERS: Final[dict[str, Any]] = {
    "name": "Created Account",
    "entry_trigger": "segment_match",
    "contact_type": "user",
    "audience_type": "segment",
    "audience_filters": [
        [
            {"field": "role", "operator": "is", "value": "owner"},
            {"field": "signed_up_at", "operator": "after", "value": "2026-05-27"},
        ]
    ],
}


def opened(page: Page, key: str) -> Page:
    """Open a series and wait until it is counted."""
    page.goto(f"/series/{key}")
    counted(page)
    return page


def counted(page: Page) -> None:
    """Wait until the cards speak of what is on the screen."""
    expect(page.locator("#cards [data-counting]")).to_have_count(0)
    expect(page.locator("#matched")).not_to_have_text("Counting …")


def matched(page: Page, number: int) -> None:
    """Wait until so many are matched."""
    said = f"{number} contact matched" if number == 1 else f"{number} contacts matched"
    expect(page.locator("#matched")).to_have_text(said)


def press(page: Page, name: str) -> None:
    """Press a button."""
    page.get_by_role("button", name=name, exact=True).click()


def row(page: Page, place: str, group: int = 0, number: int = 0) -> dict[str, Locator]:
    """Return the inputs of a filter: its field, type, operator and value."""
    name = f"{place}[{group}][{number}]"
    return {
        part: page.locator(f'[name="{name}.{part}"]')
        for part in ("field", "type", "operator", "value")
    }


def tab(page: Page, name: str) -> None:
    """Open Entry, Goal or Exit."""
    page.get_by_role("tab", name=name).click()


def save(page: Page) -> None:
    """Save: first what will change is shown."""
    press(page, "Save …")
    press(page, "Save")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()


def definition(shop: Shop, key: str) -> Mapping[str, Any]:
    """Return a series as it is saved."""
    return shop.sandbox.perform(lambda work: show_series(work, key, checked=False)).definition


def enrolled(shop: Shop) -> int:
    """Return how many contacts ever entered a series."""
    runs = automation_enrollments
    counted = select(func.count()).where(runs.c.org_id == shop.sandbox.org.id)
    with shop.site.database.connect() as connection:
        return connection.execute(counted).scalar_one()


def wait_until(page: Page, is_so: Callable[[], bool]) -> None:
    """Wait for something that workers do."""
    give_up = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < give_up, "the workers did not get there"
        page.wait_for_timeout(100)


def held(page: Page, key: str) -> Callable[[], None]:
    """Hold the next form that a series' page sends; what is returned waits for it, and sends it."""
    waiting: list[Route] = []
    gone: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST" and not waiting and not gone:
            waiting.append(route)
        else:
            route.continue_()

    def let_go() -> None:
        while not waiting:
            page.wait_for_timeout(50)
        gone.append(waiting.pop())
        gone[0].continue_()

    page.route(f"**/series/{key}", hold)
    return let_go
