"""“View who will enroll” and “View who currently matches”: the contacts, page by page (§17)."""

from typing import Final

from ...page import PageAnswer, View, Visit, segment_of
from .cards import view_label
from .editing import Editing

_PAGE: Final = 50
AFTER: Final = "after"


def matches_of(visit: Visit, editing: Editing) -> PageAnswer:
    """Show a page of the contacts that the definition on the screen matches.

    The page is asked for by a form, so that what is on the screen goes with it.
    """
    values = {"editing": editing, "path": f"/series/{segment_of(editing.key)}", "wide": False}
    definition = editing.definition
    if definition is None:
        return View("rules/matches.html", {**values, "found": None, "title": "Who matches"}, 400)
    after = visit.form.get(AFTER)
    found = visit.call(
        "definitions.preview",
        definition=editing.written(),
        size=_PAGE,
        **({"after": after} if after else {}),
    )
    title = view_label(definition).removeprefix("View who ")
    return View("rules/matches.html", {**values, "found": found, "title": f"Who {title}"})
