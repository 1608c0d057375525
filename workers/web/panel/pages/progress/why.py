"""Why a contact is in a series, or is not (contract §10, §17).

A contact is asked for by a form: what names it may be an email, which stands in no URL.
"""

from http import HTTPStatus
from typing import Any, Final

from halo_engine.answers.codes import ACTIVE
from halo_engine.answers.explain.explain import Explanation, SeenFilter
from halo_engine.domain.errors import Refusal
from halo_engine.domain.phrases import properties_in_short
from halo_engine.domain.rules_panel.filter_sentences import sentence_of
from halo_engine.domain.rules_panel.reason_labels import why_not_sent

from ...page import Page, PageAnswer, View, Visit
from .ledger import name_of
from .series import OneSeries, read_series

#: Suggested where what was typed names nobody.
_MOST: Final = 20


def _ask(visit: Visit) -> PageAnswer:
    return _page(read_series(visit), "")


def _answer(visit: Visit) -> PageAnswer:
    """Explain the contact that was named, or show whose ID or email begins so."""
    one, asked = read_series(visit), visit.form.get("contact").strip()
    if not asked:
        return _page(one, asked, problem="Type an external ID or an email.")
    try:
        found = visit.call("series.explain", series=one.key, contact=asked)
    except Refusal as refusal:
        if refusal.code != "unknown_contact":
            return _page(one, asked, problem=refusal.message)
        similar = visit.call("contacts.list", search=asked, size=_MOST).contacts
        said = "" if similar else "No contact's external ID or email begins so."
        return _page(one, asked, problem=said, similar=similar)
    return _page(one, asked, found=found)


def _page(one: OneSeries, asked: str, **values: Any) -> View:
    found: Explanation | None = values.get("found")
    shown = {
        **one.values("/why"),
        "asked_for": asked,
        "problem": "",
        "similar": (),
        "found": None,
        "is_in_it": found is not None and found.code == ACTIVE,
        "title": "" if found is None else name_of(found.code),
        "filters": () if found is None else tuple(map(_seen, found.filters)),
        "name_of": name_of,
        "why_not_sent": why_not_sent,
        "properties_in_short": properties_in_short,
    }
    status = HTTPStatus.OK if not values.get("problem") else HTTPStatus.BAD_REQUEST
    return View("progress/why.html", {**shown, **values}, status)


def _seen(each: SeenFilter) -> tuple[str, object, bool]:
    """Return a filter in words, the value that it saw, and whether there was none."""
    return sentence_of(each.filter), each.seen, each.missing


PAGES: Final = (
    Page("GET", "/series/{series}/why", _ask),
    Page("POST", "/series/{series}/why", _answer),
)
