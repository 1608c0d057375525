"""Frequency caps: how much marketing a contact gets within a time (contract §20)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictInt,
    TypeAdapter,
)

from halo_engine.domain.errors import bad_input, in_its_place, shown
from halo_engine.domain.times.durations import format_duration, parse_duration

#: How long a cap may look back.
LONGEST_SPAN: Final = timedelta(days=366)
#: How many mails a cap may allow, and how many caps there may be.
MOST_MAILS: Final = 1_000
MOST_CAPS: Final = 10


def _span(value: object) -> timedelta:
    span = parse_duration(value, "within")
    if not timedelta(0) < span <= LONGEST_SPAN:
        problem = f"{shown(value)} is no span; allowed are 1s to {LONGEST_SPAN.days}d"
        raise bad_input("within", problem, "bad_duration")
    return span


class FrequencyCap(BaseModel):
    """One cap, written ``{at_most: 2, within: 24h}``: half-open, exactly 24h ago counts no more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_most: StrictInt = Field(ge=1, le=MOST_MAILS, description="How many marketing emails.")
    within: Annotated[
        timedelta,
        BeforeValidator(in_its_place(_span)),
        PlainSerializer(format_duration, return_type=str),
    ] = Field(description="Within how long: 30m, 24h, 7d, or seconds.")


FrequencyCaps = tuple[FrequencyCap, ...]
#: The same as callers give them.
GivenCaps = Annotated[FrequencyCaps, Field(max_length=MOST_CAPS, strict=False)]
_CAPS: Final[TypeAdapter[FrequencyCaps]] = TypeAdapter(FrequencyCaps)


def parsed_caps(stored: object) -> FrequencyCaps:
    """Return caps as they are stored; none if nothing is."""
    return () if stored is None else _CAPS.validate_python(stored)


def longest_cap(caps: FrequencyCaps) -> timedelta:
    """Return how far back caps look; zero if there are none."""
    return max((cap.within for cap in caps), default=timedelta(0))


def allowed_from(caps: FrequencyCaps, mailed: Sequence[datetime]) -> datetime | None:
    """Return the first instant at which all caps allow one more, which may be over; None if they
    always do. ``mailed`` are the instants that count, the latest first.
    """
    freed = [mailed[cap.at_most - 1] + cap.within for cap in caps if len(mailed) >= cap.at_most]
    return max(freed, default=None)
