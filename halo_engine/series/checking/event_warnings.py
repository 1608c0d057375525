"""Warnings about properties of events where no event will bring them (contract §21)."""

from collections.abc import Iterator
from typing import Final

from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.fields.event_filters import names_run
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.exits import ExitReason
from halo_engine.series.checking.checks import Check, SeriesFinding
from halo_engine.series.checking.surroundings import AnySeries, Surroundings, named_fields

_TRIGGER: Final = "entry_trigger: event"


def _entry_filters_unused(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    if series.settings.entry_event_filters and series.entry_trigger is not EntryTrigger.EVENT:
        yield SeriesFinding(
            place="settings.entry_event_filters",
            message="The series does not begin with an event, so its entry filters do nothing. Set "
            f"{_TRIGGER}, or leave them out.",
        )


def _property_never_kept(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    if series.entry_trigger is EntryTrigger.EVENT:
        return
    for each in named_fields(series):
        if each.field.entity is Entity.PROPERTY:
            yield SeriesFinding(
                place=each.place,
                message=f"{each.field.name} is missing for everybody: the series does not begin "
                f"with an event. Set {_TRIGGER}, or use a field of the contact.",
            )


def _same_never_holds(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    if series.entry_trigger is EntryTrigger.EVENT:
        return
    placed = [("settings.exit_event_filters", series.settings.exit_event_filters)]
    placed += [
        (f"steps.{step.key}.condition.filters", step.condition.filters)
        for step in series.steps
        if step.condition is not None
    ]
    for place, groups in placed:
        if names_run(groups):
            yield SeriesFinding(
                place=place,
                message="`same` never holds: the series does not begin with an event whose "
                f"properties a run could keep. Set {_TRIGGER}, or use filters.",
            )


def _exit_filters_unused(series: AnySeries, _around: Surroundings) -> Iterator[SeriesFinding]:
    if series.settings.exit_event_filters and ExitReason.EVENT not in series.settings.exit_rules:
        yield SeriesFinding(
            place="settings.exit_event_filters",
            message="Exit rule ‘event’ is off, so its filters do nothing. Add it to exit_rules, or "
            "leave them out.",
        )


EVENT_CHECKS: Final = (
    Check(
        "entry_event_filters_unused",
        "filters on the event in a series that does not begin with one",
        _entry_filters_unused,
    ),
    Check(
        "property_never_kept",
        "a property of the event in a gate or a text of a series that does not begin with one",
        _property_never_kept,
    ),
    Check(
        "exit_event_filters_unused",
        "filters on the event of an exit rule that is off",
        _exit_filters_unused,
    ),
    Check(
        "same_never_holds",
        "`same` in a series that does not begin with an event",
        _same_never_holds,
    ),
)
