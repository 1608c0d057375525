"""A mail that came in: whose it is, and what it does (contract §2, §3, §6)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Text, any_, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY, insert

from halo_engine.contacts.bounce_reports import note_bounces
from halo_engine.contacts.calls import Answer, Call
from halo_engine.contacts.complaints import complain
from halo_engine.contacts.mail_events import MailCall, reply_to_mail
from halo_engine.contacts.suppression import ComplaintCall
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.bounces import Bounce
from halo_engine.domain.incoming_mail import IncomingMail, Kind
from halo_engine.domain.mail_names import relay_ids_in
from halo_engine.tables import idempotency_keys, messages, organizations
from halo_engine.work import Work

#: In characters: more than mail servers take.
LONGEST: Final = 32 * 1024 * 1024


class ReceiveCall(Call):
    """A mail as it came in (RFC 5322); bytes decoded as Latin-1, or as anything that keeps ASCII.

    Of a long one only the beginning is read (``domain.incoming_mail``).
    """

    message: Annotated[str, Field(max_length=LONGEST)]


class Received(Answer):
    """What a mail was, and which of our mails it is about; ``id`` is the contact of that mail.

    Both are null for a mail that is not about one of ours. A bounce has a ``reason``.
    ``suppressed`` says that this mail suppressed the address; ``again`` that it had come before, so
    nothing was written. Automatic mail, and mail of any other kind, writes nothing.
    """

    kind: Kind
    reason: BounceReason | None = None
    message_id: str | None = None
    id: UUID | None = None
    suppressed: bool = False
    again: bool = False


class _Ours(NamedTuple):
    """A mail of ours that the mail names."""

    message_id: str
    relay_id: str | None
    recipient_id: int
    end_user_id: UUID


def organization_written_to(connection: Connection, mail: IncomingMail) -> UUID | None:
    """Return the organisation whose mail it is about. Costs one index look-up an organisation."""
    if not mail.message_ids:
        return None
    its = (
        select(messages.c.recipient_id)
        .where(messages.c.org_id == organizations.c.id, _is_about(mail))
        # The limit keeps the planner at the index, which begins with the organisation.
        .limit(1)
        .lateral("its")
    )
    found: UUID | None = connection.scalar(
        select(organizations.c.id).select_from(organizations.join(its, true())).limit(1)
    )
    return found


def receive(work: Work, mail: IncomingMail) -> Received:
    """Note what a reply, a bounce or a complaint says, once for each mail that comes in (§2, §6).

    A mail that names several of ours is about the first one it names.
    """
    found = work.connection.execute(
        select(*[messages.c[name] for name in _Ours._fields]).where(
            messages.c.org_id == work.org_id, _is_about(mail)
        )
    )
    its = _first(mail, [_Ours(*row) for row in found])
    if its is None:
        return Received(kind=mail.kind, reason=mail.reason)
    received = Received(
        kind=mail.kind, reason=mail.reason, message_id=its.message_id, id=its.end_user_id
    )
    if mail.kind not in _NOTED:
        return received
    if not _is_first_time(work, mail, received):
        return received.model_copy(update={"again": True})
    suppressed = _NOTED[mail.kind](work, mail, its)
    return received.model_copy(update={"suppressed": suppressed})


def _first(mail: IncomingMail, ours: Sequence[_Ours]) -> _Ours | None:
    """Return the mail of ours that is named first, by our Message-ID or the relay's."""
    relayed = relay_ids_in(mail.message_ids)
    by_name = {relayed[its.relay_id]: its for its in ours if its.relay_id in relayed}
    by_name |= {its.message_id: its for its in ours}
    return next((by_name[name] for name in mail.message_ids if name in by_name), None)


def _note_reply(work: Work, _mail: IncomingMail, its: _Ours) -> bool:
    reply_to_mail(work, MailCall(message_id=its.message_id))
    return False


def _note_complaint(work: Work, _mail: IncomingMail, its: _Ours) -> bool:
    complain(work, ComplaintCall(message_id=its.message_id))
    return True


def _note_bounce(work: Work, mail: IncomingMail, its: _Ours) -> bool:
    reason = mail.reason or BounceReason.UNCLEAR
    bounce = Bounce(for_good=mail.kind is Kind.HARD_BOUNCE, reason=reason)
    return bool(note_bounces(work, {its.recipient_id: bounce}))


#: What notes a mail that came in, by its kind; each returns whether it suppressed the address.
_NOTED: Final[Mapping[Kind, Callable[[Work, IncomingMail, _Ours], bool]]] = {
    Kind.REPLY: _note_reply,
    Kind.HARD_BOUNCE: _note_bounce,
    Kind.SOFT_BOUNCE: _note_bounce,
    Kind.COMPLAINT: _note_complaint,
}
#: A mail that a server refused may still be reported as bounced, but nobody can have answered it.
_OF_REFUSED: Final = frozenset({Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE})


def _among(column: ColumnElement[Any], names: Collection[str]) -> ColumnElement[bool]:
    return column == any_(literal(list(names), ARRAY(Text())))


def _is_about(mail: IncomingMail) -> ColumnElement[bool]:
    is_named = _among(messages.c.message_id, mail.message_ids)
    relayed = relay_ids_in(mail.message_ids)
    if relayed:
        is_named = or_(is_named, _among(messages.c.relay_id, relayed))
    return is_named if mail.kind in _OF_REFUSED else is_named & (messages.c.state != "failed")


def _is_first_time(work: Work, mail: IncomingMail, received: Received) -> bool:
    """Claim the mail's name; wait for a transaction that has claimed it and not ended yet."""
    table = idempotency_keys
    claim = (
        insert(table)
        .values(
            org_id=work.org_id,
            key=f"mail:{mail.name}",
            fingerprint=mail.name,
            answer=received.model_dump(mode="json"),
            end_user_id=received.id,
            created_at=work.now,
        )
        .on_conflict_do_nothing()
        .returning(table.c.key)
    )
    return work.connection.scalar(claim) is not None
