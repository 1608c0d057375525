"""The properties of events that pickers offer: those that the latest events had (§17, §21); and the
types that fields are known to have.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from halo_engine.answers.reports.events import KnownProperty
from halo_engine.answers.reports.fields import NamedField
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import PREFIXES, Entity, FieldType, resolve
from halo_engine.domain.fields.merge_fields import fields_of
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import SeriesDefinition

from ...page import Visit


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an event as filters and merge fields name it, and how it is compared."""

    field: str
    type: FieldType


def properties_of(visit: Visit, event: str | None) -> Sequence[Property]:
    """Return the properties of an event that can be named, those seen most first."""
    if not event:
        return ()
    try:
        seen: list[KnownProperty] = visit.call("events.properties", event=event)
    except Refusal:
        # No event can be called so.
        return ()
    named = ((f"{PREFIXES[Entity.PROPERTY]}{each.property}", each.type) for each in seen)
    return tuple(Property(field, _compared_as(type_)) for field, type_ in named if _is_name(field))


def properties_kept(visit: Visit, definition: SeriesDefinition) -> Sequence[Property]:
    """Return the properties that the runs of a series keep: those of the event that begins them."""
    if definition.entry_trigger is not EntryTrigger.EVENT:
        return ()
    return properties_of(visit, definition.settings.entry_event_name)


def known_types(visit: Visit, events: Iterable[str]) -> Mapping[str, str]:
    """Return how custom fields, and properties of these events, are known to be compared."""
    fields: list[NamedField] = visit.call("fields.names")
    known = {resolve(each.field).key: each.type for each in fields}
    for event in dict.fromkeys(events):
        known |= {each.field: each.type.value for each in properties_of(visit, event)}
    return known


def _compared_as(type_: str) -> FieldType:
    return FieldType(type_) if type_ in ("number", "boolean") else FieldType.STRING


def _is_name(field: str) -> bool:
    """Whether a template can name it."""
    with suppress(Refusal):
        return len(list(fields_of(f"{{{{ {field} }}}}"))) == 1
    return False
