"""A new series: its name and its trigger, then its page (contract §17)."""

from http import HTTPStatus
from typing import Final

from halo_engine.domain.errors import Refusal, bad_input
from halo_engine.domain.roles import Role
from halo_engine.domain.rules_panel.keys import key_from
from halo_engine.domain.series.definition import check_key

from ...forms import NO_FAULTS, Faults
from ...page import Page, PageAnswer, SeeOther, View, Visit, segment_of
from .showing import OPTIONS

_INPUTS: Final = {"name": "Name", "key": "Key", "entry_trigger": "Trigger"}
#: A series that is based on no version must be new.
_NEW: Final = 0


def _ask(visit: Visit) -> PageAnswer:
    return _form(visit, NO_FAULTS)


def _create(visit: Visit) -> PageAnswer:
    """Save a draft without steps, unless the key is taken; lead to its page."""
    given = visit.form.given(_INPUTS)
    key = given.pop("key", "") or key_from(given.get("name", ""))
    try:
        if not key:
            raise bad_input("name", "is empty; write a name, or a key")
        visit.call("series.save", series=check_key(key), definition=given, version=_NEW)
    except Refusal as refusal:
        faults = Faults.of(_at_its_input(refusal, key), _INPUTS)
        return _form(visit, faults, HTTPStatus.BAD_REQUEST, key=key)
    return SeeOther(f"/series/{segment_of(key)}")


def _at_its_input(refusal: Refusal, key: str) -> Refusal:
    if refusal.code == "changed_meanwhile":
        return bad_input("key", "there is a series of this key already; allowed is another")
    message = refusal.message.removeprefix(f"series.{key}.")
    return Refusal(refusal.status, refusal.code, message)


def _form(visit: Visit, faults: Faults, status: int = HTTPStatus.OK, key: str = "") -> View:
    values = {
        "faults": faults,
        "labels": _INPUTS,
        "given": {name: visit.form.get(name) for name in _INPUTS} | ({"key": key} if key else {}),
        "triggers": OPTIONS["entry_trigger"],
    }
    return View("rules/new.html", values, status)


PAGES: Final = (
    Page("GET", "/new-series", _ask, Role.EDITOR),
    Page("POST", "/new-series", _create, Role.EDITOR),
)
