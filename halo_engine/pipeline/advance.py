"""Advancing due rows: exit rules, then the step, then the next row or the end (contract §5).

One batch is one transaction. Emails are only leased here; ``delivery.outbox`` sends them after the
commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from halo_engine.domain.decisions import (
    Exit,
    Finish,
    Postpone,
    Send,
    decide_exit,
    decide_step,
)
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series import Series, Step
from halo_engine.journey.claim import DueRow, claim_due
from halo_engine.journey.facts import gather_due
from halo_engine.journey.observe import Observed, observe
from halo_engine.journey.record import record_finished, record_leases, record_postponed
from halo_engine.pipeline.reaction import settle_seats
from halo_engine.series.completion import complete_finished
from halo_engine.series.locks import hold_series_still
from halo_engine.series.shelf import running_series
from halo_engine.work import Work

#: How long a worker may take to send what it leased, by the database's clock.
LEASE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Advance:
    """What one batch of due rows came to; ``sends`` are leased under ``token``."""

    exits: Sequence[Exit]
    finished: Sequence[Finish]
    postponed: Sequence[Postpone]
    sends: Sequence[Send]
    token: UUID


def advance(
    work: Work, limit: int, lease_seconds: float = LEASE_SECONDS, *, mail: bool = True
) -> Advance | None:
    """Handle a batch of about ``limit`` due rows, series in turns; None when nothing is due.

    Without ``mail``, and while sending is stopped, rows at an email wait, and are not claimed.
    """
    hold_series_still(work.connection, work.org_id)
    series = running_series(work.connection, work.org_id, work.org.zone, [SeriesStatus.ACTIVE])
    by_id = {each.id: each for each in series}
    rows = _claim(work, series, limit, mail=mail and not work.org.sending_stopped)
    if not rows:
        return None
    facts = gather_due(work.connection, work.org_id, work.moment, by_id, rows)
    leaving = {each.recipient_id: decide_exit(each.run) for each in facts}
    exits = [each for each in leaving.values() if each is not None]
    staying = [each for each in facts if leaving[each.recipient_id] is None]
    exits += settle_seats(work, [each.run for each in staying], exits)
    ended = {(each.series.id, each.contact_id) for each in exits}
    decisions = [
        decide_step(each, work.now)
        for each in staying
        if not ended or (each.run.series.id, each.run.contact_id) not in ended
    ]
    advanced = Advance(
        exits=exits,
        finished=[each for each in decisions if isinstance(each, Finish)],
        postponed=[each for each in decisions if isinstance(each, Postpone)],
        sends=[each for each in decisions if isinstance(each, Send)],
        token=uuid4(),
    )
    _record_steps(work, advanced, lease_seconds)
    touched = {row.run.series_id for row in rows}
    contacts = [row.run.contact_id for row in rows]
    concerned = [each for each in series if each.id in touched]
    observe(work, concerned, Observed(contacts=contacts), leaving=False)
    complete_finished(work, concerned)
    return advanced


def _claim(work: Work, series: Sequence[Series], limit: int, *, mail: bool) -> list[DueRow]:
    waiting: list[UUID] = []
    if not mail:
        # A series of nothing but emails is not even looked at: its rows may be very many.
        series = [
            each for each in series if any(map(_moves_without_mail, each.steps_by_id.values()))
        ]
        waiting = [
            step.id
            for each in series
            for step in each.steps_by_id.values()
            if not _moves_without_mail(step)
        ]
    ids = [each.id for each in series]
    return claim_due(work.connection, work.org_id, ids, work.now, limit, waiting) if ids else []


def _moves_without_mail(step: Step) -> bool:
    return step.email is None or step.removed


def _record_steps(work: Work, advanced: Advance, lease_seconds: float) -> None:
    connection, org_id = work.connection, work.org_id
    record_finished(connection, org_id, advanced.finished, work.now)
    record_postponed(connection, org_id, advanced.postponed)
    record_leases(connection, org_id, advanced.sends, advanced.token, lease_seconds)
