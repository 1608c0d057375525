"""Advancing due rows: exit rules, then the step, then the next row or the end (contract §5).

One batch is one transaction. Emails are only leased here; ``mail.sending.outbox`` sends them after
the commit.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from halo_engine.domain.series.decisions import (
    DueFacts,
    Finish,
    Postpone,
    Send,
    decide_step,
    exit_reason,
    leave,
)
from halo_engine.domain.series.running import RunningSeries
from halo_engine.journey.claim import Claimed, claim_due, claim_these
from halo_engine.journey.facts import gather_alike
from halo_engine.journey.observe import Observed, observe
from halo_engine.journey.record_finished import record_finished
from halo_engine.journey.record_pending import record_leases, record_postponed
from halo_engine.mail.sending.outcomes import Outcome
from halo_engine.pipeline.reaction import settle_seats
from halo_engine.series.cache import running_series
from halo_engine.series.completion import complete_finished
from halo_engine.series.locks import hold_series_still
from halo_engine.work import Work

#: How long a worker may take to send what it leased, by the database's clock.
LEASE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class DueChoice:
    """Which due rows a transaction handles.

    Without ``mail``, and while sending is stopped, rows at an email are not claimed. ``only`` takes
    these rows, if they are still due. ``without`` returns the series that are withheld at an
    instant, and why. ``noting`` is told the series that are running.
    """

    mail: bool = True
    only: Sequence[int] | None = None
    without: Callable[[datetime], Mapping[UUID, str]] = lambda _: {}
    noting: Callable[[RunningSeries], object] = lambda _: None


EVERY_ROW: Final = DueChoice()


@dataclass(frozen=True, slots=True)
class Advance:
    """The result of one batch of due rows; ``sends`` are leased under ``token``.

    ``finished`` includes those that left by an exit rule. ``outcomes`` has one for each of
    ``sends`` once it was tried.
    """

    finished: Sequence[Finish]
    postponed: Sequence[Postpone]
    sends: Sequence[Send]
    token: UUID
    outcomes: Sequence[Outcome] = ()

    @property
    def counts(self) -> Counter[str]:
        """Counts of the rows by result, for the log."""
        mails = Counter(f"mails_{outcome.result.value}" for outcome in self.outcomes)
        return Counter(finished=len(self.finished), postponed=len(self.postponed)) + mails


def advance(
    work: Work,
    limit: int,
    lease_seconds: float = LEASE_SECONDS,
    choice: DueChoice = EVERY_ROW,
    taken: list[Claimed] | None = None,
) -> Advance | None:
    """Handle a batch of about ``limit`` due rows, series in turns; None when nothing is due.

    Claimed rows are added to ``taken`` before they are handled.
    """
    work = hold_series_still(work)
    running = running_series(work).without(choice.without(work.now))
    choice.noting(running)
    claimed = _claim(work, running, limit, choice)
    if not claimed:
        return None
    if taken is not None:
        taken.extend(claimed)
    facts = gather_alike(work.connection, work.org_id, work.moment, running.by_id, claimed)
    exits, staying = _end_runs(work, facts)
    advanced = _take_steps(work, staying, lease_seconds)
    concerned = running.among({each.series_id for each in claimed})
    rows = [row for each in claimed for row in each.recipient_ids]
    observe(work, concerned, Observed(recipients=rows), leaving=False)
    complete_finished(work, concerned)
    return replace(advanced, finished=[*exits, *advanced.finished])


def _end_runs(work: Work, facts: Sequence[DueFacts]) -> tuple[list[Finish], list[DueFacts]]:
    """Record exits and the moves of seats; return the rows that left, and the facts of others."""
    decided = [(each, exit_reason(each.run)) for each in facts]
    exits = [leave(each, reason) for each, reason in decided if reason is not None]
    record_finished(work, exits)
    ending = [each.run for each, reason in decided if reason is not None]
    staying = [each for each, reason in decided if reason is None]
    without_seat = settle_seats(work, [each.run for each in staying], ending)
    ended = {(each.series.id, each.contact_id) for each in without_seat}
    stay = [each for each in staying if (each.run.series.id, each.run.contact_id) not in ended]
    return exits, stay if ended else staying


def _take_steps(work: Work, facts: Sequence[DueFacts], lease_seconds: float) -> Advance:
    decisions = _decided(facts, work.now)
    advanced = Advance(
        finished=[each for each in decisions if isinstance(each, Finish)],
        postponed=[each for each in decisions if isinstance(each, Postpone)],
        sends=[each for each in decisions if isinstance(each, Send)],
        token=uuid4(),
    )
    connection, org_id = work.connection, work.org_id
    record_finished(work, advanced.finished)
    record_postponed(connection, org_id, advanced.postponed)
    record_leases(connection, org_id, advanced.sends, advanced.token, lease_seconds)
    return advanced


def _decided(facts: Sequence[DueFacts], now: datetime) -> list[Send | Postpone | Finish]:
    """Decide about the rows in order. Of several mails to one contact that count for caps, those
    after the first are judged where their intent is recorded: it may not be sent.
    """
    decisions: list[Send | Postpone | Finish] = []
    mailed: set[UUID] = set()
    for each in facts:
        counts = each.run.series.counted(each.step)
        is_second = counts and each.run.contact_id in mailed
        decision = decide_step(replace(each, capped_until=None) if is_second else each, now)
        if counts and isinstance(decision, Send):
            mailed.add(each.run.contact_id)
        decisions.append(decision)
    return decisions


def _claim(work: Work, running: RunningSeries, limit: int, choice: DueChoice) -> list[Claimed]:
    connection, org_id, now = work.connection, work.org_id, work.now
    # Where filters name series, what one row does may decide another of its contact.
    one_each = bool(work.org.announced_series)
    if choice.only is not None:
        series = running.active_ids
        return claim_these(connection, org_id, now, series, choice.only, one_each=one_each)
    beside: tuple[Sequence[UUID], Sequence[UUID]] | None = None
    # While mail waits, a series that has only email steps is not even looked at: it may have very
    # many rows.
    if not choice.mail or work.org.sending_stopped:
        beside = running.beside_mail
    elif running.aside:
        beside = (running.active_ids, ())
    return claim_due(connection, org_id, now, limit, beside=beside, one_each=one_each)
