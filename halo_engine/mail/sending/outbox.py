"""Send a leased batch: commit each intent before its message, and each outcome after it (§9).

There is one transaction for each message: it records the outcome of the last message and the intent
of the next. So a killed worker leaves at most one message of unknown outcome, and ``reap`` settles
that. A live worker settles its unknown outcomes itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Final
from uuid import UUID

from halo_engine.domain.reasons import Status
from halo_engine.domain.series.decisions import DueFacts, Finish, Postpone, Send, finish
from halo_engine.domain.series.definition import Series
from halo_engine.journey.parking import FailedAlone, park_rows
from halo_engine.mail.sending.capped import held_by_caps, holding_mail
from halo_engine.mail.sending.intent import Wanted, intending, message_id_of
from halo_engine.mail.sending.leases import Release, hold_leased, release, retry_at
from halo_engine.mail.sending.letters import Letter, MailFacts, written
from halo_engine.mail.sending.outcomes import (
    Outcome,
    RowResult,
    entries,
    noting,
    was_sent_before,
    withdrawing,
)
from halo_engine.mail.sending.posting import PostResult, announced, post
from halo_engine.mail.sending.settling import load_series_of, settle, settle_unknown
from halo_engine.mail.sending.stops import note_outage
from halo_engine.mail.sending.throttle import Throttle, Turn
from halo_engine.mail.transports.transports import NotHandedOver, Transport
from halo_engine.series.locks import hold_series_still, holding_series_still
from halo_engine.sql.prepared import BoundStatement
from halo_engine.work import Organization, Transactions, Work

_RESULTS: Final[Mapping[PostResult, RowResult]] = {
    PostResult.ACCEPTED: RowResult.SENT,
    PostResult.REFUSED: RowResult.FAILED,
    PostResult.PUT_OFF: RowResult.RETRIED,
    PostResult.DOWN: RowResult.HELD,
    PostResult.BROKE_OFF: RowResult.SET_BACK,
    PostResult.UNKNOWN: RowResult.UNKNOWN,
}
#: The outcomes of emails that could be written.
_WRITTEN: Final = frozenset({*_RESULTS.values()})
_NOT_HANDED_OVER: Final = frozenset({RowResult.RETRIED, RowResult.HELD, RowResult.SET_BACK})


@dataclass(slots=True)
class _Batch:
    """The outcome of each row so far, and the one that is not in the send log yet."""

    known: dict[int, Outcome]
    unnoted: Outcome | None = None

    def note(self, outcome: Outcome) -> None:
        """Keep the outcome of a message until the send log has it."""
        self.unnoted = self.known[outcome.recipient_id] = outcome


class _NoIntent(Enum):
    """Why a row has no intent."""

    #: It may no longer be sent, or another worker has it.
    UNWANTED = "unwanted"
    #: Sending was stopped: the rest of the batch may not be sent either.
    STOPPED = "stopped"


def send_leased(
    transact: Transactions,
    transport: Transport,
    facts: MailFacts,
    sends: Sequence[Send],
    throttle: Throttle,
) -> list[Outcome]:
    """Send the emails of leased rows and move their runs on; return one outcome a row.

    ``facts`` is what ``letters.gather`` returned for them. A row is given back if its email may no
    longer be sent, or if it was not begun before the ``throttle``'s turn ended, the server went
    down or sending was stopped. A row that another worker has is left alone. All known outcomes
    are recorded, whatever the transport raises. A bug in the transport and a worker that is told
    to stop end the batch; the current email's outcome then counts as unknown unless it is known.
    """
    batch = _Batch({row: Outcome(row, RowResult.RELEASED) for row in map(_row, sends)})
    turn = throttle.turn()
    try:
        _send_each(transact, transport, facts, sends, batch, turn)
        turn.close()
    finally:
        transact(partial(_close, token=facts.token, sends=sends, batch=batch, turn=turn))
    return [batch.known[_row(send)] for send in sends]


def give_back(work: Work, token: UUID, rows: Sequence[int], faults: Sequence[FailedAlone]) -> None:
    """Give back the ``rows`` that ``token`` still leases, untried; park the faulty ones."""
    held = hold_leased(work.connection, work.org_id, token, rows)
    release(work.connection, work.org_id, [Release(row) for row in held])
    park_rows(work, [fault for fault in faults if fault.id in held])


def _send_each(
    transact: Transactions,
    transport: Transport,
    facts: MailFacts,
    sends: Sequence[Send],
    batch: _Batch,
    turn: Turn,
) -> None:
    with transact.kept_connection() as kept_connection:
        for send, letter in written(facts, sends):
            row = _row(send)
            if isinstance(letter, Outcome):
                batch.known[row] = letter
                continue
            if not turn.goes_on():
                break
            with announced(transport, letter.mail):
                calls = _intent(facts, send.due, letter, batch.unnoted, transact.now)
                *_, intended = kept_connection(calls)
                batch.unnoted = None
                if not intended:
                    reason = transact(partial(_why_not, due=send.due))
                    if reason is _NoIntent.STOPPED:
                        break
                    if isinstance(reason, Outcome):
                        batch.known[row] = reason
                    continue
                # Unknown until the transport has answered.
                batch.known[row] = Outcome(row, RowResult.UNKNOWN)
                message_id = str(intended[0]["message_id"])
                try:
                    batch.note(_post(transport, letter, message_id, turn.throttle))
                except NotHandedOver:
                    batch.note(Outcome(row, RowResult.HELD))
                    raise


def _row(send: Send) -> int:
    return send.due.recipient_id


def _intent(
    facts: MailFacts, due: DueFacts, letter: Letter, unnoted: Outcome | None, now: datetime | None
) -> Sequence[BoundStatement]:
    """Return the statements that record the last outcome and the intent of ``letter`` (§9)."""
    org_id, row, series = facts.org.id, letter.recipient_id, due.run.series
    fresh = message_id_of(org_id, row, facts.sender.domain)
    caps = series.hours.caps if series.is_capped(due.step) else ()
    # What only counts is locked too: whoever is held back has to see it.
    counts = series.counted(due.step)
    return [
        holding_series_still(org_id),
        *_noting(facts.org, unnoted, facts.token, now),
        *(holding_mail(org_id, row, due.run.contact_id) if counts else ()),
        intending(Wanted(org_id, row, facts.token, letter.address, fresh, caps, due.latest), now),
    ]


def _why_not(work: Work, *, due: DueFacts) -> _NoIntent | Outcome:
    """Return why there is no intent, or what became of the row."""
    row = due.recipient_id
    if work.org.sending_stopped:
        return _NoIntent.STOPPED
    entry = entries(work, [row]).get(row)
    if entry is not None and entry.state == "sent":
        # A worker with an expired lease recorded that after the row was given back.
        return Outcome(row, RowResult.SENT)
    if was_sent_before(work, row):
        return Outcome(row, RowResult.SENT)
    match held_by_caps(work, due) if due.run.series.is_capped(due.step) else None:
        case Postpone(until=until):
            return Outcome(row, RowResult.CAPPED, until=until)
        case Finish(reason=reason):
            return Outcome(row, RowResult.CAPPED_OUT, reason)
    return _NoIntent.UNWANTED


def _noting(
    org: Organization, outcome: Outcome | None, token: UUID, now: datetime | None
) -> Sequence[BoundStatement]:
    if outcome is None:
        return []
    if outcome.result in _NOT_HANDED_OVER:
        return [withdrawing(org.id, outcome.recipient_id, token)]
    return noting(org, outcome, now, token)


def _post(transport: Transport, letter: Letter, message_id: str, throttle: Throttle) -> Outcome:
    """Send the letter, and return the outcome of its row."""
    posted = post(transport, throttle, letter.mail, message_id)
    result = _RESULTS[posted.result]
    if result is RowResult.RETRIED and letter.is_last_attempt:
        result = RowResult.FAILED
    return Outcome(letter.recipient_id, result, posted.reason, posted.bounce, posted.relay_id)


def _close(
    work: Work,
    *,
    token: UUID,
    sends: Sequence[Send],
    batch: _Batch,
    turn: Turn,
) -> None:
    """Record the last outcome, and move on the rows that ``token`` still leases."""
    work = hold_series_still(work)
    # Lock runs before messages, in the order of an erasure, which deletes both.
    attempts = hold_leased(work.connection, work.org_id, token, batch.known)
    for call in _noting(work.org, batch.unnoted, token, work.now):
        call.rows(work.connection)
    series = load_series_of(work, [send.due.run.series.id for send in sends])
    verdicts = [
        _verdict(_as_of_now(send, series), batch.known[_row(send)], attempts[_row(send)], work.now)
        for send in sends
        if _row(send) in attempts
    ]
    finished = [each for each in verdicts if isinstance(each, Finish)]
    settle(work, finished, [each for each in verdicts if isinstance(each, Release)])
    _park_faulty(work, [each for each in batch.known.values() if each.recipient_id in attempts])
    if turn.throttle.outage is not None or turn.was_answered:
        note_outage(work.connection, turn.throttle.outage, work.now)


def _park_faulty(work: Work, outcomes: Sequence[Outcome]) -> None:
    """Park the rows whose emails could not be written; it counts as a try if others could be."""
    faulty = [each for each in outcomes if each.result is RowResult.FAULTY]
    others = any(each.result in _WRITTEN for each in outcomes)
    park_rows(work, [FailedAlone(each.recipient_id, each.reason or "", others) for each in faulty])


def _verdict(due: DueFacts, outcome: Outcome, attempts: int, now: datetime) -> Finish | Release:
    row = outcome.recipient_id
    match outcome.result:
        case RowResult.SENT:
            return finish(due, Status.COMPLETED, None, now)
        case RowResult.FAILED | RowResult.CAPPED_OUT:
            is_skipped = outcome.result is RowResult.CAPPED_OUT
            status = Status.SKIPPED if is_skipped else Status.FAILED
            return finish(due, status, outcome.reason, now)
        case RowResult.UNKNOWN:
            return settle_unknown(due, attempts, now)
        case RowResult.RETRIED:
            return Release(row, retry_at(attempts, now), tried=True)
        case RowResult.SET_BACK:
            return Release(row, retry_at(1, now))
        case RowResult.HELD | RowResult.RELEASED | RowResult.FAULTY | RowResult.CAPPED:
            return Release(row, outcome.until)


def _as_of_now(send: Send, series: Mapping[UUID, Series]) -> DueFacts:
    """Return the row's facts with the current series: it may have been saved meanwhile.

    If code of another version saved it and this code cannot read it, the old series counts.
    """
    current = series.get(send.due.run.series.id, send.due.run.series)
    return replace(
        send.due,
        run=replace(send.due.run, series=current),
        step=current.steps_by_id[send.due.step.id],
    )
