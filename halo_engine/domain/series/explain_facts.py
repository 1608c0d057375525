"""The facts from which explain answers for a contact outside a series, and its answer (§10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from halo_engine.domain.errors import shown
from halo_engine.domain.fields.results import FilterResult, holds_all
from halo_engine.domain.phrases import found, needed, on_the_clock
from halo_engine.domain.reasons import AudienceType
from halo_engine.domain.series.definition import Series


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What is known of one contact and one series.

    ``guard`` is the first guard that refuses now, ``refused_at`` the instant of a kept refusal.
    ``latest_*`` and ``ended_*`` are about the latest enrollment, ``holder*`` about the run that
    holds the company's seat, ``namesake*`` about the earliest run with the contact's address,
    ``event_*`` about the event that the series waits for, ``held_at`` about the surge that holds
    it. ``fired_at`` and ``waits_until`` are of the trigger after which it waits for data (§23).
    """

    contact_id: UUID
    contact: str
    contact_type: str
    created_at: datetime
    code: str
    guard: str | None
    refused_at: datetime | None
    latest_number: int | None
    latest_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    bounced_at: datetime | None
    complained_at: datetime | None
    unsubscribed_at: datetime | None
    holder: str | None
    holder_at: datetime | None
    namesake: str | None
    namesake_at: datetime | None
    event_count: int | None
    event_at: datetime | None
    list_key: str | None
    has_email: bool
    fired_at: datetime | None
    waits_until: datetime | None
    held_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LatestEvent:
    """The latest live event of the series' trigger, and what its entry filters saw in it."""

    happened_at: datetime
    groups: Sequence[Sequence[FilterResult]]

    @property
    def holds(self) -> bool:
        """Whether it holds the entry filters as they are now."""
        return any(map(holds_all, self.groups))


@dataclass(frozen=True, slots=True)
class ExplainFacts:
    """One contact that is not in the series, with the filters' results, group by group.

    ``event`` is gathered where the trigger has not fired, and the series has entry filters.
    """

    series: Series
    known: ContactFacts
    audience: Sequence[Sequence[FilterResult]]
    exits: Sequence[Sequence[FilterResult]]
    zone: ZoneInfo
    now: datetime
    event: LatestEvent | None = None

    def said(self, instant: datetime | None) -> str:
        """Return the instant in the organisation's time zone."""
        return on_the_clock(instant, self.zone) if instant else "an unknown instant"

    def saw(self, group: Sequence[FilterResult]) -> str:
        """Return the values that these filters saw."""
        return ", ".join(found(seen, self.zone) for seen in group)

    def needs(self, group: Sequence[FilterResult]) -> str:
        """Return what must be true for these filters to hold."""
        return " and ".join(needed(seen.filter, self.zone, self.now) for seen in group)

    def misses(self, groups: Sequence[Sequence[FilterResult]]) -> tuple[str, str]:
        """Return what the filters that fail saw, and what they need."""
        failing = [[seen for seen in group if not seen.holds] for group in groups]
        saw = "; or ".join(self.saw(group) for group in failing)
        return saw, "; or ".join(self.needs(group) for group in failing)

    @property
    def lacks_email(self) -> bool:
        """Whether the contact has no address, and the series asks for one (§23)."""
        return self.series.patience is not None and not self.known.has_email

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


NO_EMAIL: Final = Reason("It has no email address.", "Give it an email address.")


def audience_mismatch(facts: ExplainFacts) -> Reason:
    """Return why the audience does not hold the contact: guard 3 in words (contract §4, §23)."""
    match facts.series.audience_type:
        case AudienceType.SEGMENT:
            return _filters_fail(facts)
        case AudienceType.SUBSCRIPTION:
            return _not_subscribed(facts)
    return NO_EMAIL


def _not_subscribed(facts: ExplainFacts) -> Reason:
    key = facts.known.list_key
    if key is None:
        return Reason("The series has no subscription list.", "Pick a list under Audience.")
    if facts.lacks_email:
        return Reason(
            NO_EMAIL.why, f"{NO_EMAIL.change} It has to be subscribed to {shown(key)} too."
        )
    why = f"It is not an active subscriber of the list {shown(key)}."
    return Reason(why, f"It has to subscribe to {shown(key)}.")


def _filters_fail(facts: ExplainFacts) -> Reason:
    if not facts.audience:
        return Reason("The audience has no filter.", "Add a filter under Audience.")
    if any(map(holds_all, facts.audience)):
        return NO_EMAIL
    saw, needed = facts.misses(facts.audience)
    missing = any(
        not seen.holds and seen.missing and seen.filter.type
        for group in facts.audience
        for seen in group
    )
    lacks, add = ("", "")
    if facts.lacks_email:
        lacks, add = " It has no email address.", " It needs an email address too."
    return Reason(
        f"The audience filter does not hold: {saw}.{lacks}",
        f"Needed: {needed}.{' A missing value matches nothing.' if missing else ''}{add}",
    )
