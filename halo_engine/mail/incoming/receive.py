"""Handle a mail that came in: find our mail that it is about, and act on it (§2, §3, §6)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

from pydantic import Field
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    Text,
    any_,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from halo_engine.contacts.calls import Call
from halo_engine.contacts.consent.suppression import ComplaintCall
from halo_engine.domain.answer import Answer
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.mail_names import relay_ids_in
from halo_engine.mail.incoming.bounce_reports import note_bounces
from halo_engine.mail.incoming.complaints import complain
from halo_engine.mail.incoming.events import MailCall, reply_to_mail
from halo_engine.mail.reading.bounces import Bounce
from halo_engine.mail.reading.incoming_mail import IncomingMail, MailKind
from halo_engine.sql.statements import statement
from halo_engine.tables import idempotency_keys, messages, organizations
from halo_engine.work import Work

#: In characters: more than mail servers take.
LONGEST: Final = 32 * 1024 * 1024


class ReceiveCall(Call):
    """A raw mail (RFC 5322), its bytes decoded as Latin-1 or any encoding that keeps ASCII.

    Only the beginning of a long mail is read (``mail.reading.incoming_mail``).
    """

    message: Annotated[str, Field(max_length=LONGEST)]

    @property
    def raw(self) -> bytes:
        """The mail's bytes."""
        return self.message.encode(errors="replace")


class Received(Answer):
    """The kind of a mail, and the mail of ours that it is about; ``id`` is that mail's contact.

    Mail and contact are null if it is about none of ours, or about one that is not kept any more
    (§24): then nothing proves that it is ours, and nothing is written. A bounce has a ``reason``.
    ``suppressed`` says that this mail suppressed the address; ``again`` that the mail had come
    before, so nothing was written. Automatic and other mail writes nothing.
    """

    kind: MailKind
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
    """Return the organisation whose mail it is about; one index look-up for each organisation."""
    if not mail.message_ids:
        return None
    found: UUID | None = connection.scalar(_find_org_of_mail(mail))
    return found


@statement("find_org_of_mail")
def _find_org_of_mail(mail: IncomingMail) -> Select[Any]:
    its = (
        select(messages.c.recipient_id)
        .where(messages.c.org_id == organizations.c.id, _is_about(mail))
        # The limit keeps the planner at the index, which begins with the organisation.
        .limit(1)
        .lateral("its")
    )
    return select(organizations.c.id).select_from(organizations.join(its, true())).limit(1)


def receive(work: Work, mail: IncomingMail) -> Received:
    """Act on a reply, a bounce or a complaint; a mail that comes again does nothing (§2, §6).

    A mail that names several of ours is about the first one it names.
    """
    found = work.connection.execute(_find_mails_named(work, mail))
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


@statement("find_mails_named")
def _find_mails_named(work: Work, mail: IncomingMail) -> Select[Any]:
    return select(*[messages.c[name] for name in _Ours._fields]).where(
        messages.c.org_id == work.org_id, _is_about(mail)
    )


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
    bounce = Bounce(for_good=mail.kind is MailKind.HARD_BOUNCE, reason=reason)
    return bool(note_bounces(work, {its.recipient_id: bounce}))


#: The function for each kind of mail; it returns whether it suppressed the address.
_NOTED: Final[Mapping[MailKind, Callable[[Work, IncomingMail, _Ours], bool]]] = {
    MailKind.REPLY: _note_reply,
    MailKind.HARD_BOUNCE: _note_bounce,
    MailKind.SOFT_BOUNCE: _note_bounce,
    MailKind.COMPLAINT: _note_complaint,
}
#: A mail that the server refused may be reported as bounced, but nobody can reply to it.
_OF_REFUSED: Final = frozenset({MailKind.HARD_BOUNCE, MailKind.SOFT_BOUNCE})


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
    return work.connection.scalar(_claim_incoming_mail(work, mail, received)) is not None


@statement("claim_incoming_mail")
def _claim_incoming_mail(work: Work, mail: IncomingMail, received: Received) -> Executable:
    table = idempotency_keys
    return (
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
