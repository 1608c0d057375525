"""Decide what happens to a run: plain rules over gathered facts, without I/O (contract §5, §6).

``journey.facts`` gathers, this module decides, ``journey.record_…`` write.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from halo_engine.domain.reasons import SkipReason, Status, WhenCapped
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.series.exits import EXIT_RULES, ExitReason


@dataclass(frozen=True, slots=True)
class SeatHolder:
    """The active run that holds the seat of a company."""

    contact_id: UUID
    number: int
    enrolled_at: datetime
    enrollment_id: int


@dataclass(frozen=True, slots=True)
class Seating:
    """The seat that a run has, the company its contact is in, and who holds that company's seat."""

    enrolled_at: datetime
    enrollment_id: int
    company_id: UUID | None
    company_seat: UUID | None
    holder: SeatHolder | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The facts of one active run that exit rules need.

    ``holding`` are the exit rules whose question is answered with yes, whether they are on or not;
    what no rule of the series asks is not gathered. ``seating`` is None if no series of the set is
    one per company.
    """

    series: Series
    contact_id: UUID
    number: int
    seating: Seating | None
    holding: Collection[ExitReason]

    @property
    def key(self) -> tuple[UUID, UUID, int]:
        """The ids of contact and series, and the number of the run."""
        return self.contact_id, self.series.id, self.number

    @property
    def moves(self) -> Seating | None:
        """The seating, if the contact is not in the company whose seat it has (guard 10)."""
        seating = self.seating if self.series.settings.one_per_company else None
        return seating if seating and seating.company_id != seating.company_seat else None


@dataclass(frozen=True, slots=True)
class DueFacts:
    """The facts that the step of due rows needs, besides those of the run.

    Rows with equal facts are decided together; ``run`` then has the contact and numbers of one of
    them. Rows at an email, and rows whose company's seat may move, come one by one.
    ``condition_holds`` is false at an email. For an edited series ``visited`` holds the steps at
    which the run already has a row. ``zone`` is the contact's, where the series asks for it.
    ``capped_until`` is when frequency caps allow the email, if they do not now; ``latest`` until
    when it may be sent.
    """

    run: RunFacts
    recipient_ids: Sequence[int]
    step: Step
    has_address: bool
    condition_holds: bool
    visited: Collection[UUID] = ()
    zone: ZoneInfo | None = None
    capped_until: datetime | None = None
    latest: datetime | None = None

    def is_late(self, instant: datetime) -> bool:
        """Whether the email may no longer be sent at ``instant`` (contract §20)."""
        return self.latest is not None and instant > self.latest

    @property
    def recipient_id(self) -> int:
        """The only row."""
        [alone] = self.recipient_ids
        return alone


@dataclass(frozen=True, slots=True)
class Exit:
    """The run ends: its active row becomes ``exited`` with ``reason`` (contract §6)."""

    series: Series
    contact_id: UUID
    number: int
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Send:
    """The row's email is to be sent now; ``due`` is about this row alone."""

    due: DueFacts


class Waits(StrEnum):
    """Why an email waits (contract §5, §20)."""

    OUTSIDE_WINDOW = "outside_window"
    QUIET_HOURS = "quiet_hours"
    FREQUENCY_CAP = "frequency_cap"


@dataclass(frozen=True, slots=True)
class Postpone:
    """The rows wait until their email may be sent, and why."""

    due: DueFacts
    until: datetime
    why: Waits


@dataclass(frozen=True, slots=True)
class Finish:
    """Rows are done with ``status``; their runs go on to ``next_step``, or end with ``ends``."""

    series: Series
    recipient_ids: Sequence[int]
    status: Status
    reason: str | None
    next_step: Step | None
    next_due: datetime | None
    ends: ExitReason | None

    @property
    def exit_reason(self) -> ExitReason | None:
        """The exit reason of the row itself: an exit, or the end of a finished series (§5)."""
        stamps = self.status is Status.EXITED or self.ends is ExitReason.COMPLETED
        return self.ends if stamps else None


def decide_exit(facts: RunFacts) -> Exit | None:
    """Return the exit of a run if an exit rule fires; else None (contract §6)."""
    reason = exit_reason(facts)
    return Exit(facts.series, facts.contact_id, facts.number, reason) if reason else None


def exit_reason(facts: RunFacts) -> ExitReason | None:
    """Return the exit rule that fires, the first in the order of §6's table, or None."""
    if not facts.holding:
        return None
    firing = (rule for rule in EXIT_RULES if rule.key in facts.holding and rule.is_on(facts.series))
    return next((rule.key for rule in firing), None)


def left_list(facts: RunFacts) -> bool:
    """Return whether the contact is off the list of a list series (contract §5, §6)."""
    return ExitReason.UNSUBSCRIBED in facts.holding


def leave(facts: DueFacts, reason: ExitReason) -> Finish:
    """Return the end of due rows whose runs end by an exit rule (contract §6)."""
    return Finish(
        series=facts.run.series,
        recipient_ids=facts.recipient_ids,
        status=Status.EXITED,
        reason=None,
        next_step=None,
        next_due=None,
        ends=reason,
    )


def decide_step(facts: DueFacts, now: datetime) -> Send | Postpone | Finish:
    """Decide about a due row whose run goes on (contract §5)."""
    if facts.step.removed:
        return finish(facts, Status.SKIPPED, SkipReason.STEP_REMOVED, now)
    if facts.step.condition is not None:
        return _decide_condition(facts, now)
    return _decide_email(facts, now)


def _decide_condition(facts: DueFacts, now: datetime) -> Finish:
    if facts.condition_holds:
        return finish(facts, Status.COMPLETED, None, now)
    return Finish(
        series=facts.run.series,
        recipient_ids=facts.recipient_ids,
        status=Status.SKIPPED,
        reason=SkipReason.CONDITION_NOT_MET,
        next_step=None,
        next_due=None,
        ends=ExitReason.CONDITION_NOT_MET,
    )


def _decide_email(facts: DueFacts, now: datetime) -> Send | Postpone | Finish:
    if not facts.has_address:
        return finish(facts, Status.SKIPPED, SkipReason.NO_EMAIL, now)
    if left_list(facts.run):
        return finish(facts, Status.SKIPPED, SkipReason.UNSUBSCRIBED, now)
    if facts.is_late(now):
        return finish(facts, Status.SKIPPED, SkipReason.TOO_LATE, now)
    decision = _decide_time(facts, now)
    if isinstance(decision, Postpone) and facts.is_late(decision.until):
        return finish(facts, Status.SKIPPED, SkipReason.TOO_LATE, now)
    return decision


def _decide_time(facts: DueFacts, now: datetime) -> Send | Postpone | Finish:
    """Decide by quiet hours and window, then by frequency caps (contract §20)."""
    times = facts.run.series.times(facts.step)
    opening = times.first(now, facts.zone)
    if opening is None:
        return finish(facts, Status.SKIPPED, SkipReason.QUIET_HOURS, now)
    if opening > now:
        is_quiet = times.is_quiet(now, facts.zone)
        return Postpone(facts, opening, Waits.QUIET_HOURS if is_quiet else Waits.OUTSIDE_WINDOW)
    if facts.capped_until is not None and facts.capped_until > now:
        if facts.run.series.settings.when_capped is WhenCapped.SKIP:
            return finish(facts, Status.SKIPPED, SkipReason.FREQUENCY_CAP, now)
        until = times.due(facts.capped_until, facts.zone)
        return Postpone(facts, until, Waits.FREQUENCY_CAP)
    return Send(facts)


def first_mail(series: Series, entered_at: datetime) -> datetime | None:
    """Return when a run that begins then sends its first email, if nothing ends it before and the
    contact is in the organisation's zone.
    """
    at = entered_at
    for step in series.steps:
        at = series.opening(step, at)
        if step.email is not None:
            return at
    return None


def finish(facts: DueFacts, status: Status, reason: str | None, now: datetime) -> Finish:
    """Return the row's end with ``status``, and the next step, which is reached ``now`` (§5)."""
    series = facts.run.series
    following = series.step_after(facts.step, facts.visited)
    return Finish(
        series=series,
        recipient_ids=facts.recipient_ids,
        status=status,
        reason=reason,
        next_step=following,
        next_due=series.opening(following, now, facts.zone) if following else None,
        ends=None if following else ExitReason.COMPLETED,
    )
