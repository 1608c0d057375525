"""Preview: the matched count and a page of contacts, of saved and unsaved definitions (§10)."""

from typing import Any

import pytest

from halo_engine.answers.reports.preview import Preview, preview
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.domain.errors import Refusal
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.save import parse_definition
from tests.answers.sandbox import BY_PLAN, Sandbox


def unsaved(**definition: Any) -> SeriesDefinition:
    """Return an unsaved definition."""
    return parse_definition("s", {"entry_trigger": "user_created", **definition})


def ids(found: Preview) -> list[str | None]:
    """Return the external IDs of the page's contacts."""
    return [each.external_id for each in found.contacts]


def test_a_saved_series(sandbox: Sandbox) -> None:
    """Count and page hold the contacts that match now: of the right type, and not suppressed."""
    sandbox.pro("ann", name="Ann")
    sandbox.add("bob")
    sandbox.pro("gone")
    sandbox.suppress("gone")
    sandbox.pro("lea", external_id=None)
    sandbox.series(active=False, contact_type="user", **BY_PLAN)
    found = preview(sandbox.work, sandbox.saved())
    assert found.model_dump(mode="json") == {
        "matched": 1,
        "contacts": [
            {
                "id": str(sandbox.ids["ann"]),
                "external_id": "ann",
                "email": "ann@a.example",
                "name": "Ann",
                "contact_type": "user",
                "created_at": "2026-06-01T09:00:00.000000+00:00",
            }
        ],
        "next": None,
        "note": None,
    }


def test_an_unsaved_definition(sandbox: Sandbox) -> None:
    """The saved series of that key does not matter."""
    sandbox.pro("ann")
    sandbox.add("bob")
    sandbox.series(**BY_PLAN)
    assert ids(preview(sandbox.work, unsaved())) == ["ann", "bob"]
    assert ids(preview(sandbox.work, unsaved(**BY_PLAN))) == ["ann"]
    assert ids(preview(sandbox.work, sandbox.saved())) == ["ann"]


def test_the_list_of_an_unsaved_definition_is_looked_up(sandbox: Sandbox) -> None:
    """The list is found by its key; an unknown key is a 400, and without a list
    no contact matches.
    """
    sandbox.add("ann", "bob")
    sandbox.list("news", "bob")
    assert ids(preview(sandbox.work, listed("news"))) == ["bob"]
    assert preview(sandbox.work, listed(None)).matched == 0
    with pytest.raises(Refusal) as refusal:
        preview(sandbox.work, listed("nws"))
    assert refusal.value.as_dict() == {
        "status": 400,
        "code": "bad_input",
        "message": "subscription: there is no subscription list ‘nws’",
    }


def listed(key: str | None) -> SeriesDefinition:
    """Return the definition of a list series."""
    return unsaved(audience_type="subscription", subscription=key)


def test_pages_follow_each_other_in_order_of_creation(sandbox: Sandbox) -> None:
    """Every contact is on exactly one page, even if several were created at one instant."""
    sandbox.pro("a", "b")
    sandbox.wait(minutes=-1)
    sandbox.pro("c", "d", "e")
    pages: list[list[str | None]] = []
    after = None
    while not pages or after is not None:
        page = preview(sandbox.work, unsaved(**BY_PLAN), after=after, size=2)
        assert page.matched == 5
        pages.append(ids(page))
        after = page.next
    assert pages == [["c", "d"], ["e", "a"], ["b"]]


def test_pages_go_on_behind_a_contact_that_was_erased(sandbox: Sandbox) -> None:
    """Nobody is missed, and nobody comes twice."""
    sandbox.pro("a", "b", "c")
    sandbox.wait(minutes=1)
    sandbox.pro("d")
    page = preview(sandbox.work, unsaved(**BY_PLAN), size=2)
    erase_contact(sandbox.work, EraseContactCall(contact="b"))
    rest = preview(sandbox.work, unsaved(**BY_PLAN), after=page.next, size=2)
    assert (ids(page), ids(rest), rest.next) == (["a", "b"], ["c", "d"], None)


def test_a_full_last_page_has_no_next(sandbox: Sandbox) -> None:
    """If nothing follows, ``next`` is None."""
    sandbox.pro("a", "b")
    assert preview(sandbox.work, unsaved(**BY_PLAN), size=2).next is None


def test_of_a_series_that_waits_for_a_trigger_it_says_who_fits(sandbox: Sandbox) -> None:
    """For a series with a trigger a note says that a match alone does not enroll."""
    says = "This shows who fits now, not who gets it: the series takes contacts"
    assert preview(sandbox.work, unsaved()).note == f"{says} that are created while it is active."
    event = unsaved(entry_trigger="event", settings={"entry_event_name": "paid"})
    assert preview(sandbox.work, event).note == (
        f"{says} for whom the event ‘paid’ fires while it is active."
    )
    assert preview(sandbox.work, unsaved(entry_trigger="manual")).note is None
