"""What a button of the steps changes in a definition (contract §17)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from halo_engine.domain.errors import Fault, not_found
from halo_engine.domain.rules_panel.event_lines import lines_of, read_lines
from halo_engine.domain.series.conditions import Condition
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.save import read_definition
from halo_engine.series.writing import as_written

from ...forms import Faults, Form

#: The inputs of an email and of a condition, by what they are called.
EMAIL_INPUTS: Final = {
    "key": "Key",
    "delay": "Delay",
    "subject": "Subject",
    "preview": "Preview line",
    "body": "Text",
    "html": "HTML",
}
CONDITION_INPUTS: Final = {
    "key": "Key",
    "delay": "Delay",
    "type": "Condition",
    "value": "Value",
    "filters": "Filters on the event",
    "early": "As soon as the event fires",
}
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
    if key not in keys and (key or button in _OF_A_STEP):
        raise not_found("step", key)
    index = keys.index(key) if key else len(steps)
    if button == "remove":
        del steps[index]
    elif button in _MOVES:
        to = min(max(index + _MOVES[button], 0), len(steps) - 1)
        steps.insert(to, steps.pop(index))
    else:
        old = steps[index] if key else {"key": form.get("key").strip()}
        steps[index : index + 1] = [_step(form, old)]
    definition, faults = read_definition("", {**written, "steps": steps})
    return Change(definition, _sorted(faults, index))


def _step(form: Form, old: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step as the form has it; what has no input stays."""
    step = {**old, "delay": form.get("delay").strip() or "0"}
    if "type" in form:
        condition: dict[str, Any] = {
            "type": form.get("type"),
            "value": form.get("value").strip(),
            "filters": read_lines(form.get("filters")),
            "early": "early" in form,
        }
        return {**step, "condition": {name: said for name, said in condition.items() if said}}
    given = {name: form.get(name) for name in _TEXTS if form.get(name).strip()}
    kept = {name: value for name, value in old.get("email", {}).items() if name not in _TEXTS}
    return {**step, "email": {**kept, **given}}


def _sorted(faults: tuple[Fault, ...], index: int) -> Faults:
    """Return the faults at the inputs that they are about, and the others."""
    inputs = {*EMAIL_INPUTS, *CONDITION_INPUTS}
    of_inputs: dict[str, str] = {}
    others = []
    for fault in faults:
        path = tuple(fault.path)
        name = "filters" if "filters" in path else path[-1]
        if path[:2] == ("steps", index) and name in inputs:
            of_inputs.setdefault(str(name), fault.problem)
        else:
            others.append(f"{'.'.join(map(str, path))}: {fault.problem}")
    return Faults(of_inputs, tuple(others))


def inputs_of(step: Mapping[str, Any]) -> dict[str, str]:
    """Return what the inputs of a written step's form hold."""
    held = {"key": step["key"], "delay": str(step.get("delay", "0"))}
    if "condition" in step:
        condition = Condition.model_validate(step["condition"])
        return held | {
            "type": condition.type.value,
            "value": condition.value or "",
            "filters": lines_of(condition.filters),
            "early": "on" if condition.early else "",
        }
    return held | {name: step["email"].get(name, "") for name in _TEXTS}
