"""Pages of the panel that are pictured after clicks: what is clicked (`manual.screenshots`)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final
from uuid import UUID

from playwright.sync_api import Page

from halo_engine.contacts.csv_import.uploads.receiving import (
    StartCall,
    UploadOptions,
    add_chunk,
    begin_upload,
    complete_upload,
    start_import,
)
from halo_engine.contacts.csv_import.uploads.turns import import_turn
from halo_engine.engine import Engine
from halo_engine.work import OrgRef, Work

#: The contact of the sample whom pages are about.
CONTACT: Final = "user-002"
_FILE: Final = """Email Address,First Name,Signed up,Company Size,Newsletter
ann@north.example,Ann,2026-05-01,12,yes
ben@south.example,Ben,2026-05-03,140,no
cleo@,Cleo,2026-05-04,7,yes
dan@east.example,Dan,last week,30,yes
"""


def import_files(engine: Engine, org: OrgRef) -> tuple[UUID, UUID]:
    """Import a file of which lines are bad, and send one that waits; return the ids of both."""
    done = engine.perform(org, partial(_send, name="customers.csv"))
    engine.perform(org, lambda work: start_import(work, StartCall(id=done)))
    import_turn(partial(engine.perform, org), done, lambda: False)
    return done, engine.perform(org, partial(_send, name="fair-in-may.csv"))


def _send(work: Work, name: str) -> UUID:
    upload_id = begin_upload(work, UploadOptions())
    add_chunk(work, upload_id, 0, _FILE.encode())
    complete_upload(work, upload_id, name)
    return upload_id


def _why(page: Page) -> None:
    """Ask about a contact."""
    page.locator("#contact").fill(CONTACT)
    page.locator("#contact").press("Enter")


def _review(page: Page) -> None:
    """Change a rule that ends runs, and press Save."""
    page.get_by_role("tab", name="Exit").click()
    page.get_by_label("Replies to an email").check()
    page.get_by_role("button", name="Save", exact=False).first.click()


def _conflict(page: Page) -> None:
    """Press Save on a page that is older than the last save."""
    page.locator("input[name=version]").evaluate("input => { input.value = input.value - 1 }")
    _review(page)


def _preview(page: Page) -> None:
    """Show the email as a contact would get it."""
    page.get_by_label("Contact").first.fill(CONTACT)
    page.get_by_role("button", name="Show").click()


def _condition(page: Page) -> None:
    """Wait for an event with an amount."""
    page.get_by_label("A contact goes on only if").select_option("event_fired")
    page.get_by_label("Value").fill("order_paid")
    page.get_by_role("button", name="Add filter").click()
    page.get_by_label("Field of filter").fill("event.amount")
    page.get_by_label("Field of filter").press("Tab")
    page.get_by_label("Type of filter").select_option("number")
    page.get_by_label("Operator of filter").select_option("gte")
    page.get_by_label("Value of filter").fill("100")
    page.get_by_label("As soon as the event fires").check()


def _trial(page: Page) -> None:
    """Send a column into a custom field, and try the import."""
    page.get_by_label("Goes into (column Company Size)").select_option("custom")
    page.get_by_role("button", name="Try it").click()


#: By the picture's name.
SCENES: Final[Mapping[str, Callable[[Page], None]]] = {
    "why": _why,
    "review": _review,
    "conflict": _conflict,
    "preview": _preview,
    "condition": _condition,
    "import": _trial,
}
