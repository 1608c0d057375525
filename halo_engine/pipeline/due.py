"""Handle an organisation's due rows and send its emails; isolate and park what fails (§5, §9).

A batch that fails is handled again series by series; a series that fails, row by row. A series of
which no row succeeds is withheld for a while.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from halo_engine.domain.series.decisions import Send
from halo_engine.domain.series.running import RunningSeries
from halo_engine.journey.claim import Claimed
from halo_engine.journey.parking import FailedAlone, park_rows
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.sending.letters import MailFacts, gather
from halo_engine.mail.sending.outbox import give_back, send_leased
from halo_engine.mail.sending.outcomes import Outcome
from halo_engine.mail.sending.reap import reap
from halo_engine.mail.sending.throttle import Throttle
from halo_engine.mail.transports.transports import Transport
from halo_engine.pipeline.advance import LEASE_SECONDS, Advance, DueChoice, advance
from halo_engine.pipeline.health import Health, Record, WorkKind
from halo_engine.pipeline.isolate import (
    BatchError,
    FailedGroup,
    FailedItem,
    Interruptions,
    attempt,
    isolate,
    isolate_in_groups,
    kind_of,
)
from halo_engine.work import ALL_LEAD, Reach, Transactions, Work

#: Due rows that one transaction handles at most, chosen by measurement.
DUE_ROWS: Final = 5_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PostOffice:
    """How emails are sent: the transport, the sender, the rate, and the length of leases.

    ``lease_seconds`` are counted by the database's clock; a lease outlasts every task. ``reach``
    says which links in the mail lead to a page.
    """

    transport: Transport
    sender: Sender
    throttle: Throttle = field(default_factory=Throttle)
    lease_seconds: float = LEASE_SECONDS
    reach: Reach = ALL_LEAD


@dataclass(frozen=True)
class Due:
    """One turn at an organisation's due rows."""

    transact: Transactions
    post: PostOffice
    health: Health
    interruptions: Interruptions = ()

    @property
    def _record(self) -> Record:
        return self.health.records[WorkKind.ROWS]

    def run(self) -> Iterator[Advance]:
        """Handle a batch of due rows and send its emails; when mail is limited, rows at other steps
        go first.
        """
        at_once = self.health.rows_at_once or DUE_ROWS
        room = self.post.throttle.room(at_once)
        if room < at_once:
            yield from self._batch(at_once, DueChoice(mail=False))
        if room:
            yield from self._batch(room, DueChoice())

    def _batch(self, limit: int, choice: DueChoice) -> Iterator[Advance]:
        try:
            advanced = self._advance(limit, choice)
        except BatchError as failed:
            rows = sum(len(each.recipient_ids) for each in failed.batch)
            if failed.too_long and rows > 1:
                self.health.rows_at_once = max(rows // 2, 1)
                _log.warning("too much at once", rows=rows, problem=kind_of(failed.problem))
            else:
                yield from self._find_fault(failed)
            return
        if advanced is not None:
            if self.health.rows_at_once is not None:
                self.health.rows_at_once = min(self.health.rows_at_once * 2, DUE_ROWS)
            self._record.succeeded()
            yield self._send(advanced)

    def _advance(self, limit: int, choice: DueChoice) -> Advance | None:
        choice = replace(choice, without=self.health.withheld, noting=self._note)

        def advancing(work: Work, taken: list[Claimed]) -> Advance | None:
            self.health.asks_to_confirm = work.org.asks_to_confirm
            return advance(work, limit, self.post.lease_seconds, choice, taken)

        return attempt(self.transact, advancing, self.interruptions)

    def _note(self, running: RunningSeries) -> None:
        self.health.releases = bool(running.releasing)

    def _find_fault(self, failed: BatchError) -> Iterator[Advance]:
        """Find the series that fail, then the rows that fail in them."""
        rows = [_DueRow(each.series_id, row) for each in failed.batch for row in each.recipient_ids]
        by_row = BatchError(rows, failed.problem)
        for found in isolate_in_groups(by_row, _DueRow.series_of, self._advance_only):
            if isinstance(found, FailedItem):
                self._park(FailedItem(found.item.id, found.problem, found.others_succeed))
            elif isinstance(found, FailedGroup):
                self._withhold(found)
            else:
                yield self._succeeded(found)

    def _advance_only(self, rows: Sequence["_DueRow"]) -> Advance | None:
        return self._advance(len(rows), DueChoice(only=[each.id for each in rows]))

    def _withhold(self, failed: FailedGroup[UUID]) -> None:
        _log.error("series aside", series=failed.group, problem=kind_of(failed.problem))
        now = self.transact(lambda work: work.now)
        self.health.withhold(failed.group, failed.problem, now)

    def _succeeded(self, advanced: Advance) -> Advance:
        self._record.succeeded()
        return self._send(advanced)

    def _park(self, failed: FailedItem[int]) -> None:
        counts = failed.others_succeed or self._record.went_well
        fault = FailedAlone(failed.item, failed.problem, counts)

        def parking(work: Work) -> datetime:
            park_rows(work, [fault])
            return work.now

        now = self.transact(parking)
        if not failed.others_succeed:
            self._record.failed(fault.id, now)
        _log.error("row parked", row=fault.id, problem=kind_of(fault.problem), counts=fault.counts)

    def _send(self, advanced: Advance) -> Advance:
        """Send what was leased; give back and park an email whose values cannot be gathered."""
        token, sends = advanced.token, advanced.sends
        if not sends:
            return advanced
        try:
            return replace(advanced, outcomes=self._send_some(token, sends))
        except BatchError as failed:
            return replace(advanced, outcomes=self._find_email(token, sends, failed))

    def _find_email(self, token: UUID, sends: Sequence[Send], failed: BatchError) -> list[Outcome]:
        """Send the emails of a batch whose values can be gathered; give back the others."""
        outcomes: list[Outcome] = []
        faults: list[FailedAlone] = []
        for found in isolate_in_groups(failed, _series_of, partial(self._send_some, token)):
            if isinstance(found, FailedItem):
                row = found.item.due.recipient_id
                faults.append(FailedAlone(row, found.problem, found.others_succeed))
            elif isinstance(found, FailedGroup):
                self._withhold(found)
            else:
                outcomes += found
        rows = [send.due.recipient_id for send in sends]
        self.transact(partial(give_back, token=token, rows=rows, faults=faults))
        return outcomes

    def _send_some(self, token: UUID, sends: Sequence[Send]) -> list[Outcome]:
        sender = self.post.sender

        def gathering(work: Work, taken: list[Send]) -> MailFacts:
            taken.extend(sends)
            return gather(work, sender=sender, token=token, sends=sends)

        facts = attempt(self.transact, gathering, self.interruptions)
        return send_leased(self.transact, self.post.transport, facts, sends, self.post.throttle)

    def reap(self) -> None:
        """Take back the leases of dead workers (contract §9)."""
        goes_on = True
        while goes_on:
            try:
                goes_on = self._reap(None) is not None
            except BatchError as failed:
                goes_on = False
                for found in isolate(failed, self._reap):
                    if not isinstance(found, FailedItem):
                        goes_on = True
                        self._record.succeeded()
                        continue
                    self._park(found)

    def _reap(self, only: Sequence[int] | None) -> int | None:
        def reaping(work: Work, taken: list[int]) -> int:
            return reap(work, DUE_ROWS, only=only, taken=taken)

        return attempt(self.transact, reaping, self.interruptions) or None


class _DueRow(NamedTuple):
    """A due row, and its series."""

    series_id: UUID
    id: int

    def series_of(self) -> UUID:
        """Return the series: failing rows are searched series by series."""
        return self.series_id


def _series_of(send: Send) -> UUID:
    return send.due.run.series.id
