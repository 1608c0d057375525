"""What a mail that came in is: a reply, a bounce, a machine's answer (contract §2, §3, §6).

It is read by its headers and, if it is a delivery report, by the report's parts (RFC 3464, 3834).
Anybody can write anything into a mail: whatever cannot be read is no reason to fail.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from enum import StrEnum
from typing import Any, Final

#: A mail is read so far, in bytes: headers, and what a report says, stand before anything large.
READ: Final = 256 * 1024
#: More parts within parts than any honest mail has; each costs a look at every line.
_MOST_BOUNDARIES: Final = 20
#: In a Content-Type; each costs a look at all that stand before it.
_MOST_PARAMETERS: Final = 100
_MOST_IDS: Final = 50

_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,253}>")
_CONTENT_TYPE: Final = b"content-type:"
_FOLD: Final = re.compile(rb"(?:\r\n|\r|\n)[ \t]")
_REPORT: Final = "message/delivery-status"
_STATUS: Final = re.compile(r"\s*([245])\.\d{1,3}\.\d{1,3}\b")
#: What mail programs wrote before there was Auto-Submitted.
_MACHINES: Final = ("X-Autoreply", "X-Autorespond", "X-Auto-Reply")
_BULK: Final = frozenset({"bulk", "junk", "auto_reply"})


class Kind(StrEnum):
    """What a mail is."""

    REPLY = "reply"
    #: For good: the address does not work (5.x.x).
    HARD_BOUNCE = "hard_bounce"
    #: For now, or not delivered yet (4.x.x).
    SOFT_BOUNCE = "soft_bounce"
    #: Out of office, read receipts, successful deliveries: nobody wrote it.
    AUTOMATIC = "automatic"
    #: Neither an answer to anything nor a report.
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """A mail, the Message-IDs that it answers or reports about, the likeliest first, and its name:
    the same whenever the mail comes again.
    """

    kind: Kind
    about: tuple[str, ...]
    name: str


def read_mail(raw: bytes) -> IncomingMail:
    """Return what a raw mail (RFC 5322) is, as far as ``READ``; nothing here raises."""
    raw = raw[:READ]
    try:
        mail = _parsed(raw)
        kind, about = _read(mail)
        own = next(_ids(mail, "Message-ID"), None)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # The library's parser is lenient, and still raises for some of what there is.
        kind, about, own = Kind.OTHER, (), None
    named = own.encode() if own else raw
    return IncomingMail(kind, about, hashlib.sha256(named).hexdigest())


def _parsed(raw: bytes) -> Message:
    if any(line.count(b";") > _MOST_PARAMETERS for line in _content_types(raw)):
        raise ValueError("nobody has so many parameters")
    if raw.lower().count(b"boundary") > _MOST_BOUNDARIES:
        return message_from_bytes(raw.partition(b"\n\n")[0].partition(b"\r\n\r\n")[0])
    return message_from_bytes(raw)


def _content_types(raw: bytes) -> Iterator[bytes]:
    """Yield what a parser may take for a Content-Type header, unfolded."""
    lines = _FOLD.sub(b" ", raw).splitlines()
    return (line for line in lines if line[: len(_CONTENT_TYPE)].lower() == _CONTENT_TYPE)


def _read(mail: Message) -> tuple[Kind, tuple[str, ...]]:
    answered = _first((*_ids(mail, "In-Reply-To"), *reversed(list(_ids(mail, "References")))))
    # Its own parts alone: somebody may forward a report, with a word of their own.
    reports = [part for part in _parts(mail) if part.get_content_type() == _REPORT]
    if reports:
        return _bounced(reports), _first((*_quoted(mail), *answered))
    if _is_automatic(mail):
        return Kind.AUTOMATIC, answered
    return (Kind.REPLY if answered else Kind.OTHER), answered


def _bounced(reports: Iterable[Message]) -> Kind:
    """Return how a delivery report ended, for good only if it did for everybody whom it names."""
    ends = [end for report in reports for end in _ends(report)]
    if ends and all(end == "5" for end in ends):
        return Kind.HARD_BOUNCE
    return Kind.SOFT_BOUNCE if {"4", "5"} & set(ends) else Kind.AUTOMATIC


def _ends(report: Message) -> Iterator[str]:
    """Yield the class of each recipient's status: 2, 4 or 5."""
    for block in _parts(report):
        status, action = _STATUS.match(_text(block, "Status")), _text(block, "Action").strip()
        if status:
            # Delayed is not failed, whatever the status says.
            yield "4" if action.lower() == "delayed" and status[1] == "5" else status[1]


def _quoted(mail: Message) -> Iterator[str]:
    """Yield the Message-IDs of what a report returns, whole or its headers alone."""
    for part in _parts(mail):
        match part.get_content_type():
            case "message/rfc822" | "message/global":
                for returned in _parts(part):
                    yield from _ids(returned, "Message-ID")
            case "text/rfc822-headers" | "message/global-headers":
                yield from _ids(_returned(part), "Message-ID")


def _parts(mail: Message) -> list[Message]:
    parts = mail.get_payload()
    found = parts if isinstance(parts, list) else []
    return [part for part in found if isinstance(part, Message)]


def _returned(part: Message) -> Message:
    text: Any = part.get_payload(decode=True)
    return message_from_bytes(text if isinstance(text, bytes) else b"")


def _is_automatic(mail: Message) -> bool:
    submitted = _text(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    return (
        submitted not in ("", "no")
        or _text(mail, "Precedence").strip().lower() in _BULK
        or any(name in mail for name in _MACHINES)
        or mail.get_content_type() == "multipart/report"
        or _text(mail, "Return-Path").strip() == "<>"
    )


def _ids(mail: Message, header: str) -> Iterator[str]:
    for value in mail.get_all(header, []):
        yield from _MESSAGE_ID.findall(str(value))


def _text(mail: Message, header: str) -> str:
    return str(mail.get(header, ""))


def _first(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the ids, each once, less those that no ledger can hold."""
    sound = (id_ for id_ in ids if id_.isascii() and id_.isprintable())
    return tuple(dict.fromkeys(sound))[:_MOST_IDS]
