"""What a guard is declared with; ``domain.series.guards`` declares them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum, auto
from typing import Any, Literal

from halo_engine.domain.fields.results import FilterResult
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.explain_facts import ExplainFacts, Reason
from halo_engine.domain.series.settings import EntrySettings


class GuardScope(Enum):
    """What a guard looks at. Those about the match say whether a contact is *matched* (§3), those
    about history look at its latest run alone. The one about the surge is decided of a set, after
    all others; the one about who was discarded is asked only of series that have surges (§19).
    """

    SERIES = auto()
    MATCH = auto()
    HISTORY = auto()
    SEAT = auto()
    ADDRESS = auto()
    SURGE = auto()
    DISCARD = auto()


@dataclass(frozen=True, slots=True)
class SeriesColumn:
    """What a guard reads of each series: the name and type of the column, and its value."""

    name: str
    type: type[bool | str | timedelta]
    value: Callable[[Series], bool | str | timedelta | None]


@dataclass(frozen=True, slots=True)
class Unused:
    """When ``setting`` does nothing since another is missing; ``message`` says what to do."""

    setting: str
    is_so: Callable[[EntrySettings], bool]
    message: str


@dataclass(frozen=True, slots=True)
class Deciding:
    """Which filters an explanation shows: of those at ``place``, the ones that ``decide``."""

    place: Literal["audience_filters", "exit_filters"]
    decide: Callable[[Sequence[FilterResult], FilterResult], bool]


#: A contact and a series as ``enrollment.guards`` passes them: SQLAlchemy columns, so that ``&``,
#: ``~``, ``<`` and so on make SQL.
Pair = Any


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: its code, and when it refuses, in words and as a predicate.

    ``then`` words a kept refusal: what held when the trigger fired. ``why`` explains what refuses
    now; ``already_active`` has none, since explain answers ``active`` first. ``waits`` returns how
    long after the start of the latest run it refuses; after that, time alone lets the contact in.
    """

    key: StrEnum
    words: str
    about: GuardScope
    refuses: Callable[[Pair], Pair]
    then: str
    why: Callable[[ExplainFacts], Reason] | None = None
    reads: SeriesColumn | None = None
    waits: Callable[[Series], timedelta | None] | None = None
    shows: Deciding | None = None
    unused: Unused | None = None
