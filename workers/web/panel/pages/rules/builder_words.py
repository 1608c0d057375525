"""What a filter builder shows beside its rows: types, operators, choices, hints (§17)."""

from collections.abc import Mapping
from typing import Any, Final

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import FieldType, resolve
from halo_engine.domain.fields.operators import Operator
from halo_engine.domain.phrases import KINDS, OPERATOR_WORDS
from halo_engine.domain.rules_panel.labels import FIELD_HINTS, label_of_field
from halo_engine.domain.series.choices import choices_for


def _choices(field: str) -> tuple[str, ...]:
    """Return the values that a field can have; empty if it can have any."""
    try:
        target = resolve(field)
    except Refusal:
        return ()
    if target.type is FieldType.BOOLEAN:
        return ("true", "false")
    return choices_for(target)


def said_of(field: str) -> str:
    """Return what a field is called, and its type; empty if there is no such field."""
    try:
        target = resolve(field)
    except Refusal:
        return ""
    kind = "custom" if target.type is None else KINDS[target.type]
    return f"{label_of_field(target)}, {kind}"


def _hint_of(field: str) -> str:
    """Return what a field is called, its type, and what to know of it."""
    said = said_of(field)
    hint = FIELD_HINTS.get(resolve(field).key, "") if said else ""
    return f"{said}. {hint}" if hint else said


#: The same for every builder, by the names that its template has for them.
BUILDER_WORDS: Final[Mapping[str, Any]] = {
    "operator_words": OPERATOR_WORDS,
    "operators_with_value": [each for each in Operator if each.takes_value],
    "types": KINDS,
    "choices": _choices,
    "hint_of": _hint_of,
}
