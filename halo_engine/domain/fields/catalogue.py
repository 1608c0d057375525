"""The field catalogue: every name that a filter, an expression or a merge field may use (§3).

A *name* is what users write. A *key* is the one spelling under which changes are announced, so that
a change of the trait ``plan`` finds ``plan``, ``custom:plan`` and ``lead:plan``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from unicodedata import category

from halo_engine.domain.errors import Refusal, bad_input, shown

LONGEST_NAME: Final = 255


class FieldType(StrEnum):
    """The types of values that can be filtered on (contract §3)."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


class Entity(StrEnum):
    """Whose value a field is."""

    CONTACT = "contact"
    COMPANY = "company"
    STRIPE = "stripe"
    EVENT = "event"
    PROPERTY = "property"
    LIST = "list"
    SERIES = "series"


#: What users write before the name of an entity's field.
PREFIXES: Final = {
    Entity.CONTACT: "",
    Entity.COMPANY: "company.",
    Entity.STRIPE: "stripe:",
    Entity.EVENT: "event:",
    Entity.PROPERTY: "event.",
    Entity.LIST: "list:",
    Entity.SERIES: "series:",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field, resolved (contract §3).

    ``name`` is the field as written. ``attribute`` is the column of the entity, the key within its
    ``custom_fields`` when ``custom``, the event's name, the name of an event's property, or the key
    of the list or series. ``type`` is None for a custom field: the value decides. ``leads_only``
    marks a ``lead:`` field, which a user has no value for.
    """

    name: str
    entity: Entity
    attribute: str
    type: FieldType | None
    custom: bool = False
    leads_only: bool = False

    @property
    def key(self) -> str:
        """The spelling that changes of this value are announced under."""
        if self.entity is Entity.PROPERTY:
            return self.name
        custom = f"custom:{self.attribute}" if self.custom else self.attribute
        return f"{PREFIXES[self.entity]}{custom}"


#: What a change of a contact's type, and a contact's move to a company, are announced under.
CONTACT_TYPE_KEY: Final = "contact_type"
MEMBERSHIP_KEY: Final = "company_id"

_MONEY_AND_CONTRACT: Final = {
    "mrr": FieldType.NUMBER,
    "arr": FieldType.NUMBER,
    "renewal_status": FieldType.STRING,
    "renewal_date": FieldType.DATE,
    "contract_term": FieldType.STRING,
    "payment_terms": FieldType.STRING,
    "on_contract": FieldType.BOOLEAN,
}

#: The columns that are fields, with their types, in the order of the contract.
COLUMNS: Final[Mapping[Entity, Mapping[str, FieldType]]] = MappingProxyType(
    {
        Entity.CONTACT: MappingProxyType(
            {
                "email": FieldType.STRING,
                "name": FieldType.STRING,
                "external_id": FieldType.STRING,
                "contact_type": FieldType.STRING,
                "source": FieldType.STRING,
                "signed_up_at": FieldType.DATE,
                "created_at": FieldType.DATE,
                "first_seen": FieldType.DATE,
                "last_seen": FieldType.DATE,
                "last_contacted_at": FieldType.DATE,
                **_MONEY_AND_CONTRACT,
            }
        ),
        Entity.COMPANY: MappingProxyType(
            {
                "name": FieldType.STRING,
                "external_id": FieldType.STRING,
                "signed_up_at": FieldType.DATE,
                "created_at": FieldType.DATE,
                **_MONEY_AND_CONTRACT,
            }
        ),
        Entity.STRIPE: MappingProxyType(
            {
                "subscription_status": FieldType.STRING,
                "plan": FieldType.STRING,
                "trial_end": FieldType.DATE,
                "current_period_end": FieldType.DATE,
                "cancel_at_period_end": FieldType.BOOLEAN,
            }
        ),
    }
)

#: The fields that are there for each name, with their type: none of them is ever missing.
_NAMED: Final = {
    "event:": (Entity.EVENT, FieldType.NUMBER),
    "list:": (Entity.LIST, FieldType.BOOLEAN),
    "series:": (Entity.SERIES, FieldType.STRING),
}
#: Custom fields of contacts that need no ``custom:`` before their name.
BARE_CUSTOM: Final = ("role", "plan", "avatar")


@lru_cache(maxsize=4096)
def resolve(name: str) -> Field:
    """Return the field that ``name`` stands for; an unknown one is a 400 that says what exists."""
    prefix, rest = _split(name)
    if prefix == "lead:" and _split(rest)[0] in ("", "custom:"):
        return replace(resolve(rest), name=name, leads_only=True)
    if prefix in _NAMED:
        entity, type_ = _NAMED[prefix]
        return Field(name, entity, check_name(f"field {shown(name)}", rest), type_)
    if prefix.endswith("custom:") or name in BARE_CUSTOM:
        entity = Entity.COMPANY if prefix == "company.custom:" else Entity.CONTACT
        attribute = check_name(f"field {shown(name)}", rest)
        return Field(name, entity, attribute, type=None, custom=True)
    for entity, columns in COLUMNS.items():
        if prefix == PREFIXES[entity] and rest in columns:
            return Field(name, entity, rest, columns[rest])
    raise _unknown(name)


def resolve_property(name: str) -> Field:
    """Return the property of an event that ``event.NAME`` stands for; else a 400 (contract §21)."""
    attribute = name.removeprefix(PREFIXES[Entity.PROPERTY])
    if attribute == name:
        problem = f"{shown(name)} is no property of the event; allowed is event.NAME"
        raise bad_input("field", problem, "not_event_property")
    attribute = check_name(f"field {shown(name)}", attribute)
    return Field(name, Entity.PROPERTY, attribute, type=None, custom=True)


def resolve_in_run(name: str) -> Field:
    """Return the field that ``name`` stands for, which may be a property of the event that began
    the run (contract §21).
    """
    return resolve_property(name) if is_property(name) else resolve(name)


def resolve_trait(name: str) -> Field:
    """Return the field that ``name`` stands for, else the custom trait of that bare name (§5)."""
    if is_property(name):
        return resolve_property(name)
    prefix, _ = _split(name)
    is_bare = prefix == "" and name not in COLUMNS[Entity.CONTACT]
    return resolve(f"custom:{name}" if is_bare else name)


def depends_on(field: Field) -> frozenset[str]:
    """Return the keys whose changes can change the field's value for a contact.

    Beside the field's own key these are the contact's type for a ``lead:`` field, and the contact's
    company for a company's.
    """
    keys = {field.key}
    if field.leads_only:
        keys.add(CONTACT_TYPE_KEY)
    if field.entity is Entity.COMPANY:
        keys.add(MEMBERSHIP_KEY)
    return frozenset(keys)


def check_name(field: str, name: object) -> str:
    """Return ``name`` if it can name a custom field or an event; else raise a 400 about ``field``.

    Allowed are 1 to 255 characters, not all blank, none of them a control character or a lone
    surrogate.
    """
    if isinstance(name, str) and name.strip() and len(name) <= LONGEST_NAME and _is_clean(name):
        return name
    problem = f"{shown(name)} is not a name; allowed are 1 to {LONGEST_NAME} characters"
    raise bad_input(field, f"{problem}, not blank, without control characters", "bad_name")


def _is_clean(name: str) -> bool:
    # Not str.isprintable: names in Persian or with emoji hold invisible joiners.
    return not any(category(character) in ("Cc", "Cs") for character in name)


def _split(name: str) -> tuple[str, str]:
    prefixes = ("company.custom:", "company.", "custom:", "lead:", "stripe:", *_NAMED)
    for prefix in prefixes:
        if name.startswith(prefix):
            return prefix, name.removeprefix(prefix)
    return "", name


def is_property(name: object) -> bool:
    """Return whether ``name`` is that of a property of an event."""
    return isinstance(name, str) and name.startswith(PREFIXES[Entity.PROPERTY])


def _unknown(name: str) -> Refusal:
    if is_property(name):
        return bad_input(
            "field",
            f"{shown(name)} is a property of an event; allowed is it in entry_event_filters, "
            "exit_event_filters, the filters of an event_fired condition, user_property conditions "
            "and emails",
            "misplaced_event_property",
        )
    suggestion = _suggestion(*_split(name))
    hint = f" (did you mean {shown(suggestion)}?)" if suggestion else ""
    allowed = ", ".join([*COLUMNS[Entity.CONTACT], *BARE_CUSTOM])
    return bad_input(
        "field",
        f"{shown(name)} is unknown{hint}; allowed are {allowed}, custom:NAME, "
        f"company.NAME ({', '.join(COLUMNS[Entity.COMPANY])}), company.custom:NAME, "
        f"lead:NAME (a contact's field), "
        f"stripe:NAME ({', '.join(COLUMNS[Entity.STRIPE])}), event:NAME, list:KEY and series:KEY",
        "unknown_field",
    )


def _suggestion(prefix: str, rest: str) -> str | None:
    known = [*BARE_CUSTOM] if prefix == "" else []
    for entity, columns in COLUMNS.items():
        known += columns if PREFIXES[entity] == prefix else []
    if close := get_close_matches(rest, known, n=1):
        return prefix + close[0]
    could_be_custom = prefix in ("", "company.") and rest.strip() and _is_clean(rest)
    return f"{prefix}custom:{rest}" if could_be_custom else None
