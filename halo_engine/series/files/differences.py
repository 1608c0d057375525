"""What saving a definition would change, field by field (``halo series apply``)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import JsonValue

from halo_engine.domain.answer import Answer
from halo_engine.domain.series.definition import SeriesDefinition, StepDefinition
from halo_engine.series.writing import as_written, tidied

#: Shown for a step that inherits the series' window.
INHERITED: Final = "inherited"

#: Objects whose keys are fields of their own; a filter and a window are one field each.
_OPENED: Final = ("settings", "email", "condition")


class Change(Answer):
    """One field before and after; None where it was, or will be, absent.

    ``field`` is its path: ``settings.exit_rules``, ``steps.hello.email.subject``; ``steps`` alone
    is the order of the steps.
    """

    field: str
    before: JsonValue
    after: JsonValue


def differences(before: SeriesDefinition | None, after: SeriesDefinition) -> tuple[Change, ...]:
    """Return the fields in which ``after`` differs; without a ``before``, those that it sets."""
    if before is None:
        written = {name: value for name, value in as_written(after).items() if name != "steps"}
        steps = ((f"steps.{key}", step) for key, step in _written_steps(after).items())
        return tuple(
            Change(field=name, before=None, after=value)
            for name, value in (*_fields(written), *steps)
        )
    return (*_unlike("", _body(before), _body(after)), *_unlike_steps(before, after))


def _unlike_steps(before: SeriesDefinition, after: SeriesDefinition) -> Iterator[Change]:
    old = {step.key: _step(step) for step in before.steps}
    new = {step.key: _step(step) for step in after.steps}
    if list(old) != list(new):
        yield Change(field="steps", before=list(old), after=list(new))
    for key in {**old, **new}:
        if key in old and key in new:
            yield from _unlike(f"steps.{key}.", old[key], new[key])
        else:
            gone, come = _written_steps(before).get(key), _written_steps(after).get(key)
            yield Change(field=f"steps.{key}", before=gone, after=come)


def _written_steps(definition: SeriesDefinition) -> dict[str, dict[str, Any]]:
    """Return the steps by key, without what is left at its default."""
    return {step.pop("key"): step for step in as_written(definition).get("steps", [])}


def _unlike(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = dict(_fields(old)), dict(_fields(new))
    for name in {**before, **after}:
        change = Change(field=where + name, before=before.get(name), after=after.get(name))
        # As text: in Python true equals 1, in a filter it does not.
        if json.dumps(change.before) != json.dumps(change.after):
            yield change


def _body(definition: SeriesDefinition) -> dict[str, Any]:
    written: dict[str, Any] = definition.model_dump(mode="json", by_alias=True, exclude={"steps"})
    return tidied(written)


def _step(step: StepDefinition) -> dict[str, Any]:
    written = step.model_dump(mode="json", by_alias=True, exclude={"key"})
    return written if step.has_own_window else {**written, "send_window": INHERITED}


def _fields(data: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, JsonValue]]:
    for name, value in data.items():
        if name not in _OPENED:
            yield path + name, value
        elif value is not None:
            yield from _fields(value, f"{path}{name}.")
