"""What the templates of a series show: the form, its choices, its words (contract §17)."""

from collections.abc import Mapping
from typing import Any, Final

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import (
    BARE_CUSTOM,
    COLUMNS,
    PREFIXES,
    FieldType,
    resolve,
)
from halo_engine.domain.fields.filters import PRESETS, Operator
from halo_engine.domain.phrases import KINDS as TYPES
from halo_engine.domain.phrases import OPERATOR_WORDS
from halo_engine.domain.reasons import AudienceType, SeriesStatus
from halo_engine.domain.rules_panel.buttons import has_preset
from halo_engine.domain.rules_panel.form import EXIT_CHOICES
from halo_engine.domain.rules_panel.labels import (
    CONTACT_TYPES,
    EXIT_HINTS,
    FIELD_HINTS,
    KINDS,
    PARTS,
    SOURCES,
    TRIGGERS,
    WHEN_CAPPED,
    Label,
    label_of_field,
)
from halo_engine.domain.rules_panel.sentences import in_words
from halo_engine.domain.series.choices import choices_for

from ...page import Visit
from ..progress.series import path_of, tabs_of
from ..progress.steps import step_lines
from .editing import Editing

#: Fields without a custom name: what pickers suggest before anything is asked of the database.
_BUILT_IN: Final = tuple(
    resolve(f"{PREFIXES[entity]}{name}") for entity, names in COLUMNS.items() for name in names
)


def values_of(visit: Visit, editing: Editing) -> Mapping[str, Any]:
    """Return what the templates of a series show."""
    path = path_of(editing.key)
    name = editing.base.name or editing.key
    return {
        "wide": True,
        "editing": editing,
        "form": editing.form,
        "faults": editing.faults,
        "path": path,
        "tabs": tabs_of(path),
        "lines": tuple(step_lines(editing.base)),
        "name": name,
        "status": editing.shown.status.value,
        "held": editing.shown.held,
        "releasing": editing.shown.releasing,
        "is_draft": editing.shown.status is SeriesStatus.DRAFT,
        "may_edit": visit.may("series.save") and editing.shown.status is not SeriesStatus.COMPLETED,
        "person": str(visit.caller.key_id),
        "said": "",
        "is_fresh": False,
        "cards": None,
        "sentences": tuple(in_words(editing.base)),
        "parts": PARTS,
        "options": OPTIONS,
        "meanings": {name: _meaning(editing, name) for name in _LABELS},
        "lists": _lists(visit, editing),
        "exits": EXIT_CHOICES,
        "exit_hints": EXIT_HINTS,
        "presets": tuple((label, has_preset(editing.form, label)) for label in PRESETS),
        "operator_words": OPERATOR_WORDS,
        "operators_with_value": [each for each in Operator if each.takes_value],
        "types": TYPES,
        "choices": _choices,
        "hint_of": _hint_of,
        "built_in": _SUGGESTED,
    }


def _lists(visit: Visit, editing: Editing) -> list[tuple[str, str]]:
    """Return the lists to pick from; all of them only where one is to be picked, for each is
    counted.
    """
    chosen = editing.form.texts["subscription"]
    keys = [chosen] if chosen else []
    if editing.form.texts["audience_type"] == AudienceType.SUBSCRIPTION:
        keys = [*keys, *(each.list for each in visit.call("lists.list").items)]
    return [("", "Pick a list"), *((key, key) for key in dict.fromkeys(keys))]


def _choices(field: str) -> tuple[str, ...]:
    """Return the values that a field can have; empty if it can have any."""
    try:
        target = resolve(field)
    except Refusal:
        return ()
    if target.type is FieldType.BOOLEAN:
        return ("true", "false")
    return choices_for(target)


def _said_of(field: str) -> str:
    """Return what a field is called, and its type; empty if there is no such field."""
    try:
        target = resolve(field)
    except Refusal:
        return ""
    kind = "custom" if target.type is None else TYPES[target.type]
    return f"{label_of_field(target)}, {kind}"


def _hint_of(field: str) -> str:
    """Return what a field is called, its type, and what to know of it."""
    said = _said_of(field)
    hint = FIELD_HINTS.get(resolve(field).key, "") if said else ""
    return f"{said}. {hint}" if hint else said


def _meaning(editing: Editing, name: str) -> str:
    """Return what the choice means that stands in the form; empty if it is none."""
    chosen = editing.form.texts[name]
    labels = _LABELS[name]
    return labels[chosen].means if chosen in labels else ""


def _pairs(labels: Mapping[Any, Label]) -> tuple[tuple[str, str], ...]:
    return tuple((each.value, label.text) for each, label in labels.items())


_LABELS: Final[Mapping[str, Mapping[Any, Label]]] = {
    "entry_trigger": TRIGGERS,
    "contact_type": CONTACT_TYPES,
    "audience_type": SOURCES,
    "kind": KINDS,
}
OPTIONS: Final = {
    **{name: _pairs(labels) for name, labels in _LABELS.items()},
    "settings.when_capped": _pairs(WHEN_CAPPED),
}
_SUGGESTED: Final = tuple(
    (name, _said_of(name)) for name in (*(each.name for each in _BUILT_IN), *BARE_CUSTOM)
)
