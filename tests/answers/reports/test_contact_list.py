"""Lists of contacts: newest first, by name, by audience (contract §10; http.md §3)."""

from typing import Any

import pytest

from halo_engine.answers.reports.contact_list import ContactPage, contact_list
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.series.save import parse_definition
from tests.answers.sandbox import BY_PLAN, Sandbox


def names(sandbox: Sandbox, **asked: Any) -> list[str | None]:
    """Return the names of the contacts found: external ID, else email."""
    return _names(contact_list(sandbox.work, **asked))


def _names(page: ContactPage) -> list[str | None]:
    return [each.external_id or each.email for each in page.contacts]


def test_newest_first_page_by_page(sandbox: Sandbox) -> None:
    """Each contact is on exactly one page, even if several were created at one instant."""
    sandbox.add("ann", "bob", "cyd")
    sandbox.wait(hours=1)
    sandbox.add("dee", "eve")
    everybody = names(sandbox)
    assert set(everybody[:2]) == {"dee", "eve"}
    assert set(everybody[2:]) == {"ann", "bob", "cyd"}
    seen: list[str | None] = []
    page = contact_list(sandbox.work, size=2)
    while page.next is not None:
        seen += _names(page)
        page = contact_list(sandbox.work, size=2, after=page.next)
    assert [*seen, *_names(page)] == everybody


def test_pages_go_on_behind_a_contact_that_was_erased(sandbox: Sandbox) -> None:
    """Whoever erases each page before the next one misses nobody and meets nobody twice."""
    sandbox.add("ann", "bob", "cyd")
    sandbox.wait(hours=1)
    sandbox.add("dee", "eve")
    seen: list[str | None] = []
    page = contact_list(sandbox.work, size=2)
    while page.next is not None:
        seen += _names(page)
        for each in page.contacts:
            erase_contact(sandbox.work, EraseContactCall(contact=str(each.external_id)))
        page = contact_list(sandbox.work, size=2, after=page.next)
    assert [*seen, *_names(page)] == ["eve", "dee", "cyd", "bob", "ann"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ann", {"ann", "anna"}),
        ("anna", {"anna"}),
        ("ANN@A", {"ann"}),
        ("Ann", {"ann", "anna"}),
        ("lea@x", {"Lea@X.example"}),
        ("nn", set()),
        ("%", set()),
        ("a_n", set()),
    ],
)
def test_by_the_beginning_of_an_id_or_an_email(
    sandbox: Sandbox, search: str, found: set[str]
) -> None:
    """A prefix finds IDs exactly and emails in any case; no character acts as a pattern."""
    sandbox.add("ann", "anna", "bob")
    sandbox.add("lea", external_id=None, email="Lea@X.example")
    assert set(names(sandbox, search=search)) == found


def test_whom_an_audience_matches(sandbox: Sandbox) -> None:
    """A saved series or a definition lists its audience without suppressed contacts, as preview
    does.
    """
    sandbox.pro("ann", "anna", "gone")
    sandbox.suppress("gone")
    sandbox.add("bob")
    sandbox.series(**BY_PLAN)
    unsaved = parse_definition("s", {"entry_trigger": "manual", **BY_PLAN})
    assert set(names(sandbox, within=sandbox.saved())) == {"ann", "anna"}
    assert names(sandbox, within=unsaved, search="anna") == ["anna"]
