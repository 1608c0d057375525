"""What a save or an activation would do, before it does it (contract §17, §18)."""

from http import HTTPStatus

from halo_engine.answers.plans.plan import Plan
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.series.files.history import SeriesHistory, SeriesVersion

from ...page import View, Visit
from .cards import cards_of
from .editing import Editing
from .fates import fates_of, parts_of
from .showing import values_of


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
        "fates": parts_of(plan),
        "views": fates_of(plan),
    }
    status = HTTPStatus.CONFLICT if editing.is_overtaken else HTTPStatus.OK
    return View("rules/review.html", values, status)


def _plan(visit: Visit, editing: Editing) -> Plan | None:
    """Return what a save would do to contacts; nothing to anybody while it is a draft."""
    if editing.shown.status is SeriesStatus.DRAFT:
        return None
    plan: Plan = visit.call("series.plan", series=editing.key, definition=editing.written())
    return plan


def _other_save(visit: Visit, editing: Editing) -> SeriesVersion:
    """Return the save that overtook this one."""
    history: SeriesHistory = visit.call("series.history", series=editing.key)
    return history.versions[0]
