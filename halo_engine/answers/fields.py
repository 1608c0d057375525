"""Every field that filters can name, and the values stored in it (§3)."""

from collections.abc import Mapping
from typing import Final

from halo_engine.answers.shape import Answer
from halo_engine.answers.stored import COLUMN_PREFIXES, SAMPLE, Stored, StoredValue, stored_values
from halo_engine.audience.registered import registered_fields
from halo_engine.contacts.subscriptions import ListAnswer, all_lists
from halo_engine.domain.choices import CHOICES
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields import COLUMNS, Entity, Field, FieldType, resolve
from halo_engine.domain.filters import OPERATORS, Operator
from halo_engine.work import Work

#: The filter types that a custom field of each registered type can be compared as.
_FILTERED_AS: Final[Mapping[str, tuple[FieldType, ...]]] = {
    "string": (FieldType.STRING,),
    "number": (FieldType.NUMBER,),
    "boolean": (FieldType.BOOLEAN,),
    "date": (FieldType.DATE, FieldType.STRING),
}


class KnownField(Answer):
    """One field: its name in filters, its type, the operators that it takes.

    A custom field's ``type`` is the first that was seen; ``types`` counts the sampled contacts by
    JSON type. ``contacts`` counts those with a value, ``values`` are the most frequent. Dates and
    personal fields have no ``values``. ``choices`` are all values of an enumerated field.
    """

    field: str
    type: str
    operators: tuple[Operator, ...]
    custom: bool
    contacts: int
    types: Mapping[str, int]
    values: tuple[StoredValue, ...]
    choices: tuple[str, ...]


class Fields(Answer):
    """Every field and list; ``looked_at`` of the ``contacts`` were sampled."""

    contacts: int
    looked_at: int
    fields: tuple[KnownField, ...]
    lists: tuple[ListAnswer, ...]


def known_fields(work: Work) -> Fields:
    """Return every field that a filter of the organisation can name, in three statements."""
    registered = registered_fields(work.connection, work.org_id)
    contacts, seen = stored_values(work)
    builtin = [
        resolve(f"{prefix}{name}")
        for entity, prefix in COLUMN_PREFIXES.items()
        for name in COLUMNS[entity]
    ]
    custom = [target for target in map(_resolved, {*registered, *seen}) if target and target.custom]
    ordered = sorted([*builtin, *custom], key=_place)
    return Fields(
        contacts=contacts,
        looked_at=min(contacts, SAMPLE),
        fields=tuple(
            _known(each, registered.get(each.name), seen.get(each.name, Stored()))
            for each in ordered
        ),
        lists=tuple(all_lists(work)),
    )


def _known(target: Field, registered: str | None, seen: Stored) -> KnownField:
    common = max(seen.types, key=lambda each: seen.types[each], default="null")
    type_ = target.type.value if target.type else registered or common
    filtered_as = (target.type,) if target.type else _FILTERED_AS.get(type_, ())
    is_choice = target.entity in (Entity.CONTACT, Entity.COMPANY) and not target.custom
    return KnownField(
        field=target.name,
        type=type_,
        operators=tuple(operator for each in filtered_as for operator in OPERATORS[each]),
        custom=target.custom,
        contacts=sum(seen.types.values()),
        types=seen.types,
        values=tuple(seen.values),
        choices=CHOICES.get(target.attribute, ()) if is_choice else (),
    )


def _place(target: Field) -> tuple[int, bool, int, str]:
    """Return a field's sort key: columns in the contract's order, then custom fields by name."""
    order = list(COLUMN_PREFIXES)
    names = list(COLUMNS[target.entity])
    place = 0 if target.custom else names.index(target.attribute)
    return order.index(target.entity), target.custom, place, target.name


def _resolved(name: str) -> Field | None:
    """Return the field of that name; None if no filter can name it."""
    try:
        return resolve(name)
    except Refusal:
        return None
