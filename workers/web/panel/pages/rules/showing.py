"""What the templates of a series show: the form, its choices, its words (contract §17)."""

from collections.abc import Mapping
from typing import Any, Final

from halo_engine.domain.fields.catalogue import BARE_CUSTOM, COLUMNS, PREFIXES, resolve
from halo_engine.domain.fields.presets import PRESETS
from halo_engine.domain.reasons import AudienceType, SeriesStatus
from halo_engine.domain.rules_panel.buttons import has_preset
from halo_engine.domain.rules_panel.form import EXIT_CHOICES
from halo_engine.domain.rules_panel.labels import (
    CONTACT_TYPES,
    EXIT_HINTS,
    KINDS,
    PARTS,
    SOURCES,
    TRIGGERS,
    WHEN_CAPPED,
    Label,
)
from halo_engine.domain.rules_panel.sentences import in_words

from ...page import Visit
from ..progress.series import path_of, tabs_of
from ..progress.steps import step_lines
from .builder_words import BUILDER_WORDS, said_of
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
        "kept_as": visit.kept_as(editing.key),
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
        **BUILDER_WORDS,
        "formaction": path,
        "added": editing.added,
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
    (name, said_of(name)) for name in (*(each.name for each in _BUILT_IN), *BARE_CUSTOM)
)
