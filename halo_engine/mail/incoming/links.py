"""The links in a mail: unsubscribe, open, click; whoever has one may follow it (contract §9).

Each may be followed any number of times, in any order, as long as the organisation exists. If the
contact was erased, and the mail with it, nothing is written and ``id`` is null; a click is still
redirected, and an unsubscribed address gets no mail anyway. Of a mail that was deleted for its age,
whose it was is known, so it unsubscribes; an open or a click is noted nowhere any more (§24).
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool
from sqlalchemy import ColumnElement, Select, exists, func, select

from halo_engine.contacts.calls import Call
from halo_engine.contacts.consent.choosing import hold_reader
from halo_engine.contacts.consent.lists import leave_by_mail
from halo_engine.contacts.finding import Noted
from halo_engine.domain.answer import Answer
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.mail.incoming.events import MailCall, MailEvent, event_by, note_all
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    mail_readers,
    messages,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.work import Work


class LinkCall(Call):
    """The token in the link's URL."""

    token: Annotated[str, Field(min_length=1)]


class FollowCall(LinkCall):
    """The token in the URL of a link, or of the picture, that was followed."""

    machine: StrictBool = Field(
        default=False, description="Whether a machine did it, such as a scanner or a mail proxy."
    )


class Left(Answer):
    """Who unsubscribed, and from which list; without a list, from everything."""

    id: UUID | None
    list: str | None


class Opened(Answer):
    """Whose mail was opened."""

    id: UUID | None


class Clicked(Answer):
    """Whose mail it was, and the URL to go to."""

    id: UUID | None
    url: str


class Looked(Answer):
    """What a token is for: the address of its mail, the list that it unsubscribes from, its URL.

    ``name`` is the organisation's. ``done`` says whether the address is unsubscribed already. A
    mail that was erased has no ``address``.
    """

    purpose: Literal["unsubscribe", "open", "click"]
    name: str
    address: str | None
    list: str | None = None
    done: bool = False
    url: str | None = None


def unsubscribe_by_link(work: Work, call: LinkCall) -> Left:
    """Unsubscribe the mail's contact from its list, or from everything (contract §3, §9).

    It is the list that the series had when the mail was sent. Only a POST may do this (RFC 8058).
    Like the functions below, it raises 401 for a token of another organisation or for another
    purpose.
    """
    token = _verified(work, call, Purpose.UNSUBSCRIBE)
    # The statement then sees the lists that were joined by a call that came first.
    hold_reader(work, token.recipient_id)
    return Left(
        id=leave_by_mail(work, token.recipient_id, token.list_id), list=_list_key(work, token)
    )


def open_by_link(work: Work, call: FollowCall) -> Opened:
    """Note that the mail was opened (contract §5)."""
    token = _verified(work, call, Purpose.OPEN)
    return Opened(id=_note(event_by(MailEvent.OPENED, machine=call.machine), work, token))


def click_by_link(work: Work, call: FollowCall) -> Clicked:
    """Note that a link of the mail was clicked, and return the URL to go to (contract §5)."""
    token = _verified(work, call, Purpose.CLICK)
    event = event_by(MailEvent.CLICKED, machine=call.machine)
    return Clicked(id=_note(event, work, token), url=token.url)


def look_at_link(work: Work, call: LinkCall) -> Looked:
    """Return what a token is for, and change nothing: a GET of an unsubscribe URL shows it."""
    token = _verified(work, call, Purpose.UNSUBSCRIBE, Purpose.OPEN, Purpose.CLICK)
    address = work.connection.scalar(_read_mail_address(work, token))
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
    return Looked(purpose="click", name=work.org.name, address=address, url=token.url)


@statement("read_mail_address")
def _read_mail_address(work: Work, token: MailToken) -> Select[Any]:
    return select(mail_readers.c.to_address).where(*_of_reader(work, token))


def _verified(work: Work, call: LinkCall, *purposes: Purpose) -> MailToken:
    return MailToken.verified(call.token, work.org.mail_key, *purposes)


def _of_mail(work: Work, token: MailToken) -> tuple[ColumnElement[bool], ...]:
    return messages.c.org_id == work.org_id, messages.c.recipient_id == token.recipient_id


def _of_reader(work: Work, token: MailToken) -> tuple[ColumnElement[bool], ...]:
    return (
        mail_readers.c.org_id == work.org_id,
        mail_readers.c.recipient_id == token.recipient_id,
    )


def _note(event: MailEvent, work: Work, token: MailToken) -> UUID | None:
    message_id = work.connection.scalar(_read_message_id(work, token))
    if message_id is None:
        return None
    [outcome] = note_all(event, work, [MailCall(message_id=message_id)])
    return outcome.id if isinstance(outcome, Noted) else None


@statement("read_message_id")
def _read_message_id(work: Work, token: MailToken) -> Select[Any]:
    return select(messages.c.message_id).where(*_of_mail(work, token))


def _list_key(work: Work, token: MailToken) -> str | None:
    if token.list_id is None:
        return None
    return work.connection.scalar(_read_list_key(work, token))


@statement("read_list_key")
def _read_list_key(work: Work, token: MailToken) -> Select[str]:
    return select(subscriptions.c.key).where(
        subscriptions.c.org_id == work.org_id, subscriptions.c.id == token.list_id
    )


def _has_left(work: Work, token: MailToken) -> bool:
    """Return whether the mail's address is unsubscribed from the list; an erased one counts too."""
    return not work.connection.execute(_check_gets_mail(work, token)).scalar_one()


@statement("check_gets_mail")
def _check_gets_mail(work: Work, token: MailToken) -> Select[Any]:
    members, table = subscription_members, suppressions
    is_member = exists().where(
        members.c.org_id == work.org_id,
        members.c.end_user_id == mail_readers.c.end_user_id,
        members.c.subscription_id == token.list_id,
    )
    is_suppressed = exists().where(
        table.c.org_id == work.org_id, table.c.address == func.lower(mail_readers.c.to_address)
    )
    still = is_member & ~is_suppressed if token.list_id else ~is_suppressed
    return select(exists().where(*_of_reader(work, token), still))
