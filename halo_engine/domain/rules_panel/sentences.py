"""A definition in sentences, in the panel's words (§17): for pages, commands and explanations."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from halo_engine.domain.errors import shown
from halo_engine.domain.reasons import (
    AudienceType,
    DeliveryGuarantee,
    EntryTrigger,
    SeriesKind,
    WhenCapped,
)
from halo_engine.domain.rules_panel.filter_sentences import (
    counted_in_words,
    sentence_of_event_groups,
    sentence_of_groups,
)
from halo_engine.domain.rules_panel.labels import (
    CONTACT_TYPES,
    KINDS,
    SOURCES,
    TRIGGERS,
    WHEN_CAPPED,
)
from halo_engine.domain.rules_panel.step_sentences import length_in_words, window_in_words
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.series.exits import EXIT_RULES, ExitReason, ExitRule
from halo_engine.domain.series.settings import Settings, patience_of
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.surges import LEAST, TIMES, Surge


class Sentence(NamedTuple):
    """What a definition says about one part of the panel."""

    about: str
    text: str


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
        yield Sentence("Surge", surge_in_words(settings.surge))
    if settings.goal_enabled:
        yield Sentence("Goal", _goal(settings))
    yield Sentence("Exit", "; ".join(_exits(settings)))
    yield from _of_mail(definition)


def _of_mail(definition: SeriesDefinition) -> Iterator[Sentence]:
    """Yield what is said of the series' emails, where it is not as usual."""
    settings = definition.settings
    if definition.kind is SeriesKind.MARKETING:
        yield Sentence("Kind of mail", KINDS[definition.kind].text)
    if settings.send_window is not None:
        yield Sentence("Send window", window_in_words(settings.send_window))
    if settings.when_capped is WhenCapped.SKIP:
        yield Sentence("When capped", WHEN_CAPPED[WhenCapped.SKIP].means)
    if settings.count_machine_opens:
        said = "What machines open and click passes conditions, as what people do."
        yield Sentence("Machines", said)
    if settings.delivery_guarantee is DeliveryGuarantee.AT_LEAST_ONCE:
        said = "An email whose sending cannot be known is sent again: rather twice than not at all."
        yield Sentence("Delivery", said)


def surge_in_words(surge: Surge) -> str:
    """Return how many may enter in a span, and what becomes of others."""
    span = format_duration(surge.within)
    if surge.at_most == "auto":
        most = f"{TIMES} times as many contacts as in the busiest {span} before it began"
        return f"At most {most} enter in any {span}, {LEAST} at least; whoever is beyond is held."
    return f"At most {surge.at_most:,} contacts enter in any {span}; whoever is beyond is held."


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
    return f"Contacts can enter again {counted_in_words(days, 'day')} after they entered last."


def _goal(settings: Settings) -> str:
    if not settings.goal_filters:
        return "On, without a filter: nothing will convert."
    window = counted_in_words(settings.goal_window_days, "day")
    return f"{sentence_of_groups(settings.goal_filters)}, within {window} of entry"
