"""Pause, resume and stop a series, release whom its surge holds: first what will happen, then it
happens (contract §17, §19).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from halo_engine.domain.errors import Refusal

from ...page import Page, PageAnswer, SeeOther, View, Visit, segment_of


@dataclass(frozen=True, slots=True)
class Act:
    """One act on a series: its door, its button, what will happen, what the page says after it.

    ``asks_key``: the key of the series has to be typed first. ``asks_pace``: it may be done little
    by little. ``given`` are further fields of the call.
    """

    door: str
    button: str
    happens: tuple[str, ...]
    done: str
    asks_key: bool = False
    asks_pace: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)


#: By the last part of the path.
ACTS: Final = {
    "pause": Act(
        "series.pause",
        "Pause the series",
        (
            "Nobody enters, and nothing is sent.",
            "Exits and goals go on. Whoever is in it waits where they are until it resumes.",
        ),
        "paused",
    ),
    "resume": Act(
        "series.resume",
        "Resume the series",
        (
            "Contacts enter again, and mail that fell due in the pause is sent.",
            "Sign-ups and events of the pause enroll nobody; new matches of the filter do.",
        ),
        "resumed",
    ),
    "stop": Act(
        "series.stop",
        "Stop the series for good",
        (
            "Everybody in it leaves, and no mail of it is sent any more.",
            "It cannot be activated again.",
        ),
        "stopped",
        asks_key=True,
    ),
    "release": Act(
        "series.release",
        "Release whoever is held",
        (
            "Whoever is held is judged by the rules as of now, and enters in order of arrival.",
            "Whoever the rules refuse stays out.",
        ),
        "released",
        asks_pace=True,
    ),
    "discard": Act(
        "series.release",
        "Discard whoever is held",
        (
            "Those whom the surge holds do not enter.",
            "They may enter by their next sign-up, event or new match.",
        ),
        "discarded",
        given={"discard": True},
    ),
}


def _page_of(ending: str, act: Act) -> tuple[Page, Page]:
    """Make the two pages of an act: what will happen, and doing it."""

    def ask(visit: Visit) -> PageAnswer:
        return _asked(visit, act, ending)

    def do(visit: Visit) -> PageAnswer:
        key = visit.path("series")
        if act.asks_key and visit.form.get("key").strip() != key:
            problem = f"Type {key} to stop it."
            return _asked(visit, act, ending, wrong=problem, status=HTTPStatus.BAD_REQUEST)
        per = visit.form.get("per").strip() if act.asks_pace else ""
        try:
            visit.call(act.door, series=key, **act.given, **({"per": per} if per else {}))
        except Refusal as refusal:
            if per and refusal.status == 400:
                wrong = refusal.message.partition(": ")[2] or refusal.message
                return _asked(visit, act, ending, wrong=wrong, per=per, status=refusal.status)
            return _asked(visit, act, ending, problem=refusal.message, status=refusal.status)
        return SeeOther(f"/series/{segment_of(key)}?done={'releasing' if per else act.done}")

    path = f"/series/{{series}}/{ending}"
    return Page("GET", path, ask), Page("POST", path, do)


def _asked(
    visit: Visit,
    act: Act,
    ending: str,
    *,
    problem: str = "",
    wrong: str = "",
    per: str = "",
    status: int = HTTPStatus.OK,
) -> View:
    key = visit.path("series")
    shown = visit.call("series.show", series=key, checked=ending == "resume")
    values = {
        "act": act,
        "key": key,
        "name": shown.definition.get("name", key),
        "path": f"/series/{segment_of(key)}",
        "active": visit.call("series.funnel", series=key).active,
        "held": shown.held,
        "refusals": shown.refusals or (),
        "problem": problem,
        "wrong": wrong,
        "per": per,
        "may_act": visit.may(act.door),
    }
    return View("rules/act.html", values, status)


PAGES: Final = tuple(page for ending, act in ACTS.items() for page in _page_of(ending, act))
