"""Tell what an incoming mail is: a reply, a bounce, a complaint, automatic (contract §2, §3, §6).

Anybody can write anything into a mail, so reading one never fails.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from email.message import Message
from enum import StrEnum
from typing import Final
from uuid import UUID

from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.mail_names import mails_in_addresses
from halo_engine.mail.reading.bounces import Bounce
from halo_engine.mail.reading.complaints import is_complaint
from halo_engine.mail.reading.delivery_reports import read_report, together
from halo_engine.mail.reading.machine_mail import is_by_a_machine
from halo_engine.mail.reading.parts import (
    READ,
    blocks_of,
    children,
    enclosed_mails,
    header,
    ids,
    leaves,
    named_in,
    parsed,
)
from halo_engine.mail.reading.ses_notices import Notice, read_notice

_MOST_IDS: Final = 50
#: Headers in which mail servers write the recipient of a mail.
_TO: Final = (
    "To",
    "Delivered-To",
    "X-Original-To",
    "Envelope-To",
    "X-Envelope-To",
    "X-Delivered-To",
    "Received",
)


class MailKind(StrEnum):
    """What an incoming mail is."""

    REPLY = "reply"
    #: The address is wrong, for good.
    HARD_BOUNCE = "hard_bounce"
    #: A failure for now, or one that is no fault of the address.
    SOFT_BOUNCE = "soft_bounce"
    #: Somebody called a mail of ours spam.
    COMPLAINT = "complaint"
    #: A machine wrote it: out of office, read receipts, reports of successful deliveries.
    AUTOMATIC = "automatic"
    #: Neither an answer to anything nor a report.
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """A mail, and the Message-IDs that it answers or reports about, the likeliest first.

    ``reason`` is set for a bounce. ``mails`` are those of our mails whose bounce addresses it was
    sent to. ``name`` identifies the mail: it is the same whenever the mail comes again.
    """

    kind: MailKind
    reason: BounceReason | None
    message_ids: tuple[str, ...]
    mails: tuple[UUID, ...]
    name: str

    def under(self, *domains: str) -> "IncomingMail":
        """Return a copy with the Message-IDs of ``mails`` in our domains added at the end."""
        ours = [f"<{mail}@{domain}>" for mail in self.mails for domain in domains]
        return replace(self, message_ids=tuple(dict.fromkeys([*self.message_ids, *ours])))


def read_mail(raw: bytes) -> IncomingMail:
    """Return what a raw mail (RFC 5322) is; only its first ``READ`` bytes count. Never raises."""
    raw = raw[:READ]
    try:
        mail = parsed(raw)
        kind, reason, about = _read(mail)
        mails = tuple(mails_in_addresses(_addresses(mail)))[:_MOST_IDS]
        own = next(iter(ids(mail, "Message-ID")), None)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # The library's parser is lenient, but still raises for some mails.
        kind, reason, about, mails, own = MailKind.OTHER, None, (), (), None
    named = own.encode() if own else raw
    return IncomingMail(kind, reason, about, mails, hashlib.sha256(named).hexdigest())


def _addresses(mail: Message) -> Iterator[str]:
    """Yield what may hold our bounce addresses: recipients, and senders of returned mails."""
    for name in _TO:
        yield from map(str, mail.get_all(name, []))
    parts = leaves(mail)
    for returned in enclosed_mails(parts):
        yield header(returned, "Return-Path")
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            yield from (header(block, "Original-Mail-From") for block in blocks_of(part))


def _read(mail: Message) -> tuple[MailKind, BounceReason | None, tuple[str, ...]]:
    answered = (*ids(mail, "In-Reply-To"), *reversed(ids(mail, "References")))
    notice = read_notice(mail)
    if notice is not None:
        return *_noticed(notice), _first(notice.message_ids)
    if is_complaint(mail):
        # Microsoft may have passed on ours itself.
        own = ids(mail, "Message-ID")
        return MailKind.COMPLAINT, None, _first((*_returned(mail), *own, *answered))
    report = read_report(mail)
    if report is not None and report.bounce is not None:
        return *_bounced(report.bounce), _first((*_returned(mail), *answered))
    if report is not None or is_by_a_machine(mail):
        return (
            MailKind.AUTOMATIC,
            None,
            _first((*_returned(mail), *answered) if report else answered),
        )
    found = _first(answered)
    # Each mail of ours refers to itself (transports.py); one that comes back as it was is no reply.
    is_our_copy = not set(ids(mail, "Message-ID")).isdisjoint(answered)
    return (MailKind.REPLY if found and not is_our_copy else MailKind.OTHER), None, found


def _noticed(notice: Notice) -> tuple[MailKind, BounceReason | None]:
    if notice.is_complaint:
        return MailKind.COMPLAINT, None
    bounce = together(notice.bounces).bounce
    return (MailKind.AUTOMATIC, None) if bounce is None else _bounced(bounce)


def _bounced(bounce: Bounce) -> tuple[MailKind, BounceReason]:
    return (MailKind.HARD_BOUNCE if bounce.for_good else MailKind.SOFT_BOUNCE), bounce.reason


def _returned(mail: Message) -> Iterator[str]:
    """Yield the Message-IDs of the mails that a report returns, and their references.

    Some relays replace our Message-ID; then ours is among the references.
    """
    parts = leaves(mail)
    for report in parts:
        # Google's.
        yield from (id_ for each in children(report) for id_ in ids(each, "X-Original-Message-ID"))
    for returned in enclosed_mails(parts):
        yield from ids(returned, "Message-ID")
        yield from reversed(ids(returned, "References"))
        if "Message-ID" not in returned:
            # Its headers stand in its text where a server parted them by a blank line.
            yield from named_in(returned)
    for part in parts:
        yield from named_in(part)


def _first(found: Iterable[str]) -> tuple[str, ...]:
    """Return the first ids, each once, without those that cannot be ours."""
    sound = (id_ for id_ in found if id_.isascii() and id_.isprintable())
    return tuple(dict.fromkeys(sound))[:_MOST_IDS]
