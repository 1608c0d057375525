"""Filters as they are written: AND groups joined by OR, or one flat list (contract §3)."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator

from halo_engine.domain.errors import Fault, examined, several, shown
from halo_engine.domain.fields.catalogue import depends_on
from halo_engine.domain.fields.filters import Filter

_Item = TypeVar("_Item", bound=BaseModel)


def parse_groups(data: object, where: str) -> tuple[tuple[Filter, ...], ...]:
    """Return the AND groups that ``data`` writes; a flat list of filters is one group.

    ``[]`` is no filter, an empty group is refused; ``where`` names the setting in the 400's path.
    """
    groups, faults = read_groups(data, _form)
    if faults:
        raise faults[0].refusal(where)
    return groups


def _form(_item: object) -> type[Filter]:
    return Filter


def _parse_field(data: object) -> tuple[tuple[Filter, ...], ...]:
    groups, faults = read_groups(data, _form)
    if faults:
        raise several("filters", faults)
    return groups


#: AND groups joined by OR; as a field of a model it takes every form that may be written.
FilterGroups = Annotated[tuple[tuple[Filter, ...], ...], BeforeValidator(_parse_field)]


def filter_keys(groups: FilterGroups) -> frozenset[str]:
    """Return the keys whose changes can change whether the filters hold (see ``depends_on``)."""
    return frozenset(key for group in groups for item in group for key in depends_on(item.target))


def dump_groups(groups: Sequence[Sequence[BaseModel]]) -> list[list[dict[str, Any]]]:
    """Return the filters as JSON-ready data, as they can be read again."""
    return [[item.model_dump(mode="json") for item in group] for group in groups]


def read_groups(
    data: object, form: Callable[[object], type[_Item]]
) -> tuple[tuple[tuple[_Item, ...], ...], list[Fault]]:
    """Read AND groups of items, a flat list as one group; return the valid items, every fault.

    ``form`` returns the model of what is written as one item.
    """
    if not isinstance(data, list | tuple):
        return (), [Fault((), f"{shown(data)} is not a list of filters", "bad_filters")]
    if data and not any(isinstance(group, list | tuple) for group in data):
        group, faults = _read_group(data, form)
        return (group,), faults
    groups, wrong = [], []
    for index, each in enumerate(data):
        group, faults = _read_group(each, form)
        groups.append(group)
        wrong += [fault.below(index) for fault in faults]
    return tuple(groups), wrong


def _read_group(
    data: object, form: Callable[[object], type[_Item]]
) -> tuple[tuple[_Item, ...], list[Fault]]:
    if not isinstance(data, list | tuple):
        problem = "is not a group; allowed are one list of filters, or a list of groups"
        return (), [Fault((), problem, "bad_filters")]
    if not data:
        return (), [Fault((), "a group holds at least one filter", "empty_group")]
    group: list[_Item] = []
    wrong: list[Fault] = []
    for index, item in enumerate(data):
        model = form(item)
        read, faults = (item, ()) if isinstance(item, model) else examined(model, item)
        group += [read] if read else []
        wrong += [fault.below(index) for fault in faults]
    return tuple(group), wrong
