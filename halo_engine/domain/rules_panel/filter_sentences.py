"""Filters in sentences, in the panel's words (§17): for rules, conditions and explanations."""

import re
from datetime import timedelta
from typing import Final

from halo_engine.domain.errors import shown
from halo_engine.domain.fields.catalogue import FieldType
from halo_engine.domain.fields.event_filters import EventGroups, EventItem, SameProperty
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.phrases import OPERATOR_WORDS
from halo_engine.domain.rules_panel.labels import label_of_field
from halo_engine.domain.times.durations import format_duration

_RELATIVE: Final = re.compile(r"([+-])([0-9]+)([dhm])")
_UNITS: Final = {"d": "day", "h": "hour", "m": "minute", "s": "second"}


def sentence_of(item: Filter) -> str:
    """Return the filter as the panel says it: ``Signed Up is on or after 30 days ago``."""
    said = f"{label_of_field(item.target)} {OPERATOR_WORDS[item.operator].label}"
    span = f" in the last {_length(item.within)}" if item.within else ""
    return said if item.value is None else f"{said} {_value(item)}{span}"


def sentence_of_groups(groups: FilterGroups) -> str:
    """Return the filters as one sentence: groups joined by "or", their filters by "and"."""
    said = [" and ".join(map(sentence_of, group)) for group in groups]
    return said[0] if len(said) == 1 else ", or ".join(f"({each})" for each in said)


def sentence_of_event_groups(groups: EventGroups) -> str:
    """Return the filters on an event as one sentence."""
    said = [" and ".join(map(_of_event, group)) for group in groups]
    return said[0] if len(said) == 1 else ", or ".join(f"({each})" for each in said)


def counted_in_words(number: float, what: str) -> str:
    """Return a number of something: ``1 day``, ``1.5 days``."""
    plain = int(number) if float(number).is_integer() else number
    return f"{plain} {what}" if plain == 1 else f"{plain} {what}s"


def _of_event(item: EventItem) -> str:
    if isinstance(item, SameProperty):
        return f"{shown(item.same)} as in the event that began the run"
    return sentence_of(item)


def _value(item: Filter) -> str:
    relative = _RELATIVE.fullmatch(str(item.value)) if item.type is FieldType.DATE else None
    if relative:
        sign, number, unit = relative.groups()
        length = counted_in_words(int(number), _UNITS[unit])
        return f"{length} {'ago' if sign == '-' else 'from now'}"
    return str(item.value) if item.type is FieldType.DATE else shown(item.value)


def _length(span: timedelta) -> str:
    written = format_duration(span)
    return counted_in_words(int(written[:-1]), _UNITS[written[-1]])
