"""Filters on the event at hand: groups of ``event.NAME`` (contract §21).

Where a run has begun, ``{same: NAME}`` in place of a filter compares the event's property with the
one that the run keeps of the event that began it.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator
from pydantic import Field as Given

from halo_engine.domain.errors import Fault, several
from halo_engine.domain.fields.catalogue import Field, check_name, is_property, resolve_property
from halo_engine.domain.fields.filter_groups import read_groups
from halo_engine.domain.fields.filters import Filter

SAME: Final = "same"


class EventFilter(Filter):
    """One comparison of a property of the event with a value; its type is that of the value."""

    @property
    def target(self) -> Field:
        """The property that is compared; a 400 for any other field."""
        return resolve_property(self.field)


class SameProperty(BaseModel):
    """Whether the event has a property with the same value as the event that began the run.

    Values are compared as JSON: 5 is not "5". A missing one, or null, equals nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    same: str = Given(
        description="The property that must have the same value as in the event that began the run."
    )

    @field_validator(SAME, mode="before")
    @classmethod
    def _is_name(cls, name: object) -> object:
        return check_name(SAME, name)


EventItem = EventFilter | SameProperty


def _form(item: object) -> type[EventItem]:
    is_same = isinstance(item, SameProperty) or (isinstance(item, Mapping) and SAME in item)
    return SameProperty if is_same else EventFilter


def item_form(item: object) -> type[Filter | SameProperty]:
    """Return the model of one filter as it is written, on a contact or on an event."""
    is_of_event = isinstance(item, Mapping) and is_property(item.get("field"))
    return _form(item) if is_of_event or (isinstance(item, Mapping) and SAME in item) else Filter


def parse_event_groups(data: object, where: str) -> tuple[tuple[EventItem, ...], ...]:
    """Return the groups that ``data`` writes; ``where`` names the setting in the 400's path."""
    groups, faults = read_groups(data, _form)
    if faults:
        raise faults[0].refusal(where)
    return groups


def _parse(data: object) -> tuple[tuple[EventItem, ...], ...]:
    groups, faults = read_groups(data, _form)
    if faults:
        raise several("filters", faults)
    return groups


def _parse_at_entry(data: object) -> tuple[tuple[EventFilter, ...], ...]:
    groups, faults = read_groups(data, _form)
    misplaced = [
        Fault(
            (g, n, SAME),
            "stands in an entry filter, where no run has begun; allowed are filters on event.NAME",
            "misplaced_same",
        )
        for g, group in enumerate(groups)
        for n, item in enumerate(group)
        if isinstance(item, SameProperty)
    ]
    if faults or misplaced:
        raise several("filters", [*faults, *misplaced])
    return tuple(tuple(item for item in group if isinstance(item, EventFilter)) for group in groups)


#: AND groups joined by OR, of filters and of ``same``.
EventGroups = Annotated[tuple[tuple[EventItem, ...], ...], BeforeValidator(_parse)]
#: The same of filters alone.
EntryEventGroups = Annotated[tuple[tuple[EventFilter, ...], ...], BeforeValidator(_parse_at_entry)]


def names_run(groups: EventGroups) -> bool:
    """Return whether the filters compare with what the run keeps."""
    return any(isinstance(item, SameProperty) for group in groups for item in group)
