"""The page of a series: its rules panel, what a save changes, and saving it (contract §17)."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from halo_engine.domain.errors import Refusal

from ...forms import Faults
from ...page import Page, PageAnswer, SeeOther, View, Visit, segment_of
from .cards import Cards, cards_of
from .editing import BUTTON, PLAN, Editing, saved, sent
from .fates import FATE, contacts_of_fate
from .matches import matches_of
from .review import review_of
from .showing import values_of

#: What a save is refused with that is based on what is not so any more.
_OVERTAKEN: Final = ("changed_meanwhile", "plan_outdated")
#: What a page says once after it was led to.
_DONE: Final = {
    "saved": "Saved.",
    "activated": "Activated. Workers enroll who matches.",
    "paused": "Paused. Nobody enters, and nothing is sent.",
    "resumed": "Resumed.",
    "released": "Released. Whoever the rules let in has entered.",
    "releasing": "The release is under way. Whoever is held enters little by little.",
    "discarded": "Discarded. Nobody is held any more.",
    "stopped": "Stopped for good. Everybody in it leaves.",
}


def show(visit: Visit) -> PageAnswer:
    """Show a series; with ``counted`` in the query its cards too, else they follow."""
    editing = saved(visit)
    cards = cards_of(visit, editing) if "counted" in visit.query else None
    return _page(visit, editing, cards, is_fresh=True, said=_DONE.get(visit.query.get("done"), ""))


def press(visit: Visit) -> PageAnswer:
    """Do what a button of the form says; most change what is on the screen alone."""
    editing = sent(visit)
    if FATE in visit.form:
        return _fate(visit, editing)
    act = _ACTS.get(visit.form.get(BUTTON), _edit)
    return act(visit, editing)


def _fate(visit: Visit, editing: Editing) -> PageAnswer:
    """Show the contacts of a fate; what is on the screen goes with the page."""
    if editing.definition is None:
        return _wrong(visit, editing)
    path = f"/series/{segment_of(editing.key)}"
    values = {"editing": editing, "pairs": None, "action": path, "wide": False}
    return contacts_of_fate(visit, editing.key, editing.written(), values)


def _edit(visit: Visit, editing: Editing) -> PageAnswer:
    return _page(visit, editing, None)


def _count(visit: Visit, editing: Editing) -> PageAnswer:
    """Show the page with its counts; to a script, which asks at each change, the counts alone."""
    cards = cards_of(visit, editing)
    if _PART in visit.request.headers:
        return View("rules/counted.html", {**values_of(visit, editing), "cards": cards})
    return _page(visit, editing, cards)


def _review(visit: Visit, editing: Editing) -> PageAnswer:
    """Show what a save would change, or what is wrong."""
    return _reviewed(visit, editing, "save")


def _review_activation(visit: Visit, editing: Editing) -> PageAnswer:
    """Show what an activation would do, and what it saves before."""
    return _reviewed(visit, editing, "activate")


def _reviewed(visit: Visit, editing: Editing, then: str) -> PageAnswer:
    if editing.definition is None:
        return _wrong(visit, editing)
    return review_of(visit, editing, then)


def _save(visit: Visit, editing: Editing) -> PageAnswer:
    return _saved(visit, editing) or _led(editing, "saved")


def _activate(visit: Visit, editing: Editing) -> PageAnswer:
    """Save what is on the screen if it differs, then activate."""
    if editing.is_unsaved and (problem := _saved(visit, editing)) is not None:
        return problem
    try:
        visit.call("series.activate", series=editing.key)
    except Refusal as refusal:
        return _refused(visit, saved(visit), refusal)
    return _led(editing, "activated")


def _saved(visit: Visit, editing: Editing) -> PageAnswer | None:
    """Save what is on the screen; return the page that says why not, if it is refused."""
    if editing.definition is None:
        return _wrong(visit, editing)
    if editing.is_overtaken:
        return _review(visit, editing)
    try:
        visit.call(
            "series.save",
            series=editing.key,
            definition=editing.written(),
            **_basis(visit, editing),
        )
    except Refusal as refusal:
        if refusal.code in _OVERTAKEN:
            return _review(visit, sent(visit))
        return _refused(visit, editing, refusal)
    return None


def _basis(visit: Visit, editing: Editing) -> Mapping[str, Any]:
    """Return what a save is based on: the plan that was shown, or the version."""
    plan = visit.form.get(PLAN)
    return {"plan": plan} if plan else {"version": editing.version}


def _wrong(visit: Visit, editing: Editing) -> PageAnswer:
    return _page(visit, editing.checked(), None, status=HTTPStatus.BAD_REQUEST)


def _refused(visit: Visit, editing: Editing, refusal: Refusal) -> PageAnswer:
    faults = Faults(others=tuple(refusal.message.splitlines()))
    values = {**values_of(visit, editing), "faults": faults, "cards": cards_of(visit, editing)}
    return View("rules/series.html", values, refusal.status)


def _led(editing: Editing, done: str) -> SeeOther:
    return SeeOther(f"/series/{segment_of(editing.key)}?done={done}")


def _page(
    visit: Visit,
    editing: Editing,
    cards: Cards | None,
    *,
    said: str = "",
    is_fresh: bool = False,
    status: int = HTTPStatus.OK,
) -> View:
    own = {"cards": cards, "said": said, "is_fresh": is_fresh}
    values = {**values_of(visit, editing), **own}
    return View("rules/series.html", values, status)


#: The header by which a script asks for parts of a page.
_PART: Final = b"x-part"
_ACTS: Final[Mapping[str, Callable[[Visit, Editing], PageAnswer]]] = {
    "count": _count,
    "review": _review,
    "review-activation": _review_activation,
    "save": _save,
    "activate": _activate,
    "view": matches_of,
}


def _converted(visit: Visit) -> PageAnswer:
    """Show how many converted so far: a part of the page, which follows it."""
    found = visit.call("series.funnel", series=visit.path("series"))
    values = {"converted": found.converted, "enrolled": found.enrolled}
    return View("rules/converted.html", values)


PAGES: Final = (
    Page("GET", "/series/{series}/converted", _converted),
    Page("GET", "/series/{series}", show),
    Page("POST", "/series/{series}", press),
)
