"""Series: the definition that users write, and the series that the engine runs (§1, §4 to §9).

A *definition* is what a file holds and a save validates. A *series* is a saved definition: it has
ids, a status, and steps in order, each with the send window that applies to it.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    StrictFloat,
    model_validator,
)

from halo_engine.domain.durations import format_duration, parse_duration
from halo_engine.domain.errors import (
    Fault,
    Refusal,
    bad_input,
    in_its_place,
    several,
    shown,
)
from halo_engine.domain.filters import FilterGroups, filter_keys
from halo_engine.domain.merge_fields import fields_of
from halo_engine.domain.reasons import (
    AudienceType,
    ConditionType,
    ContactTypeChoice,
    DeliveryGuarantee,
    EntryTrigger,
    ExitReason,
    SeriesKind,
    SeriesStatus,
)
from halo_engine.domain.values import check_text
from halo_engine.domain.windows import SendWindow

UTC = ZoneInfo("UTC")
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


class _Definition(BaseModel):
    """The base of all parts of a definition: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Email(_Definition):
    """The email that a step sends; merge fields allowed in both texts (contract §9)."""

    subject: str = Field(min_length=1, max_length=998)
    body: str


def _check_templates(email: Email | None) -> Email | None:
    """Refuse an email with bad merge fields or text."""
    wrong = []
    for name, template in email.model_dump().items() if email else ():
        try:
            check_text(template, "text")
            fields_of(template)
        except Refusal as refusal:
            _, _, problem = refusal.message.partition(": ")
            wrong.append(Fault((name,), problem, refusal.code))
    if wrong:
        raise several("email", wrong)
    return email


class Condition(_Definition):
    """The gate that a step is (contract §5); whether its value is usable is activation check 9."""

    type: ConditionType
    value: str | None = None


class StepDefinition(_Definition):
    """One step: an email or a condition, after a delay (contract §5)."""

    key: _Key
    delay: Delay = timedelta(0)
    email: Annotated[Email | None, AfterValidator(_check_templates)] = None
    condition: Condition | None = None
    send_window: SendWindow | None = None

    @property
    def has_own_window(self) -> bool:
        """Whether the step sets its window, if only to ``null`` (none)."""
        return "send_window" in self.model_fields_set

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.email is None) == (self.condition is None):
            raise ValueError("a step is either an email or a condition")
        return self


#: The exit rules that a series may list; the others of §6 are always on.
EXIT_RULES = (
    ExitReason.COMPLETED,
    ExitReason.UNSUBSCRIBED,
    ExitReason.REPLIED,
    ExitReason.SEGMENT_LEAVE,
    ExitReason.EVENT,
    ExitReason.FILTER_MATCH,
    ExitReason.MANUAL,
)


def _check_rule(value: object) -> object:
    if isinstance(value, str) and value in EXIT_RULES:
        return value
    raise ValueError(f"{shown(value)} is not an exit rule; allowed are {', '.join(EXIT_RULES)}")


_ExitRule = Annotated[ExitReason, BeforeValidator(_check_rule)]


class Settings(_Definition):
    """The setting keys of the documents, unchanged (contract §4 to §9)."""

    one_per_company: StrictBool = False
    reenroll_enabled: StrictBool = False
    reenroll_delay_days: Annotated[StrictFloat, Field(ge=0, le=36_500)] | None = None
    entry_event_name: str | None = Field(default=None, max_length=255)
    exit_rules: tuple[_ExitRule, ...] = ()
    exit_event_name: str | None = Field(default=None, max_length=255)
    exit_filters: FilterGroups = ()
    goal_enabled: StrictBool = False
    goal_filters: FilterGroups = ()
    goal_window_days: StrictFloat = Field(default=30, gt=0, le=36_500)
    send_window: SendWindow | None = None
    delivery_guarantee: DeliveryGuarantee = DeliveryGuarantee.AT_MOST_ONCE


class SeriesDefinition(_Definition):
    """A series as it is written in a file and saved (contract §3 to §9, scenario files)."""

    name: str | None = Field(default=None, min_length=1, max_length=255)
    kind: SeriesKind = SeriesKind.TRANSACTIONAL
    entry_trigger: EntryTrigger
    audience_type: AudienceType = AudienceType.ALL
    contact_type: ContactTypeChoice = ContactTypeChoice.BOTH
    subscription: str | None = None
    audience_filters: FilterGroups = ()
    settings: Settings = Settings()
    steps: tuple[StepDefinition, ...] = ()

    @model_validator(mode="after")
    def _names_each_step_once(self) -> Self:
        first: dict[str, int] = {}
        twice = [
            Fault(("steps", place, "key"), f"the key {step.key} is used twice; allowed is once")
            for place, step in enumerate(self.steps)
            if first.setdefault(step.key, place) != place
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


@dataclass(frozen=True)
class Series:
    """A saved series as the engine runs it; ``steps`` are the live ones in order.

    ``edited`` says that it may have been saved since its activation, so the order of its steps may
    have changed.
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
    edited: bool = False
    active_periods: tuple[tuple[datetime, datetime | None], ...] = ()
    zone: ZoneInfo = UTC

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
        return self.settings.exit_filters if self.has_rule(ExitReason.FILTER_MATCH) else ()

    @property
    def goal_filters(self) -> FilterGroups:
        """The goal's filters, empty when the goal is off (contract §7)."""
        return self.settings.goal_filters if self.settings.goal_enabled else ()

    def has_rule(self, rule: ExitReason) -> bool:
        """Return whether the series lists exit ``rule`` (contract §6)."""
        return rule in self.settings.exit_rules

    def step_after(self, step: Step, visited: Collection[UUID] = ()) -> Step | None:
        """Return the step that follows ``step``, without those that the run has ``visited``.

        After a removed step comes the first that is now at or after its old place (contract §5).
        """
        first = step.position if step.removed else step.position + 1
        return next(
            (later for later in self.steps if later.position >= first and later.id not in visited),
            None,
        )

    def was_active_at(self, instant: datetime) -> bool:
        """Return whether ``instant`` lies in an active period; a period's end is outside (§4)."""
        return any(
            start <= instant and (end is None or instant < end)
            for start, end in self.active_periods
        )

    def opening(self, step: Step, reached_at: datetime) -> datetime:
        """Return when a step reached at ``reached_at`` is due: after its delay, in its window."""
        due = reached_at + step.delay
        return due if step.window is None else step.window.next_opening(due, self.zone)
