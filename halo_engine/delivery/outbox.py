"""Sending what the tick has leased: each intent committed before, each outcome after (§9).

One transaction a message: it notes the outcome of the message before, and the intent of the next.
A worker that is killed therefore leaves at most one message whose outcome nobody knows, and
``delivery.reap`` deals with it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from functools import partial
from typing import Final
from uuid import UUID

from halo_engine.delivery.intent import intend, message_id_of
from halo_engine.delivery.leases import MOST_ATTEMPTS, Release, hold_leased, retry_at
from halo_engine.delivery.ledger import Outcome, Result, note
from halo_engine.delivery.message import Sender, add_message_id, write_message
from halo_engine.delivery.settling import load_series_of, settle
from halo_engine.delivery.transports import PermanentFailure, TemporaryFailure, Transport
from halo_engine.delivery.values import gather_values
from halo_engine.domain.decisions import DueFacts, Send, finish
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields import Field, resolve
from halo_engine.domain.merge_fields import fields_of
from halo_engine.domain.reasons import SeriesKind, Status
from halo_engine.domain.series import Email, Series
from halo_engine.series.locks import hold_series_still
from halo_engine.work import Transact, Work

_ADDRESS: Final = resolve("email")


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the emails of one batch are written with, gathered beforehand."""

    sender: Sender
    footer: str | None
    now: datetime
    attempts: Mapping[int, int]
    values: Mapping[UUID, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Letter:
    """One written email, and the row that it is for."""

    recipient_id: int
    address: str
    message: EmailMessage
    is_last_attempt: bool


def send_leased(
    transact: Transact, transport: Transport, sender: Sender, token: UUID, sends: Sequence[Send]
) -> list[Outcome]:
    """Send the emails of rows that ``token`` leases, and move their runs on; one outcome a row.

    A row whose email is no longer wanted, or that somebody else has, is given back or left alone.
    When the transport raises what is no answer, or the worker is told to stop, what is known is
    still recorded and what was not begun is given back; the email under way is the reaper's.
    """
    if not sends:
        return []
    desk = transact(partial(_gather, sender=sender, token=token, sends=sends))
    known = {row: Outcome(row, Result.RELEASED) for row in map(_row, sends)}
    unnoted: Outcome | None = None
    try:
        for send in sends:
            row = _row(send)
            letter = _write(desk, send)
            if isinstance(letter, Outcome):
                known[row] = letter
                continue
            message_id = transact(
                partial(_intend, sender=sender, token=token, letter=letter, unnoted=unnoted)
            )
            unnoted = None
            if message_id is None:
                continue
            # From here on nobody knows, until the transport has answered.
            del known[row]
            unnoted = known[row] = _post(transport, letter, message_id)
    finally:
        transact(partial(_close, token=token, sends=sends, known=known, unnoted=unnoted))
    return [known[_row(send)] for send in sends]


def _row(send: Send) -> int:
    return send.due.recipient_id


def _gather(work: Work, *, sender: Sender, token: UUID, sends: Sequence[Send]) -> _Desk:
    emails = {send.due.step.id: send.due.step.email for send in sends}.values()
    fields = {_ADDRESS}.union(*(_fields_of(email) for email in emails if email))
    return _Desk(
        sender=sender,
        footer=work.org.company_footer,
        now=work.now,
        attempts=hold_leased(work.connection, work.org_id, token, [_row(send) for send in sends]),
        values=gather_values(work, {send.due.run.contact_id for send in sends}, fields),
    )


def _fields_of(email: Email) -> frozenset[Field]:
    # A text that cannot be read has no fields; writing it will say what is wrong.
    with suppress(Refusal):
        return fields_of(email.subject) | fields_of(email.body)
    return frozenset()


def _write(desk: _Desk, send: Send) -> _Letter | Outcome:
    """Write the row's email; an outcome instead when there is nothing to send."""
    due, row = send.due, _row(send)
    values = desk.values.get(due.run.contact_id, {})
    address = values.get(_ADDRESS.name)
    if row not in desk.attempts or not address:
        return Outcome(row, Result.RELEASED)
    assert due.step.email is not None
    try:
        message = write_message(
            due.step.email,
            values,
            sender=desk.sender,
            to=address,
            footer=_footer(due.run.series, desk.footer),
            now=desk.now,
        )
    except PermanentFailure as failure:
        return Outcome(row, Result.FAILED, failure.reason)
    return _Letter(row, address, message, is_last_attempt=desk.attempts[row] >= MOST_ATTEMPTS)


def _footer(series: Series, company_footer: str | None) -> str | None:
    if series.kind is not SeriesKind.MARKETING:
        return None
    if not company_footer:
        raise PermanentFailure("Marketing emails require a company footer.")
    return company_footer


def _intend(
    work: Work, *, sender: Sender, token: UUID, letter: _Letter, unnoted: Outcome | None
) -> str | None:
    """Note the outcome before and the intent of ``letter``; return its Message-ID, or None (§9)."""
    hold_series_still(work.connection, work.org_id)
    if unnoted is not None:
        note(work, unnoted)
    fresh = message_id_of(work.org_id, letter.recipient_id, sender.domain)
    return intend(work, token, letter.recipient_id, letter.address, fresh)


def _post(transport: Transport, letter: _Letter, message_id: str) -> Outcome:
    add_message_id(letter.message, message_id)
    try:
        transport.send(letter.message, message_id)
    except PermanentFailure as failure:
        return Outcome(letter.recipient_id, Result.FAILED, failure.reason)
    except TemporaryFailure as failure:
        result = Result.FAILED if letter.is_last_attempt else Result.RETRIED
        return Outcome(letter.recipient_id, result, failure.reason)
    return Outcome(letter.recipient_id, Result.SENT)


def _close(
    work: Work,
    *,
    token: UUID,
    sends: Sequence[Send],
    known: Mapping[int, Outcome],
    unnoted: Outcome | None,
) -> None:
    """Move on the rows that ``token`` still leases, all but the one of which nothing is known."""
    hold_series_still(work.connection, work.org_id)
    # Runs before messages: an erasure, which takes a contact's mails along, comes that way too.
    attempts = hold_leased(work.connection, work.org_id, token, known)
    if unnoted is not None:
        note(work, unnoted)
    series = load_series_of(work, [send.due.run.series.id for send in sends])
    finished, released = [], []
    for send in sends:
        row = _row(send)
        if row not in attempts:
            continue
        match known[row].result:
            case Result.SENT:
                finished.append(finish(_as_of_now(send, series), Status.COMPLETED, None, work.now))
            case Result.FAILED:
                reason = known[row].reason
                finished.append(finish(_as_of_now(send, series), Status.FAILED, reason, work.now))
            case Result.RETRIED:
                released.append(Release(row, retry_at(attempts[row], work.now)))
            case Result.RELEASED:
                released.append(Release(row))
    settle(work, finished, released)


def _as_of_now(send: Send, series: Mapping[UUID, Series]) -> DueFacts:
    """Return the row's facts with its series as it stands now: it may have been saved meanwhile."""
    current = series[send.due.run.series.id]
    return replace(
        send.due,
        run=replace(send.due.run, series=current),
        step=current.steps_by_id[send.due.step.id],
    )
