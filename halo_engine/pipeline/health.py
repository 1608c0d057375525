"""What one process remembers of an organisation: does its work succeed, which series are withheld?

Nothing of it is stored: a new process finds out again. Failures are stored with the signals and
rows themselves (``journey.parking``).
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from halo_engine.journey.parking import LONGEST_PAUSE, pause_after
from halo_engine.pipeline.isolate import PROBES


class WorkKind(StrEnum):
    """The kinds of work, which fail independently of each other."""

    SIGNALS = "signals"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Withheld:
    """A series that is left out ``until`` an instant, because of ``problem``; the others go on."""

    problem: str
    since: datetime
    until: datetime


@dataclass(slots=True)
class Record:
    """How one kind of work went lately.

    ``went_well``: the last try succeeded. ``failing`` are the items that failed since the last
    success, each once: an item that fails again says nothing about others.
    """

    went_well: bool = False
    failing: set[Hashable] = field(default_factory=set)
    failing_since: datetime | None = None
    paused_until: datetime | None = None

    def succeeded(self) -> None:
        """Note a success: there is no general failure."""
        self.went_well = True
        self.failing.clear()
        self.failing_since = self.paused_until = None

    def failed(self, what: Hashable, now: datetime) -> None:
        """Note an item that failed alone; after ``PROBES`` of them work pauses (``holds``)."""
        self.went_well = False
        self.failing.add(what)
        self.failing_since = self.failing_since or now
        if len(self.failing) >= PROBES:
            self.paused_until = now + pause_after(now - self.failing_since)

    def holds(self, now: datetime) -> bool:
        """Return whether work pauses now, because everything tried lately failed."""
        return self.paused_until is not None and now < self.paused_until


@dataclass
class Health:
    """One organisation's records, the withheld series, and the size of a batch of due rows: smaller
    after one that took too long, None for the usual size. ``asks_to_confirm``: mails to confirm a
    list may wait. ``releases``: a series releases whoever is held at a pace.
    """

    records: Mapping[WorkKind, Record] = field(
        default_factory=lambda: {kind: Record() for kind in WorkKind}
    )
    rows_at_once: int | None = None
    asks_to_confirm: bool = False
    releases: bool = False
    _withheld: dict[UUID, Withheld] = field(default_factory=dict)

    def withhold(self, series_id: UUID, problem: str, now: datetime) -> None:
        """Withhold a series for as long as it has been failing."""
        before = self._withheld.get(series_id)
        is_again = before is not None and now - before.until <= LONGEST_PAUSE
        since = before.since if before is not None and is_again else now
        self._withheld[series_id] = Withheld(problem, since, now + pause_after(now - since))

    def withheld(self, now: datetime) -> Mapping[UUID, str]:
        """Return the series that are withheld now, each with its problem."""
        return {id_: each.problem for id_, each in self._withheld.items() if now < each.until}
