"""Warnings about series that can be activated but will not do what their author wants (§6, §7, §8).

Each check is a function that takes a series and its surroundings, and yields what it finds. To add
one, write it below, or in ``mail_warnings`` if it reads an email's texts, and list it in ``CHECKS``
with its code and its words for the reference.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import shown
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.fields.lookalikes import look_alikes
from halo_engine.domain.nearness import near
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.exits import EXIT_RULE_OF
from halo_engine.domain.series.guard_parts import Unused
from halo_engine.domain.series.guards import GUARDS
from halo_engine.domain.series.settings import patience_of
from halo_engine.series.checking.checks import Check, SeriesFinding
from halo_engine.series.checking.event_warnings import EVENT_CHECKS
from halo_engine.series.checking.mail_warnings import EMPTY_BODY, TEXT_CHECKS
from halo_engine.series.checking.membership_warnings import MEMBERSHIP_CHECKS
from halo_engine.series.checking.surroundings import (
    AnySeries,
    Surroundings,
    named_events,
    named_fields,
)

_MOST_NAMED: Final = 5


class SeriesWarning(Answer):
    """One warning: a stable ``code``, the ``place`` in the series, what is wrong and what to do."""

    code: str
    place: str
    message: str


def warnings_about(series: AnySeries, around: Surroundings) -> Iterator[SeriesWarning]:
    """Yield every warning about a series, saved or being written."""
    for check in CHECKS:
        for place, message in check.find(series, around):
            yield SeriesWarning(code=check.code, place=place, message=message)


def _goal_without_filter(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    if series.settings.goal_enabled and not series.settings.goal_filters:
        message = "The goal is switched on, but no goal filter is set: nothing will convert."
        yield SeriesFinding(place="settings.goal_filters", message=message)


def _surge_unused(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    if series.settings.surge is not None and series.entry_trigger is EntryTrigger.MANUAL:
        message = (
            "A manual series takes everybody by its activation, which no surge holds. Leave the "
            "surge out, or use another trigger."
        )
        yield SeriesFinding(place="settings.surge", message=message)


def _exit_rule_never_fires(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    for key in dict.fromkeys(series.settings.exit_rules):
        rule = EXIT_RULE_OF[key]
        if rule.never_fires(series):
            yield SeriesFinding(
                place="settings.exit_rules",
                message=f"Exit rule ‘{key}’ is on, but {rule.lacks}: it never fires.",
            )


def _unknown_event(series: AnySeries, around: Surroundings) -> Iterator[SeriesFinding]:
    """Warn of an event that never fired, wherever it is named."""
    counted = [each for each in named_fields(series) if each.field.entity is Entity.EVENT]
    for each in (*named_events(series), *counted):
        name = each.field.attribute
        if name not in around.events and not ("." in name and each in counted):
            yield SeriesFinding(
                place=each.place,
                message=f"The event {shown(name)} has never fired.{_events_instead(name, around)} "
                "`halo events` lists those that did.",
            )


def _event_property(series: AnySeries, around: Surroundings) -> Iterator[SeriesFinding]:
    """Warn of ``event:NAME.property``, which counts events of that whole name."""
    for each in named_fields(series):
        name = each.field.attribute
        event, dot, _ = name.rpartition(".")
        if each.field.entity is not Entity.EVENT or not dot or name in around.events:
            continue
        known = f" ‘event:{event}’ counts how often {shown(event)} fired."
        yield SeriesFinding(
            place=each.place,
            message=f"‘event:{name}’ counts events of the whole name {shown(name)}, and none "
            "fired: it reads no property."
            f"{known if event in around.events else _events_instead(name, around)}",
        )


def _events_instead(name: str, around: Surroundings) -> str:
    if nearest := near(name, around.events):
        return f" Did you mean {_listed(nearest)}?"
    if not around.events:
        return " No event has fired yet: send it with `track`, or test with `halo track`."
    return f" Those that fire most: {_listed(around.events[:_MOST_NAMED])}."


def _unknown_field(series: AnySeries, around: Surroundings) -> Iterator[SeriesFinding]:
    """Warn of a custom field that no contact or company ever had."""
    known = {each.key for each in around.fields}
    for each in named_fields(series):
        is_property = each.field.entity is Entity.PROPERTY
        if not each.field.custom or is_property or each.field.key in known:
            continue
        alike = [other.name for other in look_alikes(each.field, around.fields)]
        hint = f" Did you mean {_listed(alike)}?" if alike else " `halo fields` lists those seen."
        yield SeriesFinding(
            place=each.place,
            message=f"The field {each.field.name} has never been sent: it is missing for "
            f"everybody.{hint}",
        )


def _gate_before_email(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    sends = False
    for step in series.steps:
        sends = sends or step.email is not None
        if step.condition and step.condition.rule.reads_mail and not sends:
            yield SeriesFinding(
                place=f"steps.{step.key}.condition",
                message="No email is sent before this gate: it lets nobody pass. Put it after an "
                "email.",
            )


def _untracked(series: AnySeries, around: Surroundings) -> Iterator[SeriesFinding]:
    if around.tracks_opens is not False:
        return
    for step in series.steps:
        if step.condition and step.condition.rule.reads_mail:
            yield SeriesFinding(
                place=f"steps.{step.key}.condition",
                message="Opens and clicks are not tracked here (HALO_PUBLIC_URL is not set): "
                "unless your mail gateway calls `halo.mail.opened` and `halo.mail.clicked`, this "
                "gate lets nobody pass.",
            )


def _unused(unused: Unused, series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    if unused.is_so(series.settings):
        yield SeriesFinding(place=f"settings.{unused.setting}", message=unused.message)


def _unused_patience(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    settings = series.settings
    if settings.entry_patience and not patience_of(series.entry_trigger, settings):
        message = (
            "Only the triggers user_created and event wait for data. Leave the patience out, or "
            "choose one of them."
        )
        yield SeriesFinding(place="settings.entry_patience", message=message)


def _listed(names: Sequence[str]) -> str:
    *others, last = map(shown, names)
    return f"{', '.join(others)} or {last}" if others else last


#: Every check, in the order in which warnings are shown.
CHECKS: Final = (
    Check("goal_without_filter", "a goal that is on but has no filter", _goal_without_filter),
    Check(
        "exit_rule_never_fires",
        "an exit rule that is on but has no filter, event, list or segment",
        _exit_rule_never_fires,
    ),
    Check(
        "unknown_event",
        "an event that never fired, in the trigger, an exit, a gate or `event:NAME`; similar ones "
        "are named",
        _unknown_event,
    ),
    Check(
        "event_property",
        "`event:NAME.property`, which counts events of that whole name",
        _event_property,
    ),
    Check(
        "unknown_field",
        "a custom field that was never sent, in a filter, a gate or a text; similar ones are named",
        _unknown_field,
    ),
    *EVENT_CHECKS,
    Check("surge_unused", "a surge in a `manual` series", _surge_unused),
    *MEMBERSHIP_CHECKS,
    Check("gate_before_email", "a gate on opens or clicks before any email", _gate_before_email),
    Check(
        "mail_not_tracked",
        "such a gate while opens and clicks are not tracked, since neither `HALO_PUBLIC_URL` nor "
        "`HALO_TRACKING_URL` is set; only commands know that",
        _untracked,
    ),
    EMPTY_BODY,
    *(
        Check(
            f"{guard.key}_unused",
            f"`{guard.unused.setting}` that does nothing, since another setting is missing",
            partial(_unused, guard.unused),
        )
        for guard in GUARDS
        if guard.unused is not None
    ),
    Check(
        "entry_patience_unused",
        "`entry_patience` where the trigger does not fire at an instant",
        _unused_patience,
    ),
    *TEXT_CHECKS,
)
