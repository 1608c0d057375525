"""Lists of contacts: newest first, by name, by audience (contract §10; http.md §3)."""

from typing import Any

import pytest

from halo_engine.answers.contact_list import ContactPage, contact_list
from halo_engine.series.save import parse_definition
from tests.answers.stage import BY_PLAN, Stage


def names(stage: Stage, **asked: Any) -> list[str | None]:
    """Return the names of the contacts found: external ID, else email."""
    return _names(contact_list(stage.work, **asked))


def _names(page: ContactPage) -> list[str | None]:
    return [each.external_id or each.email for each in page.contacts]


def test_newest_first_page_by_page(stage: Stage) -> None:
    """Each contact is on exactly one page, even if several were created at one instant."""
    stage.add("ann", "bob", "cyd")
    stage.wait(hours=1)
    stage.add("dee", "eve")
    everybody = names(stage)
    assert set(everybody[:2]) == {"dee", "eve"}
    assert set(everybody[2:]) == {"ann", "bob", "cyd"}
    seen: list[str | None] = []
    page = contact_list(stage.work, size=2)
    while page.next is not None:
        seen += _names(page)
        page = contact_list(stage.work, size=2, after=page.next)
    assert [*seen, *_names(page)] == everybody


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
def test_by_the_beginning_of_an_id_or_an_email(stage: Stage, search: str, found: set[str]) -> None:
    """IDs match exactly, emails in any case; no character acts as a pattern."""
    stage.add("ann", "anna", "bob")
    stage.add("lea", external_id=None, email="Lea@X.example")
    assert set(names(stage, search=search)) == found


def test_whom_an_audience_matches(stage: Stage) -> None:
    """The audience of a saved series or a definition, less suppressed contacts, as in preview."""
    stage.pro("ann", "anna", "gone")
    stage.suppress("gone")
    stage.add("bob")
    stage.series(**BY_PLAN)
    unsaved = parse_definition("s", {"entry_trigger": "manual", **BY_PLAN})
    assert set(names(stage, within=stage.saved())) == {"ann", "anna"}
    assert names(stage, within=unsaved, search="anna") == ["anna"]
