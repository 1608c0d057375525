"""The ways in which a run can end, each declared once: when, what it asks, and in words (§6).

``journey.facts`` gathers what the rules ask, ``domain.series.decisions`` takes the first that
fires, ``series.checking.warnings`` warns of one that never can, and the JSON Schema and the
reference list them. To add a rule: its reason, its settings, its entry in ``EXIT_RULES``, and a
migration, since the database knows the reasons.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from halo_engine.domain.errors import shown
from halo_engine.domain.fields.event_filters import EventGroups
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.reasons import AudienceType


class ExitReason(StrEnum):
    """Why an enrollment ended: the rules in the order in which one is stamped, then conditions
    (§6).

    ``condition_not_met`` is no rule: it ends the enrollment whose condition was false (§5).
    """

    COMPLETED = "completed"
    UNSUBSCRIBED = "unsubscribed"
    REPLIED = "replied"
    SEGMENT_LEAVE = "segment_leave"
    EVENT = "event"
    FILTER_MATCH = "filter_match"
    MANUAL = "manual"
    SUPPRESSED = "suppressed"
    COMPANY_ALREADY_ENROLLED = "company_already_enrolled"
    CONDITION_NOT_MET = "condition_not_met"


def _check_rule(value: object) -> object:
    allowed = [rule.key for rule in EXIT_RULES if rule.is_listed]
    if isinstance(value, str) and value in allowed:
        return value
    raise ValueError(f"{shown(value)} is not an exit rule; allowed are {', '.join(allowed)}")


_ExitRule = Annotated[ExitReason, BeforeValidator(_check_rule)]


class ExitSettings(BaseModel):
    """The settings of a series that exit rules read (contract §6)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exit_rules: tuple[_ExitRule, ...] = Field(
        default=(), description="The exit rules that are on; any one of them ends a run."
    )
    exit_event_name: str | None = Field(
        default=None, max_length=255, description="The event of exit rule `event`."
    )
    exit_event_filters: EventGroups = Field(
        default=(),
        description="The filters that the event of exit rule `event` has to hold; `same` compares "
        "it with the event that began the run.",
    )
    exit_filters: FilterGroups = Field(
        default=(), description="The filters of exit rule `filter_match`; also checked at entry."
    )


class HasExits(Protocol):
    """A series, saved or being written."""

    @property
    def audience_type(self) -> AudienceType:
        """Where the audience comes from."""

    @property
    def settings(self) -> ExitSettings:
        """What its exit rules read."""


class Question:
    """What a rule asks of a run; the answer "yes" ends it."""

    __slots__ = ()

    #: Whether the answer depends on when the run began.
    is_since_entry: ClassVar[bool] = False

    def concerns(self, _series: HasExits, /) -> bool:
        """Return whether the series has what the question is about."""
        return True


@dataclass(frozen=True, slots=True)
class OutsideAudience(Question):
    """Is the contact outside the audience? Asked of series with this type of audience."""

    audience: AudienceType

    def concerns(self, series: HasExits, /) -> bool:
        """Return whether the audience is of this type."""
        return series.audience_type is self.audience


class Replied(Question):
    """Was any email of the series replied to since the run began?"""

    __slots__ = ()
    is_since_entry = True


@dataclass(frozen=True, slots=True)
class Fired(Question):
    """Did the event of this ``name`` fire since the run began, holding these ``filters``?"""

    is_since_entry: ClassVar[bool] = True

    name: Callable[[ExitSettings], str | None]
    filters: Callable[[ExitSettings], EventGroups] = lambda _settings: ()

    def concerns(self, series: HasExits, /) -> bool:
        """Return whether the series names the event."""
        return bool(self.name(series.settings))


@dataclass(frozen=True, slots=True)
class Matches(Question):
    """Does the contact match these ``filters``?"""

    filters: Callable[[ExitSettings], FilterGroups]

    def concerns(self, series: HasExits, /) -> bool:
        """Return whether the series has such filters."""
        return bool(self.filters(series.settings))


class Suppressed(Question):
    """Is the contact's address suppressed?"""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ExitRule:
    """One way in which a run ends.

    ``words`` complete "the run ends when", ``label`` is its name in the panel; a rule that no
    series lists has none. ``asks`` is the question whose answer "yes" ends the
    run; None if nothing is gathered for it: the run ends where its cause happens. ``setting`` is
    what the question is about, and ``lacks`` says what is missing from a series that it does not
    concern. ``is_listed``: a series may name the rule in ``exit_rules``. ``is_always_on``: the rule
    needs no naming.
    """

    key: ExitReason
    words: str
    label: str = ""
    asks: Question | None = None
    setting: str = ""
    lacks: str = ""
    is_listed: bool = True
    is_always_on: bool = False

    def is_on(self, series: HasExits) -> bool:
        """Return whether the rule can end runs of the series."""
        return self.is_always_on or self.key in series.settings.exit_rules

    def never_fires(self, series: HasExits) -> bool:
        """Return whether the rule is on and has nothing to ask."""
        asks = self.asks
        return self.is_on(series) and asks is not None and not asks.concerns(series)


#: Every rule of §6 in the order in which one is stamped, then what else ends a run.
EXIT_RULES: Final = (
    ExitRule(
        key=ExitReason.COMPLETED,
        words="the last step is done",
        label="Completes the series",
        is_always_on=True,
    ),
    ExitRule(
        key=ExitReason.UNSUBSCRIBED,
        words="the contact leaves the series' list",
        label="Unsubscribes",
        asks=OutsideAudience(AudienceType.SUBSCRIPTION),
        lacks="the audience is no list",
    ),
    ExitRule(
        key=ExitReason.REPLIED,
        words="the contact replies to any email of the series",
        label="Replies to an email",
        asks=Replied(),
    ),
    ExitRule(
        key=ExitReason.SEGMENT_LEAVE,
        words="the audience filter stops holding",
        label="No longer matches the audience filter",
        asks=OutsideAudience(AudienceType.SEGMENT),
        lacks="the audience has no filter",
    ),
    ExitRule(
        key=ExitReason.EVENT,
        words="the event `exit_event_name` fires at or after enrollment, and holds "
        "`exit_event_filters`",
        label="Triggers an event",
        asks=Fired(
            lambda settings: settings.exit_event_name,
            lambda settings: settings.exit_event_filters,
        ),
        setting="exit_event_name",
        lacks="no exit event is named",
    ),
    ExitRule(
        key=ExitReason.FILTER_MATCH,
        words="`exit_filters` hold",
        label="Matches an exit filter",
        asks=Matches(lambda settings: settings.exit_filters),
        setting="exit_filters",
        lacks="no exit filter is set",
    ),
    ExitRule(
        key=ExitReason.MANUAL,
        words="a teammate removes the contact, or stops the series",
        label="Manual removal only",
        is_always_on=True,
    ),
    ExitRule(
        key=ExitReason.SUPPRESSED,
        words="the address bounces, complains, or is unsubscribed from everything",
        asks=Suppressed(),
        is_listed=False,
        is_always_on=True,
    ),
    ExitRule(
        key=ExitReason.COMPANY_ALREADY_ENROLLED,
        words="its contact joins a company whose seat an earlier enrollment has",
        is_listed=False,
        is_always_on=True,
    ),
    ExitRule(
        key=ExitReason.CONDITION_NOT_MET,
        words="it is at a condition that is false",
        is_listed=False,
        is_always_on=True,
    ),
)

#: The same by key.
EXIT_RULE_OF: Final = {rule.key: rule for rule in EXIT_RULES}
