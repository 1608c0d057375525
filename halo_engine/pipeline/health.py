"""What one process has seen of an organisation's work lately: does anything come through, and which
series stand aside for a while?

It is a memory, not a record: a process that starts anew finds out again. What failed is kept with
the signals and rows themselves (``journey.parking``).
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from halo_engine.journey.parking import LONGEST_PAUSE, pause_after
from halo_engine.pipeline.isolate import PROBES


class Kind(StrEnum):
    """The kinds of work that fail or come through for reasons of their own."""

    SIGNALS = "signals"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Withheld:
    """A series that stands aside ``until`` an instant, for what handling it raised."""

    problem: str
    since: datetime
    until: datetime


@dataclass(slots=True)
class Record:
    """How one kind of work went last.

    ``went_well`` when the last thing tried came through. ``failing`` is what has failed since
    anything did: one thing that fails again and again says nothing of others.
    """

    went_well: bool = False
    failing: set[Hashable] = field(default_factory=set)
    failing_since: datetime | None = None
    paused_until: datetime | None = None

    def succeeded(self) -> None:
        """Note that something came through: nothing is wrong with the moment."""
        self.went_well = True
        self.failing.clear()
        self.failing_since = self.paused_until = None

    def failed(self, what: Hashable, now: datetime) -> None:
        """Note what failed alone; after so many of them everything waits (``holds``)."""
        self.went_well = False
        self.failing.add(what)
        self.failing_since = self.failing_since or now
        if len(self.failing) >= PROBES:
            self.paused_until = now + pause_after(now - self.failing_since)

    def holds(self, now: datetime) -> bool:
        """Whether nothing is tried now, since whatever was tried last failed."""
        return self.paused_until is not None and now < self.paused_until


@dataclass
class Health:
    """One organisation's records, its series that stand aside, and how many due rows are taken at
    once: fewer after a batch that took too long.
    """

    records: Mapping[Kind, Record] = field(
        default_factory=lambda: {kind: Record() for kind in Kind}
    )
    rows_at_once: int | None = None
    _withheld: dict[UUID, Withheld] = field(default_factory=dict)

    def withhold(self, series_id: UUID, problem: str, now: datetime) -> None:
        """Let a series stand aside for as long again as it has failed."""
        before = self._withheld.get(series_id)
        is_again = before is not None and now - before.until <= LONGEST_PAUSE
        since = before.since if before is not None and is_again else now
        self._withheld[series_id] = Withheld(problem, since, now + pause_after(now - since))

    def withheld(self, now: datetime) -> Mapping[UUID, str]:
        """Return the series that stand aside now, each with its problem."""
        return {id_: each.problem for id_, each in self._withheld.items() if now < each.until}
