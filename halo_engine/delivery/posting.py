"""Hand one message over, and tell the gate whether the server answers (§9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from halo_engine.delivery.gate import Gate
from halo_engine.delivery.transports import (
    Announcing,
    Mail,
    OutcomeUnknown,
    PermanentFailure,
    RecipientRefused,
    ServerDown,
    TemporaryFailure,
    Transport,
)
from halo_engine.domain.bounces import Bounce, judge


class Reply(Enum):
    """What the transport did with a message."""

    ACCEPTED = "accepted"
    #: It will never be accepted.
    REFUSED = "refused"
    #: It may be accepted later; the server accepts others.
    PUT_OFF = "put off"
    #: No message gets through.
    DOWN = "down"
    #: The session ended in the middle of this message; the next try shows why.
    BROKE_OFF = "broke off"
    #: Handed over, but no answer came.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Posted:
    """A reply, the server's words unless ACCEPTED, and the bounce of a refused recipient.

    ``relay_id`` is the server's id for the message, if it replaces the Message-ID.
    """

    reply: Reply
    reason: str | None = None
    bounce: Bounce | None = None
    relay_id: str | None = None


@contextmanager
def announced(transport: Transport, mail: Mail) -> Iterator[None]:
    """Let the server work ahead on ``mail``; take it back if the block does not send it."""
    if not isinstance(transport, Announcing):
        yield
        return
    transport.announce(mail)
    try:
        yield
    finally:
        transport.retract()


def post(transport: Transport, gate: Gate, mail: Mail, message_id: str) -> Posted:
    """Send the mail under ``message_id``; only exceptions that are no ``Failure`` are raised."""
    try:
        relay_id = transport.send(mail.under(message_id), message_id)
    except ServerDown as down:
        if gate.blames(message_id, down):
            return Posted(Reply.PUT_OFF, down.reason)
        return Posted(Reply.BROKE_OFF if down.broke_off else Reply.DOWN, down.reason)
    except OutcomeUnknown as unknown:
        gate.unknown(unknown.reason)
        return Posted(Reply.UNKNOWN, unknown.reason)
    except RecipientRefused as failure:
        posted = Posted(Reply.REFUSED, failure.reason, judge(failure.reason))
    except PermanentFailure as failure:
        posted = Posted(Reply.REFUSED, failure.reason)
    except TemporaryFailure as failure:
        posted = Posted(Reply.PUT_OFF, failure.reason)
    else:
        posted = Posted(Reply.ACCEPTED, relay_id=relay_id)
    gate.answered(message_id)
    return posted
