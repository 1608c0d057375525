"""Every field that filters can name, and the values stored in it (§3)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Select, Text, literal, select, union_all

from halo_engine.answers.reports.stored import (
    COLUMN_PREFIXES,
    SAMPLE,
    StoredValue,
    StoredValues,
    stored_values,
)
from halo_engine.answers.reports.zone_names import ZONE_FIELD, count_no_zones
from halo_engine.audience.registered import registered_fields
from halo_engine.contacts.consent.subscriptions import ListAnswer, all_lists
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import COLUMNS, PREFIXES, Entity, Field, FieldType, resolve
from halo_engine.domain.fields.operators import EMPTINESS, Operator, operators_of
from halo_engine.domain.series.choices import choices_for
from halo_engine.sql.statements import statement
from halo_engine.tables import automations, subscriptions
from halo_engine.work import Work

#: The filter types that a custom field of each registered type can be compared as.
_FILTERED_AS: Final[Mapping[str, tuple[FieldType, ...]]] = {
    "string": (FieldType.STRING,),
    "number": (FieldType.NUMBER,),
    "boolean": (FieldType.BOOLEAN,),
    "date": (FieldType.DATE, FieldType.STRING),
}


class NamedField(Answer):
    """One field: its name in filters, its type, the operators that it takes.

    A custom field's ``type`` is the first that was seen.
    """

    field: str
    type: str
    operators: tuple[Operator, ...]
    custom: bool


class KnownField(NamedField):
    """One field, and what is stored in it: ``types`` counts the sampled contacts by
    JSON type. ``contacts`` counts those with a value, ``values`` are the most frequent. Dates and
    personal fields have no ``values``. ``choices`` are all values of an enumerated field.
    ``not_a_zone`` counts, of ``custom:timezone``, the values that name no time zone: they count as
    missing (contract §20).
    """

    contacts: int
    types: Mapping[str, int]
    values: tuple[StoredValue, ...]
    choices: tuple[str, ...]
    not_a_zone: int | None = None


class Fields(Answer):
    """Every field and list; ``looked_at`` of the ``contacts`` were sampled."""

    contacts: int
    looked_at: int
    fields: tuple[KnownField, ...]
    lists: tuple[ListAnswer, ...]


def known_fields(work: Work) -> Fields:
    """Return every field that a filter of the organisation can name, in four statements, or five
    where contacts have a zone.
    """
    registered = registered_fields(work.connection, work.org_id)
    contacts, seen = stored_values(work)
    no_zones = count_no_zones(work) if ZONE_FIELD in seen else None
    memberships = _memberships(work)
    # They are never missing.
    for each in memberships:
        seen[each.name] = StoredValues(types={str(each.type): min(contacts, SAMPLE)})
    ordered = [*_in_order({*registered, *seen}), *memberships]
    return Fields(
        contacts=contacts,
        looked_at=min(contacts, SAMPLE),
        fields=tuple(
            _known(
                each,
                registered.get(each.name),
                seen.get(each.name, StoredValues()),
                no_zones if each.name == ZONE_FIELD else None,
            )
            for each in ordered
        ),
        lists=tuple(all_lists(work)),
    )


def named_fields(work: Work) -> list[NamedField]:
    """Return every field that was ever sent, and every list and series, without looking at
    contacts: two statements.
    """
    registered = registered_fields(work.connection, work.org_id)
    known = [*_in_order(registered), *_memberships(work)]
    return [_named(each, registered.get(each.name)) for each in known]


def _memberships(work: Work) -> list[Field]:
    """Return the fields that lists and series are (contract §22)."""
    rows = work.connection.execute(_read_memberships(work))
    return [resolve(f"{PREFIXES[Entity(row.entity)]}{row.key}") for row in rows]


@statement("read_lists_and_series")
def _read_memberships(work: Work) -> Select[Any]:
    each = union_all(
        *(
            select(literal(entity.value, Text()).label("entity"), table.c.key).where(
                table.c.org_id == work.org_id
            )
            for entity, table in ((Entity.LIST, subscriptions), (Entity.SERIES, automations))
        )
    ).subquery("memberships")
    return select(each).order_by(each.c.entity, each.c.key)


def _in_order(custom: Iterable[str]) -> list[Field]:
    """Return the columns, and the custom fields of these names, in the order of pickers."""
    columns = [
        resolve(f"{prefix}{name}")
        for entity, prefix in COLUMN_PREFIXES.items()
        for name in COLUMNS[entity]
    ]
    named = [target for target in map(_resolved, custom) if target and target.custom]
    return sorted([*columns, *named], key=_sort_key)


def _named(target: Field, seen_as: str | None) -> NamedField:
    type_ = target.type.value if target.type else seen_as or "null"
    filtered_as = (target.type,) if target.type else _FILTERED_AS.get(type_, ())
    return NamedField(
        field=target.name,
        type=type_,
        operators=tuple(
            dict.fromkeys(each for type_ in filtered_as for each in operators_of(target, type_))
        )
        or EMPTINESS,
        custom=target.custom,
    )


def _known(
    target: Field, registered: str | None, seen: StoredValues, not_a_zone: int | None
) -> KnownField:
    common = max(seen.types, key=lambda each: seen.types[each], default="null")
    return KnownField(
        **dict(_named(target, registered or common)),
        contacts=sum(seen.types.values()),
        types=seen.types,
        values=tuple(seen.values),
        choices=choices_for(target),
        not_a_zone=not_a_zone,
    )


def _sort_key(target: Field) -> tuple[int, bool, int, str]:
    """Return a field's sort key: columns in the contract's order, then custom fields by name."""
    order = list(COLUMN_PREFIXES)
    names = list(COLUMNS[target.entity])
    index = 0 if target.custom else names.index(target.attribute)
    return order.index(target.entity), target.custom, index, target.name


def _resolved(name: str) -> Field | None:
    """Return the field of that name; None if no filter can name it."""
    try:
        return resolve(name)
    except Refusal:
        return None
