"""Recognise complaints: a mailbox provider reports that somebody called a mail spam (contract §2).

They come in the form of RFC 5965 (ARF). Microsoft instead returns only the mail, with the recipient
in a header; to some it passes on the mail itself, with that header in front.
"""

from collections.abc import Iterable
from email.message import Message
from typing import Final

from halo_engine.mail.reading.machine_mail import is_by_a_mail_server
from halo_engine.mail.reading.parts import blocks_of, enclosed_mails, header, leaves

_REPORT: Final = "message/feedback-report"
#: Feedback types that a person causes (RFC 5965, 7.3); others are automatic, or say "not spam".
BY_A_PERSON: Final = frozenset({"abuse", "fraud", "opt-out", "opt-out-list", "other"})
_MICROSOFT: Final = "X-HmXmrOriginalRecipient"


def is_complaint(mail: Message) -> bool:
    """Whether somebody complains; a report counts in a ``multipart/report``, or from a server."""
    parts = leaves(mail)
    if any(_MICROSOFT in returned for returned in (mail, *enclosed_mails(parts))):
        return True
    if mail.get_content_type() != "multipart/report" and not is_by_a_mail_server(mail):
        return False
    return any(feedback in BY_A_PERSON for feedback in _feedback(parts))


def _feedback(parts: Iterable[Message]) -> list[str]:
    """Return the feedback types of the reports among the parts."""
    reports = [part for part in parts if part.get_content_type() == _REPORT]
    blocks = [block for report in reports for block in blocks_of(report)]
    return [header(block, "Feedback-Type").lower() for block in blocks]
