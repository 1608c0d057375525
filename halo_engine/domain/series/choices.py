"""Refuse filters on an enumerated column with a value it cannot have, and too many (§2, §3).

This is checked when a series is saved, not when it is loaded: so a series that is stored keeps
working when a list of values loses one, or a bound is drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel

from halo_engine.domain.errors import Fault, Path, Refusal, shown
from halo_engine.domain.fields.bounds import beyond_bounds
from halo_engine.domain.fields.catalogue import Entity, Field
from halo_engine.domain.fields.expressions import parse_expression
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.fields.operators import Operator
from halo_engine.domain.fields.traits import RENEWAL_STATUSES, TERMS
from halo_engine.domain.reasons import ContactType, Stage
from halo_engine.domain.series.conditions import Takes
from halo_engine.domain.series.definition import SeriesDefinition, StepDefinition
from halo_engine.domain.series.settings import EVENT_FILTER_SETTINGS, FILTER_SETTINGS

#: The values of the enumerated columns of contacts and companies.
CHOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "renewal_status": tuple(RENEWAL_STATUSES),
        "contract_term": tuple(TERMS),
        "payment_terms": tuple(TERMS),
        "contact_type": tuple(ContactType),
    }
)
_WHOLE_VALUES: Final = (Operator.IS, Operator.IS_NOT)


def choices_of(item: Filter) -> tuple[str, ...]:
    """Return the values that the field of ``item`` can have; empty if it is not enumerated."""
    return choices_for(item.target)


def choices_for(target: Field) -> tuple[str, ...]:
    """Return the values that a field can have; empty if it is not enumerated."""
    if target.entity is Entity.SERIES:
        return tuple(map(str, Stage))
    is_column = target.entity in (Entity.CONTACT, Entity.COMPANY) and not target.custom
    return CHOICES.get(target.attribute, ()) if is_column else ()


def unknown_choices(definition: SeriesDefinition) -> Iterator[Fault]:
    """Yield a fault for each filter and condition whose field cannot have the value."""
    settings = definition.settings
    yield from _in_groups(definition.audience_filters, ("audience_filters",))
    for name in FILTER_SETTINGS:
        yield from _in_groups(getattr(settings, name), ("settings", name))
    for index, step in enumerate(definition.steps):
        yield from _in_gate(step, ("steps", index, "condition", "value"))


def too_many_filters(definition: SeriesDefinition) -> Iterator[Fault]:
    """Yield a fault for each setting and gate that holds more filters than is allowed."""
    gates = [(n, step.condition) for n, step in enumerate(definition.steps) if step.condition]
    names = (*FILTER_SETTINGS, *EVENT_FILTER_SETTINGS)
    held: tuple[tuple[Path, Sequence[Sequence[BaseModel]]], ...] = (
        (("audience_filters",), definition.audience_filters),
        *((("settings", name), getattr(definition.settings, name)) for name in names),
        *((("steps", n, "condition", "filters"), gate.filters) for n, gate in gates),
    )
    for path, groups in held:
        if problem := beyond_bounds(groups):
            yield Fault(path, problem, "too_many_filters")


def _in_groups(groups: FilterGroups, above: Path) -> Iterator[Fault]:
    for g, group in enumerate(groups):
        for n, item in enumerate(group):
            if problem := _problem(item):
                yield Fault((*above, g, n, "value"), problem, "bad_filter_value")


def _in_gate(step: StepDefinition, path: Path) -> Iterator[Fault]:
    gate = step.condition
    if gate is None or gate.rule.takes is not Takes.EXPRESSION or not gate.value:
        return
    try:
        readings = parse_expression(gate.value).readings
    except Refusal:
        # A draft may be saved with it; activation check 9 reports it.
        return
    for item in readings:
        if problem := _problem(item):
            yield Fault(path, problem, "bad_filter_value")


def _problem(item: Filter) -> str | None:
    known = choices_of(item)
    if not known or item.operator not in _WHOLE_VALUES or item.value in known:
        return None
    close = get_close_matches(str(item.value).lower().replace(" ", "_"), known, n=1)
    hint = f" (did you mean {shown(close[0])}?)" if close else ""
    return (
        f"{item.field} {item.operator}: {shown(item.value)} is none of its values{hint}; allowed "
        f"are {', '.join(known)}"
    )
