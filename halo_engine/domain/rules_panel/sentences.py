"""A definition in sentences, in the panel's words (§17): for pages, commands and explanations."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from halo_engine.domain.errors import shown
from halo_engine.domain.fields.catalogue import FieldType
from halo_engine.domain.fields.event_filters import EventGroups, EventItem, SameProperty
from halo_engine.domain.fields.filters import Filter, FilterGroups
from halo_engine.domain.phrases import OPERATOR_WORDS
from halo_engine.domain.reasons import AudienceType, EntryTrigger
from halo_engine.domain.rules_panel.labels import CONTACT_TYPES, SOURCES, TRIGGERS, label_of_field
from halo_engine.domain.rules_panel.step_sentences import length_in_words
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.series.exits import EXIT_RULES, ExitReason, ExitRule
from halo_engine.domain.series.settings import Settings, patience_of
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.surges import Surge

_RELATIVE: Final = re.compile(r"([+-])([0-9]+)([dhm])")
_UNITS: Final = {"d": "day", "h": "hour", "m": "minute", "s": "second"}


class Sentence(NamedTuple):
    """What a definition says about one part of the panel."""

    about: str
    text: str


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


def _of_event(item: EventItem) -> str:
    if isinstance(item, SameProperty):
        return f"{shown(item.same)} as in the event that began the run"
    return sentence_of(item)


def trigger_in_words(trigger: EntryTrigger, event: str | None) -> str:
    """Return the trigger, with its event if it has one: ``Triggers an event: ‘trial_started’``."""
    named = f": {shown(event)}" if trigger is EntryTrigger.EVENT and event else ""
    return f"{TRIGGERS[trigger].text}{named}"


def in_words(definition: SeriesDefinition) -> Iterator[Sentence]:
    """Yield a sentence for each part of the panel, in its order; what is off is left out."""
    settings = definition.settings
    trigger = trigger_in_words(definition.entry_trigger, settings.entry_event_name)
    if definition.entry_trigger is EntryTrigger.EVENT and settings.entry_event_filters:
        trigger = f"{trigger}, with {sentence_of_event_groups(settings.entry_event_filters)}"
    yield Sentence("Trigger", trigger)
    if patience := patience_of(definition.entry_trigger, settings):
        yield Sentence("Patience", _patience(patience))
    yield Sentence("Contact type", CONTACT_TYPES[definition.contact_type].text)
    yield Sentence("Audience", _audience(definition))
    if settings.one_per_company:
        yield Sentence("One per company", "At most one contact of each company is in it.")
    if settings.one_per_address:
        yield Sentence("One per address", "At most one contact of each address is in it.")
    if settings.reenroll_enabled:
        yield Sentence("Re-enrollment", _reenrollment(settings.reenroll_delay_days))
    if settings.surge is not None:
        yield Sentence("Surge", _surge(settings.surge))
    if settings.goal_enabled:
        yield Sentence("Goal", _goal(settings))
    yield Sentence("Exit", "; ".join(_exits(settings)))


def _surge(surge: Surge) -> str:
    most, span = f"{surge.at_most:,}", format_duration(surge.within)
    return f"At most {most} contacts enter in any {span}; whoever is beyond is held."


def exit_label(rule: ExitRule, settings: Settings) -> str:
    """Return an exit rule as the panel says it, with the event or the filters that it asks for."""
    if rule.key is ExitReason.EVENT and settings.exit_event_name:
        held = ""
        if settings.exit_event_filters:
            held = f", with {sentence_of_event_groups(settings.exit_event_filters)}"
        return f"{rule.label}: {shown(settings.exit_event_name)}{held}"
    if rule.key is ExitReason.FILTER_MATCH and settings.exit_filters:
        return f"{rule.label}: {sentence_of_groups(settings.exit_filters)}"
    return rule.label


def _exits(settings: Settings) -> Iterator[str]:
    for rule in EXIT_RULES:
        # Manual removal is always possible; it is said only where the series lists it.
        is_said = rule.key is ExitReason.COMPLETED or rule.key in settings.exit_rules
        if rule.is_listed and is_said:
            yield exit_label(rule, settings)


def _audience(definition: SeriesDefinition) -> str:
    source = SOURCES[definition.audience_type].text
    match definition.audience_type:
        case AudienceType.SEGMENT if definition.audience_filters:
            return f"{source}: {sentence_of_groups(definition.audience_filters)}"
        case AudienceType.SUBSCRIPTION if definition.subscription:
            return f"{source}: {shown(definition.subscription)}"
    return source


def _patience(length: timedelta) -> str:
    wait = length_in_words(length)
    return f"For {wait} after it, a contact who lacks what the audience asks for may still enter."


def _reenrollment(days: float | None) -> str:
    if not days:
        return "Contacts can enter again once they have left."
    return f"Contacts can enter again {_counted(days, 'day')} after they entered last."


def _goal(settings: Settings) -> str:
    if not settings.goal_filters:
        return "On, without a filter: nothing will convert."
    window = _counted(settings.goal_window_days, "day")
    return f"{sentence_of_groups(settings.goal_filters)}, within {window} of entry"


def _value(item: Filter) -> str:
    relative = _RELATIVE.fullmatch(str(item.value)) if item.type is FieldType.DATE else None
    if relative:
        sign, number, unit = relative.groups()
        length = _counted(int(number), _UNITS[unit])
        return f"{length} {'ago' if sign == '-' else 'from now'}"
    return str(item.value) if item.type is FieldType.DATE else shown(item.value)


def _length(span: timedelta) -> str:
    written = format_duration(span)
    return _counted(int(written[:-1]), _UNITS[written[-1]])


def _counted(number: float, what: str) -> str:
    plain = int(number) if float(number).is_integer() else number
    return f"{plain} {what}" if plain == 1 else f"{plain} {what}s"
