"""Series: the definition that users write, and the series that the engine runs (§1, §4 to §9).

A *definition* is what a file holds and a save validates. A *series* is a saved definition: it has
ids, a status, and steps in order, each with the send window that applies to it.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StrictBool,
    model_validator,
)

from halo_engine.domain.errors import Fault, bad_input, in_its_place, several, shown
from halo_engine.domain.fields.filter_groups import FilterGroups, filter_keys
from halo_engine.domain.reasons import (
    AudienceType,
    ContactTypeChoice,
    EntryTrigger,
    SeriesKind,
    SeriesStatus,
)
from halo_engine.domain.series.conditions import Condition
from halo_engine.domain.series.email import Email, check_email
from halo_engine.domain.series.exits import EXIT_RULES, ExitReason, Matches
from halo_engine.domain.series.settings import Definition, Settings, patience_of
from halo_engine.domain.times.durations import format_duration, parse_duration
from halo_engine.domain.times.quiet_hours import Hours, MailTimes
from halo_engine.domain.times.surges import Pace
from halo_engine.domain.times.windows import SendWindow

KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"

Delay = Annotated[
    timedelta,
    BeforeValidator(in_its_place(parse_duration)),
    PlainSerializer(format_duration, return_type=str),
]


def check_key(key: object, field: str = "key") -> str:
    """Return ``key`` if it can name an organisation, a list, a series or a step; else raise a 400.

    ``field`` is what the message begins with.
    """
    if isinstance(key, str) and re.fullmatch(KEY_PATTERN, key):
        return key
    allowed = "letters, digits, ., _ and -, at most 100, beginning with a letter or digit"
    raise bad_input(field, f"{shown(key)} is not a key; allowed are {allowed}", "bad_key")


_Key = Annotated[str, Field(pattern=KEY_PATTERN), BeforeValidator(in_its_place(check_key))]


class StepDefinition(Definition):
    """One step: an email or a condition, after a delay (contract §5)."""

    key: _Key = Field(description="The name of the step, unique in the series.")
    delay: Delay = Field(
        default=timedelta(0),
        description="How long after the step before: 30m, 2h, 3d, or seconds.",
        json_schema_extra={"default": 0},
    )
    email: Annotated[Email | None, AfterValidator(check_email)] = Field(
        default=None, description="The email that the step sends; a step has this or `condition`."
    )
    condition: Condition | None = Field(
        default=None,
        description="A condition instead of an email: true goes on, false ends the run.",
    )
    send_window: SendWindow | None = Field(
        default=None,
        description="When this email may be sent, instead of the series' window; null is always.",
    )

    send_by: Delay | None = Field(default=None, description="How long after it is due it may go.")
    ignore_caps: StrictBool = Field(default=False, description="Whether caps let this email pass.")

    @property
    def has_own_window(self) -> bool:
        """Whether the step sets its window, if only to ``null`` (none)."""
        return "send_window" in self.model_fields_set

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.email is None) == (self.condition is None):
            raise ValueError("a step is either an email or a condition")
        if self.condition and (self.ignore_caps or self.send_by is not None):
            raise ValueError("ignore_caps and send_by are of emails; a condition sends none")
        return self


class SeriesDefinition(Definition):
    """A series as it is written in a file and saved (contract §3 to §9, scenario files)."""

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="What people call the series; its key if unset.",
    )
    kind: SeriesKind = Field(
        default=SeriesKind.TRANSACTIONAL,
        description="Marketing carries a footer and an unsubscribe link, and needs a verified "
        "domain.",
    )
    entry_trigger: EntryTrigger = Field(description="What enrolls a contact.")
    audience_type: AudienceType = Field(
        default=AudienceType.ALL,
        description="Who may be in it: every contact with an email, those that match "
        "`audience_filters`, or the subscribers of a list.",
    )
    contact_type: ContactTypeChoice = Field(
        default=ContactTypeChoice.BOTH, description="Users have an ID of yours, leads an email."
    )
    subscription: str | None = Field(
        default=None, description="The list of audience type `subscription`, by its key."
    )
    audience_filters: FilterGroups = Field(
        default=(), description="The filters of audience type `segment`."
    )
    settings: Settings = Field(
        default=Settings(), description="How contacts enter, leave and convert."
    )
    steps: tuple[StepDefinition, ...] = Field(
        default=(), description="What happens, in order; activation needs at least one."
    )

    @model_validator(mode="after")
    def _names_each_step_once(self) -> Self:
        first: dict[str, int] = {}
        twice = [
            Fault(("steps", index, "key"), f"the key {step.key} is used twice; allowed is once")
            for index, step in enumerate(self.steps)
            if first.setdefault(step.key, index) != index
        ]
        if twice:
            raise several("steps", twice)
        return self


@dataclass(frozen=True, slots=True)
class Step:
    """A saved step, with the send window that applies to it (its own, or the series')."""

    id: UUID
    key: str
    position: int
    delay: timedelta
    email: Email | None
    condition: Condition | None
    window: SendWindow | None
    removed: bool = False
    ignores_caps: bool = False
    send_by: timedelta | None = None

    @property
    def is_early(self) -> bool:
        """Whether it is a gate that opens as soon as its event fires (contract §21)."""
        return self.condition is not None and self.condition.early


@dataclass(frozen=True)
class Series:
    """A saved series as the engine runs it; ``steps`` are the live ones in order.

    ``version`` is that of its definition (contract §18). ``edited`` says that it may have been
    saved since its activation, so the order of its steps may have changed. ``has_surges``: it has a
    surge, or had one, so contacts may be held (contract §19); ``auto_at_most`` is what ``auto`` was
    worked out to be; ``pace`` that of the release that is under way.
    """

    id: UUID
    key: str
    status: SeriesStatus
    kind: SeriesKind
    entry_trigger: EntryTrigger
    audience_type: AudienceType
    contact_type: ContactTypeChoice
    subscription_id: UUID | None
    audience_filters: FilterGroups
    settings: Settings
    steps: tuple[Step, ...]
    removed_steps: tuple[Step, ...] = ()
    version: int = 1
    edited: bool = False
    has_surges: bool = False
    auto_at_most: int | None = None
    pace: Pace | None = None
    active_periods: tuple[tuple[datetime, datetime | None], ...] = ()
    hours: Hours = field(default_factory=Hours)

    def __hash__(self) -> int:
        # Statements are cached by series; hashing all its fields would be slow.
        return hash(self.id)

    @cached_property
    def steps_by_id(self) -> Mapping[UUID, Step]:
        """Every step that a recipient can be at, removed ones included."""
        return {step.id: step for step in (*self.removed_steps, *self.steps)}

    @cached_property
    def audience_keys(self) -> frozenset[str]:
        """The keys whose changes can change whether the audience filter holds."""
        return filter_keys(self.audience_filters)

    @property
    def is_active(self) -> bool:
        """Whether contacts may enter and recipients move on now."""
        return self.status is SeriesStatus.ACTIVE

    @property
    def patience(self) -> timedelta | None:
        """For how long after its trigger a contact may wait for data; None if not at all (§23)."""
        return patience_of(self.entry_trigger, self.settings)

    @property
    def surge_at_most(self) -> int | None:
        """The most contacts that a span of its surge may hold; None without a surge, and where
        ``auto`` is not worked out yet, of a draft.
        """
        surge = self.settings.surge
        if surge is None or surge.at_most == "auto":
            return self.auto_at_most if surge else None
        return surge.at_most

    @property
    def list_id(self) -> UUID | None:
        """The list of a list series; None for any other."""
        return self.subscription_id if self.audience_type is AudienceType.SUBSCRIPTION else None

    @property
    def first_step(self) -> Step | None:
        """Where a run begins; a series without steps cannot be activated (contract §8)."""
        return self.steps[0] if self.steps else None

    @property
    def exit_filters(self) -> FilterGroups:
        """The exit filter, empty when rule ``filter_match`` is off (contract §6)."""
        is_on = ExitReason.FILTER_MATCH in self.settings.exit_rules
        return self.settings.exit_filters if is_on else ()

    @property
    def filters_of_exits(self) -> FilterGroups:
        """The filters that exit rules which are on ask about, of any of them (contract §6)."""
        return tuple(
            group
            for rule in EXIT_RULES
            if isinstance(rule.asks, Matches) and rule.is_on(self)
            for group in rule.asks.filters(self.settings)
        )

    @property
    def goal_filters(self) -> FilterGroups:
        """The goal's filters, empty when the goal is off (contract §7)."""
        return self.settings.goal_filters if self.settings.goal_enabled else ()

    def step_after(self, step: Step, visited: Collection[UUID] = ()) -> Step | None:
        """Return the step that follows ``step``, without those that the run has ``visited``.

        After a removed step comes the first that is now at or after its old position (contract §5).
        """
        first = step.position if step.removed else step.position + 1
        return next(
            (later for later in self.steps if later.position >= first and later.id not in visited),
            None,
        )

    def counted(self, step: Step) -> bool:
        """Return whether the email of ``step`` counts for frequency caps: marketing does (§20)."""
        return self.kind is SeriesKind.MARKETING and bool(step.email and self.hours.caps)

    def is_capped(self, step: Step) -> bool:
        """Return whether frequency caps may hold the email of ``step`` back."""
        return self.counted(step) and not step.ignores_caps

    def times(self, step: Step) -> MailTimes:
        """Return when the email of ``step`` may be sent; quiet hours hold for marketing alone."""
        is_marketing = self.kind is SeriesKind.MARKETING and step.email is not None
        quiet = self.hours.quiet if is_marketing else None
        return MailTimes(step.window, quiet, self.hours.zone)

    def was_active_at(self, instant: datetime) -> bool:
        """Return whether ``instant`` lies in an active period; a period's end is outside (§4)."""
        return any(
            start <= instant and (end is None or instant < end)
            for start, end in self.active_periods
        )

    def opening(self, step: Step, reached_at: datetime, zone: ZoneInfo | None = None) -> datetime:
        """Return when a step reached at ``reached_at`` is due: after its delay, when its email may
        be sent in the contact's ``zone``.
        """
        return self.times(step).due(reached_at + step.delay, zone)
