"""What explain knows of a contact that is not in a series; the reason that it gives (§10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from halo_engine.answers.contact_facts import ContactFacts
from halo_engine.answers.filter_results import FilterResult
from halo_engine.answers.phrases import found, needed, on_the_clock
from halo_engine.domain.series import Series
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class ExplainFacts:
    """One contact that is not in the series, with the filters' results, group by group."""

    work: Work
    series: Series
    known: ContactFacts
    audience: Sequence[Sequence[FilterResult]]
    exits: Sequence[Sequence[FilterResult]]

    def said(self, instant: datetime | None) -> str:
        """Return the instant in the organisation's time zone."""
        return on_the_clock(instant, self.work.org.zone) if instant else "an unknown instant"

    def saw(self, group: Sequence[FilterResult]) -> str:
        """Return the values that these filters saw."""
        return ", ".join(found(seen, self.work.org.zone) for seen in group)

    def needs(self, group: Sequence[FilterResult]) -> str:
        """Return what must be true for these filters to hold."""
        return " and ".join(needed(seen.filter, self.work) for seen in group)

    @property
    def earlier_run(self) -> str:
        """The latest enrollment: when it began, when and why it ended; empty if there is none."""
        known = self.known
        if known.latest_number is None:
            return ""
        return (
            f"Enrollment {known.latest_number} began on {self.said(known.latest_at)} and ended on "
            f"{self.said(known.ended_at)} ({known.ended_by}). "
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, what would have to change, and when time alone changes it."""

    why: str
    change: str
    until: datetime | None = None
