"""What a save changes, part by part, in the panel's words (§17)."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.event_filters import parse_event_groups
from halo_engine.domain.fields.filter_groups import parse_groups
from halo_engine.domain.rules_panel.filter_sentences import (
    sentence_of_event_groups,
    sentence_of_groups,
)
from halo_engine.domain.rules_panel.form import BUILDERS, EVENT_BUILDERS, EXIT_CHOICES, SWITCHES
from halo_engine.domain.rules_panel.labels import (
    CONTACT_TYPES,
    KINDS,
    OTHER_PARTS,
    PARTS,
    SOURCES,
    TRIGGERS,
    WHEN_CAPPED,
    Label,
)
from halo_engine.domain.rules_panel.sentences import surge_in_words
from halo_engine.domain.rules_panel.step_sentences import window_in_words
from halo_engine.domain.times.surges import Surge
from halo_engine.domain.times.windows import SendWindow

_Model = TypeVar("_Model", bound=BaseModel)

#: What is absent.
NOTHING: Final = "Not set"


def label_of_part(path: str) -> str:
    """Return what a part of a definition is called; one that the panel has not by its path."""
    return PARTS.get(path) or OTHER_PARTS.get(path, path)


def value_in_words(path: str, value: Any) -> str:
    """Return the value of a part as the panel shows it, JSON where it has no words for it."""
    if value in (None, "", [], ()):
        return NOTHING
    if path in _WORDS:
        return _WORDS[path](value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _chosen(labels: Mapping[Any, Label]) -> Callable[[Any], str]:
    return lambda value: labels[value].text if value in labels else str(value)


def _filters(value: Any) -> str:
    try:
        return sentence_of_groups(parse_groups(value, "filters"))
    except Refusal:
        return json.dumps(value, ensure_ascii=False)


def _event_filters(value: Any) -> str:
    try:
        return sentence_of_event_groups(parse_event_groups(value, "filters"))
    except Refusal:
        return json.dumps(value, ensure_ascii=False)


def _read(model: type[_Model], words: Callable[[_Model], str]) -> Callable[[Any], str]:
    def said(value: Any) -> str:
        try:
            return words(model.model_validate(value))
        except (ValidationError, Refusal):
            return json.dumps(value, ensure_ascii=False)

    return said


def _rules(value: Any) -> str:
    labels = {rule.key.value: rule.label for rule in EXIT_CHOICES}
    return ", ".join(labels.get(key, key) for key in value)


_WORDS: Final[Mapping[str, Callable[[Any], str]]] = MappingProxyType(
    {
        "kind": _chosen(KINDS),
        "entry_trigger": _chosen(TRIGGERS),
        "contact_type": _chosen(CONTACT_TYPES),
        "audience_type": _chosen(SOURCES),
        "settings.exit_rules": _rules,
        "settings.when_capped": _chosen(WHEN_CAPPED),
        "settings.send_window": _read(SendWindow, window_in_words),
        "settings.surge": _read(Surge, surge_in_words),
        **dict.fromkeys(BUILDERS, _filters),
        **dict.fromkeys(EVENT_BUILDERS, _event_filters),
        **dict.fromkeys(SWITCHES, lambda value: "On" if value else "Off"),
    }
)
