"""A mail that came in: whose it is, and what it does (contract §2, §3, §6)."""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Text, any_, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY, insert

from halo_engine.contacts.calls import Answer, Call
from halo_engine.contacts.mail_events import MailCall, reply_to_mail
from halo_engine.contacts.suppression import BounceCall, bounce
from halo_engine.domain.incoming_mail import IncomingMail, Kind
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
    """What a mail was, and about which of ours; ``id`` is the contact whose mail that is.

    Both are null where it is about none of ours. A reply was noted, a hard bounce suppressed the
    address; ``again`` says that this mail had come before, and nothing was written. Nothing is
    written for any other kind.
    """

    kind: Kind
    message_id: str | None = None
    id: UUID | None = None
    again: bool = False


def organization_written_to(connection: Connection, mail: IncomingMail) -> UUID | None:
    """Return whose mail it is about: Message-IDs are nobody else's. A look-up an organisation."""
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
    """Take a mail in: a reply is noted, a hard bounce suppresses; each mail once (contract §3, §6).

    Of several of our mails that it names it is about the one that it names first.
    """
    found = work.connection.execute(
        select(messages.c.message_id, messages.c.end_user_id).where(
            messages.c.org_id == work.org_id, _is_about(mail)
        )
    )
    ours = {row.message_id: row.end_user_id for row in found}
    message_id = _first(mail.message_ids, ours)
    if message_id is None:
        return Received(kind=mail.kind)
    received = Received(kind=mail.kind, message_id=message_id, id=ours[message_id])
    if mail.kind not in (Kind.REPLY, Kind.HARD_BOUNCE):
        return received
    if not _is_first_time(work, mail, received):
        return received.model_copy(update={"again": True})
    if mail.kind is Kind.REPLY:
        reply_to_mail(work, MailCall(message_id=message_id))
    else:
        bounce(work, BounceCall(message_id=message_id))
    return received


def _is_about(mail: IncomingMail) -> ColumnElement[bool]:
    is_named = messages.c.message_id == any_(literal(list(mail.message_ids), ARRAY(Text())))
    # What a server refused may be reported by mail as well; nobody can have answered it.
    return is_named if mail.kind is Kind.HARD_BOUNCE else is_named & (messages.c.state != "failed")


def _first(names: Sequence[str], known: dict[str, UUID]) -> str | None:
    return next((name for name in names if name in known), None)


def _is_first_time(work: Work, mail: IncomingMail, received: Received) -> bool:
    """Claim the mail's name; a racer that claimed it first is waited for."""
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
