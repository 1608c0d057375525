"""Send the mails that ask to confirm a list: each intent is committed before its message (§9, §16).

There is one transaction for each message, as for the emails of series: it records the outcome of
the last one and the intent of the next. A mail of unknown outcome is not sent again: the contact
may ask again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from halo_engine.mail.composing.confirmation import Confirmation, confirmation_mail
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.sending.confirmations import Noted, due_confirmations, intend, note
from halo_engine.mail.sending.intent import mail_id, message_id_of
from halo_engine.mail.sending.leases import MOST_ATTEMPTS, retry_at
from halo_engine.mail.sending.posting import Posted, PostResult, post
from halo_engine.mail.sending.stops import note_outage
from halo_engine.mail.sending.throttle import Throttle, Turn
from halo_engine.mail.transports.transports import (
    About,
    Mail,
    NotHandedOver,
    PermanentFailure,
    Transport,
)
from halo_engine.work import Organization, Transactions, Work

#: At most in one turn; then signals and series have theirs.
_AT_ONCE: Final = 50
_STATES: Final[Mapping[PostResult, str]] = {
    PostResult.ACCEPTED: "sent",
    PostResult.REFUSED: "failed",
    PostResult.PUT_OFF: "waiting",
    PostResult.DOWN: "waiting",
    PostResult.BROKE_OFF: "waiting",
    PostResult.UNKNOWN: "unknown",
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """How many mails of a turn came to which state."""

    states: Counter[str]
    moved = True

    @property
    def counts(self) -> Counter[str]:
        """The same, for the log."""
        return Counter({f"confirmations_{state}": count for state, count in self.states.items()})


@dataclass(frozen=True, slots=True)
class _Batch:
    """Mails that are due at ``now``, and the organisation that sends them."""

    org: Organization
    now: datetime
    mails: Sequence[Confirmation]


@dataclass(frozen=True)
class Confirmations:
    """One turn at an organisation's mails to confirm."""

    transact: Transactions
    transport: Transport
    sender: Sender
    throttle: Throttle
    lease: timedelta

    def run(self) -> Iterator[Confirmed]:
        """Send some that are due; yield what became of them, unless there were none."""
        room = self.throttle.room(_AT_ONCE)
        if not room:
            return
        batch = self.transact(partial(_due, limit=room))
        if batch.mails:
            yield Confirmed(self._send(batch))

    def _send(self, batch: _Batch) -> Counter[str]:
        sender = self.sender.of(batch.org)
        turn = self.throttle.turn()
        states: Counter[str] = Counter()
        unnoted: Noted | None = None
        try:
            for each in batch.mails:
                if not turn.goes_on():
                    break
                written = _written(each, batch, sender)
                if isinstance(written, Noted):
                    self.transact(partial(note, noted=written))
                    states[written.state] += 1
                    continue
                message_id = message_id_of(batch.org.id, each.id, sender.domain)
                step = partial(_next, unnoted=unnoted, mail=each, message_id=message_id)
                is_intended = self.transact(partial(step, lease=self.lease))
                unnoted = None
                if not is_intended:
                    continue
                # Unknown until the transport has answered.
                unnoted = Noted(each, "unknown")
                try:
                    posted = post(self.transport, self.throttle, written, message_id)
                    unnoted = _outcome(each, posted, batch.now)
                except NotHandedOver:
                    unnoted = Noted(each, "waiting", tried=False)
                    raise
                finally:
                    states[unnoted.state] += 1
        finally:
            turn.close()
            self.transact(partial(_close, unnoted=unnoted, turn=turn))
        return states


def _due(work: Work, *, limit: int) -> _Batch:
    mails = [] if work.org.sending_stopped else due_confirmations(work, limit)
    return _Batch(work.org, work.now, mails)


def _written(each: Confirmation, batch: _Batch, sender: Sender) -> Mail | Noted:
    """Return the message, or that it can never be written."""
    try:
        mail = confirmation_mail(each, org=batch.org, sender=sender, now=batch.now)
    except PermanentFailure as failure:
        return Noted(each, "failed", failure.reason)
    envelope = sender.envelope(mail_id(batch.org.id, each.id))
    return replace(mail, sender=envelope, about=About(batch.org.id, each.id))


def _next(
    work: Work, *, unnoted: Noted | None, mail: Confirmation, message_id: str, lease: timedelta
) -> bool:
    """Record the last outcome and the next intent; return whether that mail may be sent."""
    if unnoted is not None:
        note(work, unnoted)
    return intend(work, mail.id, message_id, lease)


def _outcome(each: Confirmation, posted: Posted, now: datetime) -> Noted:
    state = _STATES[posted.result]
    attempts = each.attempts + 1
    if posted.result is PostResult.PUT_OFF and attempts >= MOST_ATTEMPTS:
        state = "failed"
    if state == "failed":
        _log.warning("mail to confirm failed", confirmation=each.id)
    again = retry_at(attempts if posted.result is PostResult.PUT_OFF else 1, now)
    return Noted(
        each,
        state,
        posted.reason,
        due=again if state == "waiting" else None,
        tried=posted.result not in (PostResult.DOWN, PostResult.BROKE_OFF),
        bounced=posted.bounce is not None and posted.bounce.for_good,
    )


def _close(work: Work, *, unnoted: Noted | None, turn: Turn) -> None:
    if unnoted is not None:
        note(work, unnoted)
    if turn.throttle.outage is not None or turn.was_answered:
        note_outage(work.connection, turn.throttle.outage, work.now)
