"""Surges: how many contacts may enter a series in a span of time (contract §19)."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from halo_engine.domain.errors import in_its_place, shown
from halo_engine.domain.times.durations import format_duration, parse_duration

#: The shortest and the longest span. What was counted is kept as long as the longest.
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=30)
#: The most contacts that a span may hold.
MOST: Final = 10_000_000


def _parse_span(value: object) -> timedelta:
    span = parse_duration(value, "within")
    if not SHORTEST <= span <= LONGEST:
        least, most = format_duration(SHORTEST), format_duration(LONGEST)
        raise ValueError(f"{shown(value)} is no span; allowed are {least} to {most}")
    return span


Span = Annotated[
    timedelta,
    BeforeValidator(in_its_place(_parse_span)),
    PlainSerializer(format_duration, return_type=str),
]


class Surge(BaseModel):
    """How many contacts may enter in any span of this length, written ``{at_most, within}``.

    A span is half-open: who entered exactly ``within`` ago no longer counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_most: Annotated[int, Field(strict=True, ge=1, le=MOST)] = Field(
        description="The most contacts that may enter in any such span."
    )
    within: Span = Field(description="The length of the span: 10m, 1h, 7d, or seconds.")
