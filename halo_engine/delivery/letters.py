"""Write the emails of a leased batch, from data gathered at once for all of them (§9)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from halo_engine.delivery.intent import mail_id
from halo_engine.delivery.leases import MOST_ATTEMPTS, hold_leased
from halo_engine.delivery.ledger import Outcome, Result
from halo_engine.delivery.links import MailLinks
from halo_engine.delivery.message import Sender, footer_of, write_mail
from halo_engine.delivery.transports import Mail, PermanentFailure
from halo_engine.delivery.values import fields_of_email, gather_values
from halo_engine.domain.decisions import Send
from halo_engine.domain.merge_fields import MergeField
from halo_engine.work import Organization, Work

_ADDRESS: Final = MergeField.of("email")
_WRITTEN_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Desk:
    """The data from which the emails of one batch are written."""

    sender: Sender
    org: Organization
    token: UUID
    now: datetime
    attempts: Mapping[int, int]
    values: Mapping[UUID, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Letter:
    """A written email, and the row that it is for."""

    recipient_id: int
    address: str
    mail: Mail
    is_last_attempt: bool


def gather(work: Work, *, sender: Sender, token: UUID, sends: Sequence[Send]) -> Desk:
    """Gather the data for the emails, and lock the rows that ``token`` leases."""
    emails = {send.due.step.id: send.due.step.email for send in sends}.values()
    fields = {_ADDRESS}.union(*(fields_of_email(email) for email in emails if email))
    return Desk(
        sender=sender,
        org=work.org,
        token=token,
        now=work.now,
        attempts=hold_leased(
            work.connection, work.org_id, token, [send.due.recipient_id for send in sends]
        ),
        values=gather_values(work, {send.due.run.contact_id for send in sends}, fields),
    )


def written(desk: Desk, sends: Sequence[Send]) -> Iterator[tuple[Send, Letter | Outcome]]:
    """Yield each email, or an outcome if there is nothing to send.

    They are written in groups: writing one by one between waits for servers takes three times as
    long.
    """
    for start in range(0, len(sends), _WRITTEN_AT_ONCE):
        some = sends[start : start + _WRITTEN_AT_ONCE]
        yield from zip(some, [_write(desk, send) for send in some], strict=True)


def _write(desk: Desk, send: Send) -> Letter | Outcome:
    """Return the row's email, or an outcome if there is nothing to send."""
    due, row = send.due, send.due.recipient_id
    values = desk.values.get(due.run.contact_id, {})
    address = values.get(_ADDRESS.named)
    if row not in desk.attempts or not address:
        return Outcome(row, Result.RELEASED)
    assert due.step.email is not None
    try:
        mail = write_mail(
            due.step.email,
            values,
            sender=desk.sender,
            to=address,
            footer=footer_of(due.run.series, desk.org),
            links=MailLinks.of(desk.sender.bases, desk.org, due.run.series, row),
            now=desk.now,
        )
    except PermanentFailure as failure:
        return Outcome(row, Result.FAILED, failure.reason)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the others are still written
        return Outcome(row, Result.FAULTY, f"{type(error).__name__}: {error}")
    mail = replace(mail, sender=desk.sender.envelope(mail_id(desk.org.id, row)))
    return Letter(row, address, mail, is_last_attempt=desk.attempts[row] >= MOST_ATTEMPTS)
