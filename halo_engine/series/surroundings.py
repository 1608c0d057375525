"""A series' surroundings: the fields, events and tracking of the organisation it runs in (§8)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from halo_engine.audience.registered import event_names, registered_fields
from halo_engine.domain.errors import Refusal
from halo_engine.domain.expressions import parse_expression
from halo_engine.domain.fields import Entity, Field, resolve
from halo_engine.domain.filters import FilterGroups
from halo_engine.domain.merge_fields import fields_of
from halo_engine.domain.reasons import (
    AudienceType,
    ConditionType,
    EntryTrigger,
    ExitReason,
    SeriesKind,
)
from halo_engine.domain.series import Condition, Email, Settings
from halo_engine.work import Work


class WrittenStep(Protocol):
    """What warnings read of a step."""

    @property
    def key(self) -> str:
        """Its name in the series."""

    @property
    def email(self) -> Email | None:
        """The email that it sends, if it sends one."""

    @property
    def condition(self) -> Condition | None:
        """The gate that it is, if it is one."""


class Written(Protocol):
    """What warnings read of a series, saved or being written."""

    @property
    def kind(self) -> SeriesKind:
        """Whether it is marketing."""

    @property
    def entry_trigger(self) -> EntryTrigger:
        """What enrolls."""

    @property
    def audience_type(self) -> AudienceType:
        """Where the audience comes from."""

    @property
    def audience_filters(self) -> FilterGroups:
        """The filters, of an audience by criteria."""

    @property
    def settings(self) -> Settings:
        """Its settings."""

    @property
    def steps(self) -> Sequence[WrittenStep]:
        """Its steps, in order."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The custom ``fields`` and the ``events`` that were ever seen, most frequent events first.

    ``tracks_opens`` is None if it is unknown whether links and opens are tracked.
    """

    fields: Sequence[Field]
    events: Sequence[str]
    tracks_opens: bool | None = None


def surroundings(
    work: Work, series: Iterable[Written], *, tracks_opens: bool | None = None
) -> Surroundings:
    """Return the surroundings of the series, by at most two statements for any number of them.

    Events are read only if a series names one: that scans all event counts.
    """
    named = {each for one in series for each in (*named_events(one), *named_fields(one))}
    names_events = any(each.field.entity is Entity.EVENT for each in named)
    names_custom = any(each.field.custom for each in named)
    connection, org_id = work.connection, work.org_id
    known = registered_fields(connection, org_id) if names_custom else {}
    return Surroundings(
        fields=[resolve(name) for name in known],
        events=event_names(connection, org_id) if names_events else [],
        tracks_opens=tracks_opens,
    )


@dataclass(frozen=True, slots=True)
class Named:
    """A field or an event that a series names, and the place where it does."""

    place: str
    field: Field


def named_events(series: Written) -> Iterator[Named]:
    """Yield the events that trigger, end and open something."""
    settings = series.settings
    if series.entry_trigger is EntryTrigger.EVENT:
        yield from _event("settings.entry_event_name", settings.entry_event_name)
    if ExitReason.EVENT in settings.exit_rules:
        yield from _event("settings.exit_event_name", settings.exit_event_name)
    for step in series.steps:
        if step.condition and step.condition.type is ConditionType.EVENT_FIRED:
            yield from _event(f"steps.{step.key}.condition.value", step.condition.value)


def named_fields(series: Written) -> Iterator[Named]:
    """Yield the fields of filters, gates and merge fields; counted events (``event:``) too."""
    settings = series.settings
    yield from _of_filters("audience_filters", series.audience_filters)
    yield from _of_filters("settings.exit_filters", settings.exit_filters)
    yield from _of_filters("settings.goal_filters", settings.goal_filters)
    for step in series.steps:
        if step.condition and step.condition.type is ConditionType.USER_PROPERTY:
            yield from _of_gate(f"steps.{step.key}.condition.value", step.condition.value)
        for name, text in texts_of(step):
            yield from _of_template(f"steps.{step.key}.email.{name}", text)


def texts_of(step: WrittenStep) -> Iterator[tuple[str, str]]:
    """Yield the texts of a step's email, by name."""
    yield from step.email.model_dump().items() if step.email else ()


def _event(place: str, name: str | None) -> Iterator[Named]:
    if name and name.strip():
        try:
            yield Named(place, resolve(f"event:{name}"))
        except Refusal:
            return


def _of_filters(place: str, groups: FilterGroups) -> Iterator[Named]:
    for g, group in enumerate(groups):
        for n, item in enumerate(group):
            yield Named(f"{place}[{g}][{n}]", item.target)


def _of_gate(place: str, text: str | None) -> Iterator[Named]:
    try:
        yield Named(place, parse_expression(text).field)
    except Refusal:
        # Activation check 9 reports it.
        return


def _of_template(place: str, text: str) -> Iterator[Named]:
    try:
        named = sorted(fields_of(text), key=lambda each: each.named)
    except Refusal:
        # It was refused when it was saved, or cannot be saved.
        return
    yield from (Named(place, each.field) for each in named)
