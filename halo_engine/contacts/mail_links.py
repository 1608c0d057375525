"""What the links in a mail do, for whoever holds one: leave, open, click (contract §9).

Each may be followed any number of times, in any order, as long as the organisation exists. Where
the mail is gone, because its contact was erased, nothing is written and ``id`` is null: who clicks
is led on, and who leaves gets no mail any more.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, exists, func, select

from halo_engine.contacts.calls import Answer, Call
from halo_engine.contacts.finding import Noted
from halo_engine.contacts.lists import leave_by_mail
from halo_engine.contacts.mail_events import MailCall, MailEvent, note_all
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.tables import messages, subscription_members, subscriptions, suppressions
from halo_engine.work import Work


class LinkCall(Call):
    """The token that stands in the link's URL."""

    token: Annotated[str, Field(min_length=1)]


class Left(Answer):
    """Who left, and which list; without a list it was everything."""

    id: UUID | None
    list: str | None


class Opened(Answer):
    """Whose mail was opened."""

    id: UUID | None


class Clicked(Answer):
    """Whose mail it was, and where the link leads."""

    id: UUID | None
    url: str


class Looked(Answer):
    """What a token is for: the mail of which address, leaving which list, leading where.

    ``name`` is the organisation's. ``done`` says of one that unsubscribes whether that is done
    already; a mail that is gone has no ``address``.
    """

    purpose: Literal["unsubscribe", "open", "click"]
    name: str
    address: str | None
    list: str | None = None
    done: bool = False
    url: str | None = None


def unsubscribe_by_link(work: Work, call: LinkCall) -> Left:
    """Take whom the mail was for off the list it was sent to, or off everything (contract §3, §9).

    It is the list that the series had when the mail was sent. Only a POST may do this (RFC 8058).
    Raises 401 for a token that is not one of this organisation's for this, as all of these do.
    """
    token = _verified(work, call, Purpose.UNSUBSCRIBE)
    return Left(
        id=leave_by_mail(work, token.recipient_id, token.list_id), list=_list_key(work, token)
    )


def open_by_link(work: Work, call: LinkCall) -> Opened:
    """Note that the mail was opened (contract §5)."""
    token = _verified(work, call, Purpose.OPEN)
    return Opened(id=_note(MailEvent.OPENED, work, token))


def click_by_link(work: Work, call: LinkCall) -> Clicked:
    """Note that a link of the mail was clicked, and return where it leads (contract §5)."""
    token = _verified(work, call, Purpose.CLICK)
    return Clicked(id=_note(MailEvent.CLICKED, work, token), url=token.url)


def look_at_link(work: Work, call: LinkCall) -> Looked:
    """Return what a token is for, and change nothing: what a GET of an unsubscribe URL shows."""
    token = _verified(work, call, *Purpose)
    address = work.connection.scalar(select(messages.c.to_address).where(*_of_mail(work, token)))
    match token.purpose:
        case Purpose.UNSUBSCRIBE:
            return Looked(
                purpose="unsubscribe",
                name=work.org.name,
                address=address,
                list=_list_key(work, token),
                done=_has_left(work, token),
            )
        case Purpose.OPEN:
            return Looked(purpose="open", name=work.org.name, address=address)
        case Purpose.CLICK:
            return Looked(purpose="click", name=work.org.name, address=address, url=token.url)


def _verified(work: Work, call: LinkCall, *purposes: Purpose) -> MailToken:
    return MailToken.verified(call.token, work.org.mail_key, *purposes)


def _of_mail(work: Work, token: MailToken) -> tuple[ColumnElement[bool], ...]:
    return messages.c.org_id == work.org_id, messages.c.recipient_id == token.recipient_id


def _note(event: MailEvent, work: Work, token: MailToken) -> UUID | None:
    message_id = work.connection.scalar(select(messages.c.message_id).where(*_of_mail(work, token)))
    if message_id is None:
        return None
    [outcome] = note_all(event, work, [MailCall(message_id=message_id)])
    return outcome.id if isinstance(outcome, Noted) else None


def _list_key(work: Work, token: MailToken) -> str | None:
    if token.list_id is None:
        return None
    return work.connection.scalar(
        select(subscriptions.c.key).where(
            subscriptions.c.org_id == work.org_id, subscriptions.c.id == token.list_id
        )
    )


def _has_left(work: Work, token: MailToken) -> bool:
    """Return whether the mail's address gets no mail of the list any more; erased counts."""
    members, table = subscription_members, suppressions
    is_member = exists().where(
        members.c.org_id == work.org_id,
        members.c.end_user_id == messages.c.end_user_id,
        members.c.subscription_id == token.list_id,
    )
    is_suppressed = exists().where(
        table.c.org_id == work.org_id, table.c.address == func.lower(messages.c.to_address)
    )
    still = is_member & ~is_suppressed if token.list_id else ~is_suppressed
    gets_mail = select(exists().where(*_of_mail(work, token), still))
    return not work.connection.execute(gets_mail).scalar_one()
