"""The settings of a series, under the keys of the documents (contract §4 to §9).

Each says in its ``description`` what it is for; the JSON Schema and the reference show that.
"""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    StrictFloat,
)

from halo_engine.domain.errors import bad_input, in_its_place, shown
from halo_engine.domain.fields.event_filters import EntryEventGroups
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.reasons import DeliveryGuarantee, EntryTrigger, WhenCapped
from halo_engine.domain.series.exits import ExitSettings
from halo_engine.domain.times.durations import format_duration, parse_duration
from halo_engine.domain.times.surges import Surge
from halo_engine.domain.times.windows import SendWindow

#: The longest ``entry_patience``.
MOST_PATIENCE: Final = timedelta(days=7)


def _read_patience(value: object) -> timedelta:
    patience = parse_duration(value, "entry_patience")
    if patience > MOST_PATIENCE:
        problem = f"{shown(value)} is too long; allowed are durations up to {MOST_PATIENCE.days}d"
        raise bad_input("entry_patience", problem, "bad_duration")
    return patience


_Patience = Annotated[
    timedelta,
    BeforeValidator(in_its_place(_read_patience)),
    PlainSerializer(format_duration, return_type=str),
]


class Definition(BaseModel):
    """The base of all parts of a definition: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EntrySettings(Definition):
    """The settings that say who enters, which the trigger and the guards read (contract §4)."""

    one_per_company: StrictBool = Field(
        default=False, description="Whether one contact of each company may be in the series."
    )
    one_per_address: StrictBool = Field(
        default=False,
        description="Whether one contact of each email address may be in the series at a time.",
    )
    reenroll_enabled: StrictBool = Field(
        default=False, description="Whether a contact may enter again after its run has ended."
    )
    reenroll_delay_days: Annotated[StrictFloat, Field(ge=0, le=36_500)] | None = Field(
        default=None,
        description="The least number of days between the starts of a contact's runs.",
    )
    entry_event_name: str | None = Field(
        default=None, max_length=255, description="The event of entry trigger `event`."
    )
    entry_event_filters: EntryEventGroups = Field(
        default=(),
        description="The filters on the event of entry trigger `event`: one that does not hold "
        "them triggers nothing.",
    )
    entry_patience: _Patience = Field(
        default=timedelta(0),
        description="How long after a trigger (`user_created`, `event`) a contact whom the "
        "audience did not hold is judged again at each change: 30m, 2h, up to 7d.",
        json_schema_extra={"default": 0},
    )


# Fields are listed from the last base to the first, then those of the class itself.
class Settings(ExitSettings, EntrySettings):
    """The setting keys of the documents, unchanged (contract §4 to §9)."""

    goal_enabled: StrictBool = Field(default=False, description="Whether the goal is measured.")
    goal_filters: FilterGroups = Field(
        default=(), description="The filters that convert a run when they begin to hold."
    )
    goal_window_days: StrictFloat = Field(
        default=30, gt=0, le=36_500, description="For how many days a run can convert."
    )
    send_window: SendWindow | None = Field(
        default=None, description="When emails may be sent; a step may have a window of its own."
    )
    delivery_guarantee: DeliveryGuarantee = Field(
        default=DeliveryGuarantee.AT_MOST_ONCE,
        description="What happens to an email when it is unknown whether it was sent.",
    )
    when_capped: WhenCapped = Field(
        default=WhenCapped.WAIT,
        description="What becomes of an email that frequency caps hold back: it waits until they "
        "allow it, or its step is skipped.",
    )
    count_machine_opens: StrictBool = Field(
        default=False,
        description="Whether what machines open and click passes `email_opened` and "
        "`link_clicked`, as what people do.",
    )
    surge: Surge | None = Field(
        default=None,
        description="How many contacts may enter in a span of time; whoever is beyond is held.",
    )


#: Settings that the version before does not know. At their default they are not stored: during a
#: rolling deploy that version reads the series too, and refuses a key that it cannot read.
SINCE_THIS_VERSION: Final = {
    "when_capped",
    "count_machine_opens",
    "entry_event_filters",
    "exit_event_filters",
    "entry_patience",
    "one_per_address",
    "surge",
}

#: The settings that are filters.
FILTER_SETTINGS: Final = tuple(
    name
    for name, field in Settings.model_fields.items()
    if field.annotation == tuple[tuple[Filter, ...], ...]
)

#: The settings that are filters on the event at hand.
EVENT_FILTER_SETTINGS: Final = ("entry_event_filters", "exit_event_filters")


def patience_of(trigger: EntryTrigger, settings: Settings) -> timedelta | None:
    """Return for how long contacts wait for data: with a trigger that fires at an instant alone."""
    if trigger not in (EntryTrigger.USER_CREATED, EntryTrigger.EVENT):
        return None
    return settings.entry_patience or None
