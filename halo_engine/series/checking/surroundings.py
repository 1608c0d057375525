"""A series' surroundings: the fields, events and tracking of the organisation it runs in (§8)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Select, select

from halo_engine.audience.registered import event_names, registered_fields
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import Entity, Field, resolve
from halo_engine.domain.fields.expressions import parse_expression
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.reasons import AudienceType, EntryTrigger, SeriesKind, SeriesStatus
from halo_engine.domain.series.conditions import Condition, Takes
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.email import Email, asked_in
from halo_engine.domain.series.exits import EXIT_RULES, Fired
from halo_engine.domain.series.settings import FILTER_SETTINGS, Settings
from halo_engine.series.catalogue import load_series
from halo_engine.sql.statements import statement
from halo_engine.tables import subscriptions
from halo_engine.work import Work


class WrittenStep(Protocol):
    """The parts of a step that warnings read."""

    @property
    def key(self) -> str:
        """Its name in the series."""

    @property
    def email(self) -> Email | None:
        """The email that it sends, if it sends one."""

    @property
    def condition(self) -> Condition | None:
        """Its condition, if it is one."""


class AnySeries(Protocol):
    """The parts of a series, saved or being written, that warnings read."""

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

    ``tracks_opens`` is None if it is unknown whether links and opens are tracked. ``lists`` are the
    keys of all lists, ``series`` all series: they are read only where one is named.
    """

    fields: Sequence[Field]
    events: Sequence[str]
    tracks_opens: bool | None = None
    lists: frozenset[str] = frozenset()
    series: Sequence[Series] = ()


def surroundings(
    work: Work, series: Iterable[AnySeries], *, tracks_opens: bool | None = None
) -> Surroundings:
    """Return the surroundings of the series, by a few statements for any number of them.

    Events are read only if a series names one: that scans all event counts.
    """
    named = {each for one in series for each in (*named_events(one), *named_fields(one))}
    names_events = any(each.field.entity is Entity.EVENT for each in named)
    names_custom = any(
        each.field.custom and each.field.entity is not Entity.PROPERTY for each in named
    )
    names = {each.field.entity for each in named}
    connection, org_id = work.connection, work.org_id
    known = registered_fields(connection, org_id) if names_custom else {}
    return Surroundings(
        fields=[resolve(name) for name in known],
        events=event_names(connection, org_id) if names_events else [],
        tracks_opens=tracks_opens,
        lists=list_keys(work) if Entity.LIST in names else frozenset(),
        series=_all_series(work) if Entity.SERIES in names else (),
    )


def list_keys(work: Work) -> frozenset[str]:
    """Return the keys of the organisation's lists."""
    return frozenset(work.connection.scalars(_read_keys_of_lists(work)))


@statement("read_keys_of_lists")
def _read_keys_of_lists(work: Work) -> Select[Any]:
    return select(subscriptions.c.key).where(subscriptions.c.org_id == work.org_id)


def _all_series(work: Work) -> Sequence[Series]:
    return load_series(work.connection, work.org_id, work.org.hours, statuses=list(SeriesStatus))


@dataclass(frozen=True, slots=True)
class PlacedField:
    """A field or an event that a series names, and where it names it."""

    place: str
    field: Field


def named_events(series: AnySeries) -> Iterator[PlacedField]:
    """Yield the events of triggers, exit rules and conditions."""
    settings = series.settings
    if series.entry_trigger is EntryTrigger.EVENT:
        yield from _event("settings.entry_event_name", settings.entry_event_name)
    for rule in EXIT_RULES:
        if isinstance(rule.asks, Fired) and rule.is_on(series):
            yield from _event(f"settings.{rule.setting}", rule.asks.name(settings))
    for step in series.steps:
        if step.condition and step.condition.rule.takes is Takes.EVENT_NAME:
            yield from _event(f"steps.{step.key}.condition.value", step.condition.value)


def named_fields(series: AnySeries) -> Iterator[PlacedField]:
    """Yield the fields of filters, gates and merge fields; counted events (``event:``) too."""
    settings = series.settings
    yield from _of_filters("audience_filters", series.audience_filters)
    for name in FILTER_SETTINGS:
        yield from _of_filters(f"settings.{name}", getattr(settings, name))
    for step in series.steps:
        if step.condition and step.condition.rule.takes is Takes.EXPRESSION:
            yield from _of_gate(f"steps.{step.key}.condition.value", step.condition.value)
        for name, text in texts_of(step):
            yield from _of_template(f"steps.{step.key}.email", name, text)


def texts_of(step: WrittenStep) -> Iterator[tuple[str, str]]:
    """Yield the texts of a step's email, by name."""
    yield from step.email.texts() if step.email else ()


def _event(place: str, name: str | None) -> Iterator[PlacedField]:
    if name and name.strip():
        try:
            yield PlacedField(place, resolve(f"event:{name}"))
        except Refusal:
            return


def _of_filters(place: str, groups: FilterGroups) -> Iterator[PlacedField]:
    for g, group in enumerate(groups):
        for n, item in enumerate(group):
            yield PlacedField(f"{place}[{g}][{n}]", item.target)


def _of_gate(place: str, text: str | None) -> Iterator[PlacedField]:
    try:
        yield PlacedField(place, parse_expression(text).field)
    except Refusal:
        # Activation check 9 reports it.
        return


def _of_template(email: str, name: str, text: str) -> Iterator[PlacedField]:
    try:
        named = sorted(asked_in(name, text), key=lambda each: each.named)
    except Refusal:
        # A template with a fault cannot be saved; saving says why.
        return
    yield from (PlacedField(f"{email}.{name}", each.field) for each in named)
