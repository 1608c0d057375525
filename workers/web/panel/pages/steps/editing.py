"""The steps of a series: the list, the form of one step, and saving (contract §17)."""

from collections.abc import Container, Mapping
from http import HTTPStatus
from typing import Any, Final

from halo_engine.answers.plans.plan import Plan
from halo_engine.domain.errors import Refusal, not_found
from halo_engine.domain.fields.catalogue import Entity, resolve
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.roles import Role
from halo_engine.domain.rules_panel.filter_builders import (
    Builders,
    added_input,
    after_button,
    lack_types,
    pairs_of,
    with_types,
    without_blanks,
)
from halo_engine.domain.rules_panel.filter_builders import inputs_of as filter_inputs
from halo_engine.domain.series.conditions import CONDITIONS
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.writing import as_written

from ...forms import NO_FAULTS, Faults
from ...organizations import ORGANIZATION
from ...page import Page, PageAnswer, SeeOther, View, Visit, segment_of
from ..progress.properties import known_types, properties_kept
from ..progress.series import OneSeries, read_series
from ..progress.steps import step_lines
from ..rules.builder_words import BUILDER_WORDS
from ..rules.editing import PLAN
from ..rules.fates import AFTER, FATE, contacts_of_fate, fates_of, parts_of
from .change import (
    CONDITION_INPUTS,
    EMAIL_INPUTS,
    FILTERS,
    Change,
    changed,
    filters_of,
    inputs_of,
)

_CONDITIONS: Final = tuple(
    (rule.key.value, f"{rule.words[0].upper()}{rule.words[1:]}") for rule in CONDITIONS
)
#: Suggested as merge fields; a longer list is of no help.
_MOST: Final = 100
_SAID_IN_MAIL: Final = (Entity.CONTACT, Entity.COMPANY, Entity.STRIPE)
#: The buttons that change the form and save nothing.
_OF_BUILDER: Final = ("add-", "remove:", "settle")
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


def _kind_of(given: Container[str]) -> str:
    """Return what kind of step a form writes."""
    return "condition" if "type" in given else "email"


def _listed(visit: Visit, one: OneSeries, *, said: str = "", problem: str = "") -> View:
    values = {
        **_values(visit, one),
        "lines": tuple(step_lines(one.definition)),
        "said": said,
        "saved_as": visit.kept_as(one.key, visit.query.get("step")),
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
    return _form(visit, one, key, inputs_of(found))


def _add(visit: Visit) -> PageAnswer:
    """Show an empty form."""
    kind = visit.query.get("kind", "email")
    return _form(visit, read_series(visit), "", _NEW.get(kind, _NEW["email"]))


def _form(
    visit: Visit,
    one: OneSeries,
    step: str,
    given: Mapping[str, str],
    faults: Faults = NO_FAULTS,
    *,
    added: str = "",
) -> View:
    """Show a step with what is ``given``; ``added`` is the input to go on at."""
    filters = filters_of(given.items())
    kept = [each.field for each in properties_kept(visit, one.definition)]
    fields = [each.field for each in visit.call("fields.names")]
    values = {
        **_values(visit, one),
        "step": step,
        "given": given,
        "version": visit.form.get("version") or str(one.shown.version),
        "faults": faults,
        "labels": _labels(given, filters),
        **BUILDER_WORDS,
        "filters": filters[FILTERS],
        "formaction": f"{one.path}/steps",
        "added": added,
        "is_fresh": not visit.form.pairs,
        "kept_as": visit.kept_as(one.key, step or _kind_of(given)),
        "conditions": _CONDITIONS,
        "merge_fields": tuple(kept + [each for each in fields if _is_merged(each)])[:_MOST],
    }
    status = HTTPStatus.BAD_REQUEST if faults else HTTPStatus.OK
    return View("steps/form.html", values, status)


def _labels(given: Mapping[str, str], filters: Builders) -> Mapping[str, str]:
    """Return what each input is called, for the list of what is wrong."""
    if "type" not in given:
        return EMAIL_INPUTS
    label = CONDITION_INPUTS[FILTERS]
    return {**CONDITION_INPUTS, **dict.fromkeys(filter_inputs(filters), label)}


def _is_merged(field: str) -> bool:
    """Whether a mail says its value, of users too."""
    target = resolve(field)
    return not target.leads_only and target.entity in _SAID_IN_MAIL


def _press(visit: Visit) -> PageAnswer:
    """Do what a button says: change the form, or save."""
    one = read_series(visit)
    is_of_form = visit.form.get("do").startswith(_OF_BUILDER)
    return _change_form(visit, one) if is_of_form else _save(visit, one)


def _save(visit: Visit, one: OneSeries) -> PageAnswer:
    """Save what a button changes; of a series that people are in, show first what it does."""
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
    saved = segment_of(visit.form.get("step") or _kind_of(visit.form))
    return SeeOther(f"{one.path}/steps?done=saved&step={saved}")


def _change_form(visit: Visit, one: OneSeries) -> View:
    """Show the step as it is typed, after a button of its filters; nothing is saved."""
    before = filters_of(visit.form)
    if lack_types(before):
        before = with_types(before, known_types(visit, [visit.form.get("value")]))
    after = after_button(before, visit.form.get("do"))
    given = {**_typed(visit), **dict(pairs_of(after))}
    return _form(visit, one, visit.form.get("step"), given, added=added_input(before, after))


def _typed(visit: Visit) -> dict[str, str]:
    """Return what is typed in the inputs of a step, its filters aside."""
    names = CONDITION_INPUTS if "type" in visit.form else EMAIL_INPUTS
    step = visit.form.get("step")
    typed = {name: visit.form.get(name) for name in names}
    return {**typed, "key": step} if step else typed


def _version(visit: Visit) -> int:
    given = visit.form.get("version")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


def _refused(visit: Visit, one: OneSeries, faults: Faults) -> View:
    """Show what is wrong where it was typed: nothing is lost."""
    if visit.form.get("do") != "save":
        return _listed(visit, one, problem=" ".join((*faults.of_inputs.values(), *faults.others)))
    given = {**_typed(visit), **dict(pairs_of(without_blanks(filters_of(visit.form))))}
    return _form(visit, one, visit.form.get("step"), given, faults)


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
