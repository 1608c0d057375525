"""What a button of the steps changes in a definition (contract §17)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from halo_engine.domain.errors import Fault, Refusal, named_path, not_found
from halo_engine.domain.rules_panel.filter_builders import (
    Builders,
    at_input,
    pairs_of,
    posted_builders,
    rows_of,
    unwritten,
    without_blanks,
    written_groups,
)
from halo_engine.domain.rules_panel.keys import key_from
from halo_engine.domain.series.conditions import Condition
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.times.windows import SendWindow
from halo_engine.domain.times.written_limits import read_window, write_window
from halo_engine.series.save import read_definition
from halo_engine.series.writing import as_written

from ...forms import Faults, Form

#: The inputs of an email and of a condition, by what they are called.
EMAIL_INPUTS: Final = {
    "delay": "Delay",
    "subject": "Subject",
    "preview": "Preview line",
    "body": "Text",
    "html": "HTML",
    "send_window": "Send window",
    "send_by": "Send by",
    "ignore_caps": "Let frequency caps pass",
    "key": "Key",
}
CONDITION_INPUTS: Final = {
    "delay": "Delay",
    "type": "Condition",
    "value": "Value",
    "filters": "Filters on the event",
    "early": "As soon as the event fires",
    "key": "Key",
}
#: Where a condition has filters.
FILTERS: Final = "filters"
#: In place of a send window: at any time, whatever the series says.
ALWAYS: Final = "always"
_TEXTS: Final = ("subject", "preview", "body", "html")
_MOVES: Final = {"up": -1, "down": 1}
#: The buttons that need a step which is there.
_OF_A_STEP: Final = frozenset({"remove", *_MOVES})


@dataclass(frozen=True, slots=True)
class Change:
    """A definition with the change in it, or what is wrong with it."""

    definition: SeriesDefinition | None
    faults: Faults


def changed(form: Form, before: SeriesDefinition) -> Change:
    """Return the definition after the button of ``form``; raises 404 if its step is gone."""
    written = as_written(before)
    steps = list(written.get("steps", ()))
    key, button = form.get("step"), form.get("do")
    keys = [step.key for step in before.steps]
    problems: Mapping[str, str] = {}
    if key not in keys and (key or button in _OF_A_STEP):
        raise not_found("step", key)
    index = keys.index(key) if key else len(steps)
    if button == "remove":
        del steps[index]
    elif button in _MOVES:
        to = min(max(index + _MOVES[button], 0), len(steps) - 1)
        steps.insert(to, steps.pop(index))
    else:
        old = steps[index] if key else {"key": _new_key(form, keys)}
        step, problems = _step(form, old)
        steps[index : index + 1] = [step]
    definition, faults = read_definition("", {**written, "steps": steps})
    found = _sorted(faults, index)
    if problems:
        return Change(None, replace(found, of_inputs={**found.of_inputs, **problems}))
    return Change(definition, found)


def _new_key(form: Form, taken: Collection[str]) -> str:
    """Return the key of a new step: the one that was typed, else one made from what it says."""
    said = (form.get(name) for name in ("subject", "value", "type"))
    made = (key_from(each, taken) for each in said)
    return form.get("key").strip() or next(filter(None, made), "")


def _step(form: Form, old: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Return a step as the form has it, and what cannot be read, by its input; what has no input
    stays.
    """
    step = {**old, "delay": form.get("delay").strip() or "0"}
    if "type" in form:
        filters = without_blanks(filters_of(form))
        condition: dict[str, Any] = {
            "type": form.get("type"),
            "value": form.get("value").strip(),
            "filters": written_groups(filters[FILTERS]),
            "early": "early" in form,
        }
        unread = {named_path("", fault.path): fault.problem for fault in unwritten(filters)}
        if FILTERS in form:
            # A page that was opened before there was a builder sends lines of text.
            unread[FILTERS] = "come from an earlier version of this page; write them anew here"
        said = {name: value for name, value in condition.items() if value}
        return {**step, "condition": said}, unread
    given = {name: form.get(name) for name in _TEXTS if form.get(name).strip()}
    kept = {name: value for name, value in old.get("email", {}).items() if name not in _TEXTS}
    step["email"] = {**kept, **given}
    if "send_window" not in form:
        # The form is from before it had these.
        return step, {}
    own = {"send_by": form.get("send_by").strip(), "ignore_caps": "ignore_caps" in form}
    step = {name: said for name, said in {**step, **own}.items() if said or name not in own}
    return _with_window(step, form.get("send_window").strip())


def _with_window(step: dict[str, Any], line: str) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Return the step with the window that a line says: nothing is the series' own."""
    step.pop("send_window", None)
    if not line:
        return step, {}
    try:
        window = None if line.lower() == ALWAYS else read_window(line)
    except Refusal as refusal:
        return step, {"send_window": refusal.message.partition(": ")[2]}
    return {**step, "send_window": window}, {}


def _sorted(faults: tuple[Fault, ...], index: int) -> Faults:
    """Return the faults at the inputs that they are about, and the others."""
    inputs = {*EMAIL_INPUTS, *CONDITION_INPUTS}
    of_inputs: dict[str, str] = {}
    others = []
    for fault in faults:
        path = tuple(fault.path)
        at = next((place for place, part in enumerate(path) if part in inputs), 0)
        if path[:2] != ("steps", index) or not at:
            others.append(f"{'.'.join(map(str, path))}: {fault.problem}")
            continue
        name = named_path("", path[at:]) if path[at] == FILTERS else str(path[at])
        of_inputs.setdefault(*at_input(name, fault, (FILTERS,)))
    return Faults(of_inputs, tuple(others))


def filters_of(form: Iterable[tuple[str, str]]) -> Builders:
    """Return the builder of a condition's filters, as a form has it."""
    return posted_builders(form, (FILTERS,))


def inputs_of(step: Mapping[str, Any]) -> dict[str, str]:
    """Return what the inputs of a written step's form hold."""
    held = {"key": step["key"], "delay": str(step.get("delay", "0"))}
    if "condition" in step:
        condition = Condition.model_validate(step["condition"])
        return held | {
            "type": condition.type.value,
            "value": condition.value or "",
            "early": "on" if condition.early else "",
            **dict(pairs_of({FILTERS: rows_of(condition.filters)})),
        }
    return held | {
        **{name: step["email"].get(name, "") for name in _TEXTS},
        "send_window": _window_of(step),
        "send_by": str(step.get("send_by", "")),
        "ignore_caps": "on" if step.get("ignore_caps") else "",
    }


def _window_of(step: Mapping[str, Any]) -> str:
    if "send_window" not in step:
        return ""
    window = step["send_window"]
    return ALWAYS if window is None else write_window(SendWindow.model_validate(window))
