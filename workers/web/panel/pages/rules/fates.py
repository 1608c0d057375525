"""What a save does to whom is in the series, in numbers and contact by contact (contract §18)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from halo_engine.answers.plans.counts import FatePart
from halo_engine.answers.plans.fate_names import FATE_OF, FateRule
from halo_engine.answers.plans.pages import PlannedContact
from halo_engine.answers.plans.plan import Plan
from halo_engine.domain.rules_panel.reason_labels import why_left

from ...page import View, Visit

#: The button that shows the contacts of a fate, and where its next page begins.
FATE: Final = "fate"
AFTER: Final = "after"
_PAGE: Final = 50
_LONGEST_NUMBER: Final = 18


@dataclass(frozen=True, slots=True)
class FateLine:
    """Contacts in the series whom a save does the same to: what, at which step, how many."""

    text: str
    step: str
    contacts: int


@dataclass(frozen=True, slots=True)
class FateView:
    """A fate whose contacts can be looked at, and how many they are."""

    fate: str
    who: str
    contacts: int


def parts_of(plan: Plan | None) -> tuple[FateLine, ...]:
    """Return what a plan says of whom is in the series; nothing of a draft, which has no plan."""
    if plan is None:
        return ()
    return tuple(
        FateLine(_said(FATE_OF[fate.fate], part), part.step, part.contacts)
        for fate in plan.fates
        for part in fate.parts
    )


def fates_of(plan: Plan | None) -> tuple[FateView, ...]:
    """Return the fates of a plan, each a way to its contacts."""
    fates = () if plan is None else plan.fates
    return tuple(FateView(each.fate, _who(FATE_OF[each.fate]), each.contacts) for each in fates)


def contacts_of_fate(
    visit: Visit, series: str, definition: Mapping[str, Any], values: Mapping[str, Any]
) -> View:
    """Show a page of the contacts of the fate that the button names; nothing is saved.

    ``values`` are the page's own: where its form goes, and what goes with it.
    """
    fate, after = visit.form.get(FATE), visit.form.get(AFTER)
    is_number = after.isascii() and after.isdigit() and len(after) <= _LONGEST_NUMBER
    given = {"after": int(after)} if is_number else {}
    plan: Plan = visit.call(
        "series.plan", series=series, definition=definition, fate=fate, size=_PAGE, **given
    )
    page = plan.page
    assert page is not None
    rule = FATE_OF[page.fate]
    shown = {
        "title": f"Those who {_who(rule)} once this is saved",
        "contacts": tuple((each, _said(rule, each)) for each in page.items),
        "fate": page.fate,
        "next": page.next,
    }
    return View("rules/fate.html", {**values, **shown})


def _said(rule: FateRule, part: FatePart | PlannedContact) -> str:
    if part.exit_reason is not None:
        return f"{rule.short}: {why_left(part.exit_reason)}"
    return f"{rule.short} to {part.to}" if part.to is not None else rule.short


def _who(rule: FateRule) -> str:
    """Return the fate without what differs from contact to contact."""
    return rule.short.partition(":")[0].partition(",")[0]
