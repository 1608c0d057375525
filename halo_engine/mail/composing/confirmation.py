"""The mail that asks to confirm a list (contract §16)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from halo_engine.mail.composing.body import Body
from halo_engine.mail.composing.links import MailLinks, confirm_url
from halo_engine.mail.composing.mail_parts import MailParts
from halo_engine.mail.composing.message import write_notice
from halo_engine.mail.composing.page import page_of_text
from halo_engine.mail.composing.quoted_printable import encoded
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.composing.text_pieces import Piece, PieceKind
from halo_engine.mail.transports.transports import Mail
from halo_engine.work import Organization

_SUBJECT: Final = "Confirm that you want {name}"
_ASKED: Final = """\
Hello,

somebody, most likely you, asked for ‘{name}’ from {org} at this address.{about}
Confirm it on this page:

"""
_OTHERWISE: Final = """

The link works for 7 days. If it was not you, do nothing, and you get no mail of this list.
"""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A mail to be sent: what people see of its list, the address, and how often it was tried."""

    id: int
    key: str
    name: str
    description: str | None
    address: str
    attempts: int


def confirmation_mail(
    asked: Confirmation, *, org: Organization, sender: Sender, now: datetime
) -> Mail:
    """Return the message, complete except for its Message-ID; nothing in it is tracked.

    Raises PermanentFailure if it cannot be written, mostly because of the address.
    """
    about = f" {asked.description}" if asked.description else ""
    url = confirm_url(sender.bases, org, asked.id)
    pieces = [
        Piece(_ASKED.format(name=asked.name, org=org.name, about=about), PieceKind.WORDS),
        Piece(url, PieceKind.UNSUBSCRIBE),
        Piece(_OTHERWISE, PieceKind.WORDS),
    ]
    subject = _SUBJECT.format(name=asked.name)
    untracked = replace(sender.bases, tracking=None)
    links = MailLinks(untracked, org.id, org.mail_key, asked.id, None)
    parts = MailParts(subject, "", "", is_marketing=False, links=links)
    text = "".join(piece.text for piece in pieces)
    return write_notice(
        subject,
        Body(encoded(text), encoded(page_of_text(pieces, frozenset(), parts))),
        sender=sender,
        to=asked.address,
        feedback_id=f"confirm:{asked.key}:transactional:{org.id.hex[:15]}",
        now=now,
    )
