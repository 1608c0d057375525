"""Surges: how many contacts may enter a series in a span of time (contract §19)."""

from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from halo_engine.domain.errors import bad_input, in_its_place, shown
from halo_engine.domain.times.durations import format_duration, parse_duration

#: The shortest and the longest span. What was counted is kept as long as the longest.
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=30)
#: The most contacts that a span may hold.
MOST: Final = 10_000_000
#: ``auto`` takes so many times the busiest span of the days before, and this at least.
TIMES: Final = 3
LEAST: Final = 100
LOOKED_AT: Final = timedelta(days=30)


def _parse_span(value: object) -> timedelta:
    span = parse_duration(value, "within")
    if not SHORTEST <= span <= LONGEST:
        least, most = format_duration(SHORTEST), format_duration(LONGEST)
        raise ValueError(f"{shown(value)} is no span; allowed are {least} to {most}")
    return span


def _parse_bound(value: object) -> object:
    if value == "auto" or (type(value) is int and 1 <= value <= MOST):
        return value
    problem = f"{shown(value)} is no number of contacts; allowed are 1 to {MOST}, and ‘auto’"
    raise bad_input("at_most", problem)


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

    at_most: Annotated[
        Annotated[int, Field(ge=1, le=MOST)] | Literal["auto"],
        BeforeValidator(in_its_place(_parse_bound)),
    ] = Field(
        description="The most contacts that may enter in any such span; `auto` is worked out when "
        "the series is first activated: three times the busiest such span of its trigger in the "
        "last 30 days, 100 at least."
    )
    within: Span = Field(description="The length of the span: 10m, 1h, 7d, or seconds.")


class Pace(BaseModel):
    """How many held contacts a release lets enter in any span of this length (contract §19)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_most: Annotated[int, Field(strict=True, ge=1, le=MOST)] = Field(
        description="The most held contacts that may enter in any such span."
    )
    within: Span = Field(description="The length of the span: 10m, 1h, 7d, or seconds.")

    @classmethod
    def stored(cls, at_most: int | None, seconds: int | None) -> Self | None:
        """Return the pace that two columns say; None if both are empty."""
        if at_most is None or seconds is None:
            return None
        return cls.model_validate({"at_most": at_most, "within": seconds})

    def __str__(self) -> str:
        return f"{self.at_most}/{format_duration(self.within)}"


def automatic_bound(busiest: int) -> int:
    """Return what ``auto`` comes to where the busiest span held so many."""
    return min(max(TIMES * busiest, LEAST), MOST)
