"""The steps of a series: the list, the form of one step, and saving (contract §17)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from halo_engine.answers.plans.plan import Plan
from halo_engine.domain.errors import Refusal, not_found
from halo_engine.domain.fields.catalogue import Entity, resolve
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.roles import Role
from halo_engine.domain.series.conditions import CONDITIONS
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.writing import as_written

from ...forms import NO_FAULTS, Faults
from ...organizations import ORGANIZATION
from ...page import Page, PageAnswer, SeeOther, View, Visit
from ..progress.properties import properties_kept
from ..progress.series import OneSeries, read_series
from ..progress.steps import step_lines
from ..rules.editing import PLAN
from ..rules.fates import AFTER, FATE, contacts_of_fate, fates_of, parts_of
from .change import CONDITION_INPUTS, EMAIL_INPUTS, Change, changed, inputs_of

_CONDITIONS: Final = tuple(
    (rule.key.value, f"{rule.words[0].upper()}{rule.words[1:]}") for rule in CONDITIONS
)
#: Suggested as merge fields; a longer list is of no help.
_MOST: Final = 100
_SAID_IN_MAIL: Final = (Entity.CONTACT, Entity.COMPANY, Entity.STRIPE)
#: What is a page's own: each form has it anew.
_NOT_CARRIED: Final = (PLAN, FATE, AFTER, ORGANIZATION)
_DONE: Final = {"saved": "Saved."}
_NEW: Final[Mapping[str, dict[str, str]]] = {
    "email": dict.fromkeys(EMAIL_INPUTS, ""),
    "condition": dict.fromkeys(CONDITION_INPUTS, ""),
}


def _list(visit: Visit) -> PageAnswer:
    said = _DONE.get(visit.query.get("done"), "")
    return _listed(visit, read_series(visit), said=said)


def _listed(visit: Visit, one: OneSeries, *, said: str = "", problem: str = "") -> View:
    values = {
        **_values(visit, one),
        "lines": tuple(step_lines(one.definition)),
        "said": said,
        "problem": problem,
    }
    return View("steps/list.html", values, HTTPStatus.CONFLICT if problem else HTTPStatus.OK)


def _edit(visit: Visit) -> PageAnswer:
    """Show the form of a step."""
    one, key = read_series(visit), visit.path("step")
    steps = as_written(one.definition).get("steps", ())
    found = next((step for step in steps if step["key"] == key), None)
    if found is None:
        raise not_found("step", key)
    return _form(visit, one, key, inputs_of(found), NO_FAULTS)


def _add(visit: Visit) -> PageAnswer:
    """Show an empty form."""
    kind = visit.query.get("kind", "email")
    return _form(visit, read_series(visit), "", _NEW.get(kind, _NEW["email"]), NO_FAULTS)


def _form(
    visit: Visit, one: OneSeries, step: str, given: Mapping[str, str], faults: Faults
) -> View:
    kept = [each.field for each in properties_kept(visit, one.definition)]
    fields = [each.field for each in visit.call("fields.names")]
    values = {
        **_values(visit, one),
        "step": step,
        "given": given,
        "version": visit.form.get("version") or str(one.shown.version),
        "faults": faults,
        "labels": CONDITION_INPUTS if "type" in given else EMAIL_INPUTS,
        "conditions": _CONDITIONS,
        "merge_fields": tuple(kept + [each for each in fields if _is_merged(each)])[:_MOST],
    }
    status = HTTPStatus.BAD_REQUEST if faults else HTTPStatus.OK
    return View("steps/form.html", values, status)


def _is_merged(field: str) -> bool:
    """Whether a mail says its value, of users too."""
    target = resolve(field)
    return not target.leads_only and target.entity in _SAID_IN_MAIL


def _press(visit: Visit) -> PageAnswer:
    """Save what a button changes; of a series that people are in, show first what it does."""
    one = read_series(visit)
    change = changed(visit.form, one.definition)
    if change.definition is None:
        return _refused(visit, one, change.faults)
    if FATE in visit.form:
        return _fate(visit, one, change.definition)
    is_draft = one.shown.status is SeriesStatus.DRAFT
    if not is_draft and "plan" not in visit.form:
        return _reviewed(visit, one, change)
    based = {"plan": visit.form.get("plan")} if not is_draft else {"version": _version(visit)}
    written = as_written(change.definition)
    try:
        visit.call("series.save", series=one.key, definition=written, **based)
    except Refusal as refusal:
        if refusal.code == "plan_outdated":
            return _reviewed(visit, one, change, problem=refusal.message)
        return _refused(visit, one, Faults(others=tuple(refusal.message.splitlines())))
    return SeeOther(f"{one.path}/steps?done=saved")


def _version(visit: Visit) -> int:
    given = visit.form.get("version")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


def _refused(visit: Visit, one: OneSeries, faults: Faults) -> View:
    """Show what is wrong where it was typed: nothing is lost."""
    if visit.form.get("do") != "save":
        return _listed(visit, one, problem=" ".join((*faults.of_inputs.values(), *faults.others)))
    names = CONDITION_INPUTS if "type" in visit.form else EMAIL_INPUTS
    given = {name: visit.form.get(name) for name in names}
    step = visit.form.get("step")
    return _form(visit, one, step, {**given, **({"key": step} if step else {})}, faults)


def _reviewed(visit: Visit, one: OneSeries, change: Change, problem: str = "") -> View:
    assert change.definition is not None
    plan: Plan = visit.call("series.plan", series=one.key, definition=as_written(change.definition))
    values = {
        **_values(visit, one),
        "plan": plan,
        "fates": parts_of(plan),
        "views": fates_of(plan),
        "pairs": _pairs(visit),
        "action": f"{one.path}/steps",
        "problem": problem,
        "lines": tuple(step_lines(change.definition)),
    }
    return View("steps/review.html", values, HTTPStatus.CONFLICT if problem else HTTPStatus.OK)


def _fate(visit: Visit, one: OneSeries, definition: SeriesDefinition) -> View:
    """Show the contacts of a fate; the change goes with the page."""
    values = {"pairs": _pairs(visit), "action": f"{one.path}/steps", "wide": False}
    return contacts_of_fate(visit, one.key, as_written(definition), values)


def _pairs(visit: Visit) -> tuple[tuple[str, str], ...]:
    """Return what goes with a page that shows what a change does."""
    return tuple(pair for pair in visit.form if pair[0] not in _NOT_CARRIED)


def _values(visit: Visit, one: OneSeries) -> dict[str, Any]:
    is_open = one.shown.status is not SeriesStatus.COMPLETED
    may_edit = is_open and visit.may("series.save")
    return {**one.values("/steps"), "may_edit": may_edit, "version": one.shown.version}


PAGES: Final = (
    Page("GET", "/series/{series}/steps", _list),
    Page("POST", "/series/{series}/steps", _press, Role.EDITOR),
    Page("GET", "/series/{series}/steps/{step}", _edit, Role.EDITOR),
    Page("GET", "/series/{series}/new-step", _add, Role.EDITOR),
)
