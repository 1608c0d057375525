"""Hand one message over, and tell the throttle whether the server answers (§9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from halo_engine.mail.reading.bounces import Bounce, judge
from halo_engine.mail.sending.throttle import Throttle
from halo_engine.mail.transports.transports import (
    Announcing,
    Mail,
    OutcomeUnknown,
    PermanentFailure,
    RecipientRefused,
    ServerDown,
    TemporaryFailure,
    Transport,
)


class PostResult(Enum):
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
    """The result of posting, the server's words unless ACCEPTED, and a refused recipient's bounce.

    ``relay_id`` is the server's id for the message, if it replaces the Message-ID.
    """

    result: PostResult
    reason: str | None = None
    bounce: Bounce | None = None
    relay_id: str | None = None


@contextmanager
def announced(transport: Transport, mail: Mail) -> Iterator[None]:
    """Announce ``mail`` to the server, which can work ahead; retract it if the block does not send
    it.
    """
    if not isinstance(transport, Announcing):
        yield
        return
    transport.announce(mail)
    try:
        yield
    finally:
        transport.retract()


def post(transport: Transport, throttle: Throttle, mail: Mail, message_id: str) -> Posted:
    """Send the mail under ``message_id``; only exceptions that are no ``Failure`` are raised."""
    try:
        relay_id = transport.send(mail.under(message_id), message_id)
    except ServerDown as down:
        if throttle.blames(message_id, down):
            return Posted(PostResult.PUT_OFF, down.reason)
        return Posted(PostResult.BROKE_OFF if down.broke_off else PostResult.DOWN, down.reason)
    except OutcomeUnknown as unknown:
        throttle.unknown(unknown.reason)
        return Posted(PostResult.UNKNOWN, unknown.reason)
    except RecipientRefused as failure:
        posted = Posted(PostResult.REFUSED, failure.reason, judge(failure.reason))
    except PermanentFailure as failure:
        posted = Posted(PostResult.REFUSED, failure.reason)
    except TemporaryFailure as failure:
        posted = Posted(PostResult.PUT_OFF, failure.reason)
    else:
        posted = Posted(PostResult.ACCEPTED, relay_id=relay_id)
    throttle.answered(message_id)
    return posted
