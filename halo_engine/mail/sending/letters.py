"""Write the emails of a leased batch, from data gathered at once for all of them (§9)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from halo_engine.domain.fields.merge_fields import MergeField
from halo_engine.domain.series.decisions import DueFacts, RunFacts, Send
from halo_engine.mail.composing.message import mail_of_step
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.composing.values import (
    RunKey,
    fields_of_email,
    gather_kept_values,
    gather_values,
)
from halo_engine.mail.sending.intent import mail_id
from halo_engine.mail.sending.leases import MOST_ATTEMPTS, hold_leased
from halo_engine.mail.sending.outcomes import Outcome, RowResult
from halo_engine.mail.transports.transports import About, Mail, PermanentFailure
from halo_engine.work import Organization, Work

_ADDRESS: Final = MergeField.of("email")
_WRITTEN_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class MailFacts:
    """The data from which the emails of one batch are written.

    ``kept`` are the properties of the events that began the runs, where an email names one.
    """

    sender: Sender
    org: Organization
    token: UUID
    now: datetime
    attempts: Mapping[int, int]
    values: Mapping[UUID, Mapping[str, str]]
    kept: Mapping[RunKey, Mapping[str, str]]

    def values_of(self, run: RunFacts) -> Mapping[str, str]:
        """Return the values of the mails of a run; empty if its contact is gone."""
        values = self.values.get(run.contact_id, {})
        kept = self.kept.get(run.key)
        return {**values, **kept} if kept else values


@dataclass(frozen=True, slots=True)
class Letter:
    """A written email, and the row that it is for."""

    recipient_id: int
    address: str
    mail: Mail
    is_last_attempt: bool


def about(org_id: UUID, due: DueFacts) -> About:
    """Return what is kept of a row's email beside the database."""
    run = due.run
    return About(org_id, due.recipient_id, run.contact_id, run.series.id, run.number, due.step.id)


def gather(work: Work, *, sender: Sender, token: UUID, sends: Sequence[Send]) -> MailFacts:
    """Gather the data for the emails, and lock the rows that ``token`` leases."""
    emails = {send.due.step.id: send.due.step.email for send in sends}.values()
    fields = {_ADDRESS}.union(*(fields_of_email(email) for email in emails if email))
    return MailFacts(
        sender=sender.of(work.org),
        org=work.org,
        token=token,
        now=work.now,
        attempts=hold_leased(
            work.connection, work.org_id, token, [send.due.recipient_id for send in sends]
        ),
        values=gather_values(work, {send.due.run.contact_id for send in sends}, fields),
        kept=gather_kept_values(work, {send.due.run.key for send in sends}, fields),
    )


def written(facts: MailFacts, sends: Sequence[Send]) -> Iterator[tuple[Send, Letter | Outcome]]:
    """Yield each email, or an outcome if there is nothing to send.

    They are written in groups: writing one by one between waits for servers takes three times as
    long.
    """
    for start in range(0, len(sends), _WRITTEN_AT_ONCE):
        some = sends[start : start + _WRITTEN_AT_ONCE]
        yield from zip(some, [_write(facts, send) for send in some], strict=True)


def _write(facts: MailFacts, send: Send) -> Letter | Outcome:
    """Return the row's email, or an outcome if there is nothing to send."""
    due, row = send.due, send.due.recipient_id
    values = facts.values_of(due.run)
    address = values.get(_ADDRESS.named)
    if row not in facts.attempts or not address:
        return Outcome(row, RowResult.RELEASED)
    try:
        mail = mail_of_step(
            due.step,
            series=due.run.series,
            org=facts.org,
            recipient_id=row,
            values=values,
            sender=facts.sender,
            to=address,
            now=facts.now,
        )
    except PermanentFailure as failure:
        return Outcome(row, RowResult.FAILED, failure.reason)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the others are still written
        return Outcome(row, RowResult.FAULTY, f"{type(error).__name__}: {error}")
    envelope = facts.sender.envelope(mail_id(facts.org.id, row))
    mail = replace(
        mail, sender=envelope, contact_id=due.run.contact_id, about=about(facts.org.id, due)
    )
    return Letter(row, address, mail, is_last_attempt=facts.attempts[row] >= MOST_ATTEMPTS)
