"""What a save or an activation would do, before it does it (contract §17, §18)."""

from dataclasses import dataclass
from http import HTTPStatus

from halo_engine.answers.plans.fate_names import FATE_OF
from halo_engine.answers.plans.plan import FatePart, Plan
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.exits import EXIT_RULE_OF
from halo_engine.series.files.history import SeriesHistory, SeriesVersion

from ...page import View, Visit
from .cards import cards_of
from .editing import Editing
from .showing import values_of


@dataclass(frozen=True, slots=True)
class FateLine:
    """Contacts in the series whom a save does the same to: what, at which step, how many."""

    text: str
    step: str
    contacts: int


def review_of(visit: Visit, editing: Editing, then: str) -> View:
    """Return the page that shows what ``then`` would do: ``save``, or ``activate``.

    Where somebody saved meanwhile, it shows both versions.
    """
    plan = _plan(visit, editing)
    values = {
        **values_of(visit, editing),
        "then": then,
        "cards": cards_of(visit, editing),
        "other": _other_save(visit, editing) if editing.is_overtaken else None,
        "plan": plan,
        "fates": fates_of(plan),
    }
    status = HTTPStatus.CONFLICT if editing.is_overtaken else HTTPStatus.OK
    return View("rules/review.html", values, status)


def _plan(visit: Visit, editing: Editing) -> Plan | None:
    """Return what a save would do to contacts; nothing to anybody while it is a draft."""
    if editing.shown.status is SeriesStatus.DRAFT:
        return None
    plan: Plan = visit.call("series.plan", series=editing.key, definition=editing.written())
    return plan


def fates_of(plan: Plan | None) -> tuple[FateLine, ...]:
    """Return what a plan says of whom is in the series; nothing of a draft, which has no plan."""
    if plan is None:
        return ()
    return tuple(
        FateLine(_said(FATE_OF[fate.fate].short, part), part.step, part.contacts)
        for fate in plan.fates
        for part in fate.parts
    )


def _said(fate: str, part: FatePart) -> str:
    if part.exit_reason is not None:
        rule = EXIT_RULE_OF[part.exit_reason]
        return f"{fate}: {rule.label or rule.words}"
    return f"{fate} to {part.to}" if part.to is not None else fate


def _other_save(visit: Visit, editing: Editing) -> SeriesVersion:
    """Return the save that overtook this one."""
    history: SeriesHistory = visit.call("series.history", series=editing.key)
    return history.versions[0]
