"""Judge why a mail bounced, and whether its address is the cause (contract §2).

The code decides (RFC 3463 and the registry of enhanced status codes); if it says nothing, the words
do (``bounce_words``). Words about anything else overrule a code about the recipient: servers use
5.1.1 for all sorts of refusals.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from halo_engine.domain.bounce_reasons import FOR_GOOD, BounceReason
from halo_engine.mail.reading.bounce_words import reason_in

#: What each code means, without its class. For a code that is not here, its subject counts.
CODES: Final = {
    "1.1": BounceReason.USER_UNKNOWN,
    "1.2": BounceReason.DOMAIN_UNKNOWN,
    "1.3": BounceReason.BAD_ADDRESS,
    "1.6": BounceReason.MOVED,
    "1.7": BounceReason.SENDER_REFUSED,
    "1.8": BounceReason.SENDER_REFUSED,
    "1.10": BounceReason.USER_UNKNOWN,  # Exchange; RFC 7505: null MX
    "1.351": BounceReason.USER_UNKNOWN,  # Microsoft
    "1": BounceReason.UNCLEAR,
    "2.1": BounceReason.MAILBOX_DISABLED,
    "2.2": BounceReason.MAILBOX_FULL,
    "2.3": BounceReason.TOO_LARGE,
    "2.121": BounceReason.RATE,  # Microsoft
    "2.122": BounceReason.RATE,  # Microsoft
    "2": BounceReason.UNCLEAR,
    "3.4": BounceReason.TOO_LARGE,
    "3": BounceReason.SERVER,
    "4.1": BounceReason.USER_UNKNOWN,  # Microsoft; others mean the network, and say so in words
    "4.4": BounceReason.DOMAIN_UNKNOWN,
    "4": BounceReason.NETWORK,
    "6": BounceReason.CONTENT,
    "7.7": BounceReason.AUTHENTICATION,
    "7.8": BounceReason.AUTHENTICATION,
    "7.9": BounceReason.AUTHENTICATION,
    "7.20": BounceReason.AUTHENTICATION,
    "7.21": BounceReason.AUTHENTICATION,
    "7.22": BounceReason.AUTHENTICATION,
    "7.23": BounceReason.AUTHENTICATION,
    "7.24": BounceReason.AUTHENTICATION,
    "7.25": BounceReason.AUTHENTICATION,
    "7.26": BounceReason.AUTHENTICATION,
    "7.27": BounceReason.SENDER_REFUSED,
    "7.28": BounceReason.RATE,
    "7.509": BounceReason.AUTHENTICATION,
    "7.511": BounceReason.BLOCKLIST,
    "7.515": BounceReason.AUTHENTICATION,
    "7.606": BounceReason.BLOCKLIST,
    "7.705": BounceReason.RATE,
    "7.708": BounceReason.BLOCKLIST,
    "7": BounceReason.POLICY,
}
#: Codes that say nothing, so the words decide: no subject, the protocol, "other or undefined", 7.27
#: (a null MX: the sender's by its definition, the recipient's where Sendmail uses it), and
#: 2.1 (a mailbox that takes no mail), which many servers use for a mailbox that does not exist.
_SILENT_SUBJECTS: Final = frozenset({"0", "5"})
_SILENT: Final = frozenset({"1.0", "1.5", "2.0", "2.1", "3.0", "7.27"})

_CODE: Final = re.compile(r"(?<![\d.])([45])\.(\d{1,3}\.\d{1,3})(?!\.?\d)")
#: An SMTP reply code: three digits at the beginning of a server's answer.
_REPLY: Final = re.compile(r"(?<![\w.,:=/-])([45])\d\d(?=[ \-#:<]|$)", re.MULTILINE)
#: RFC 7504: the domain accepts no mail.
_NO_MAIL: Final = re.compile(r"(?<![\w.,:=/-])556(?=[ \-#:<]|$)", re.MULTILINE)
#: The text was refused, not the recipient: a server that accepted the recipient knows the address.
_TO_THE_TEXT: Final = re.compile(
    r"in reply to (end of )?DATA|after (end of )?data\b|SMTP command:?\s+DATA\b|^>>> DATA$",
    re.IGNORECASE | re.MULTILINE,
)
#: All the same the recipient was refused: several commands were sent at once; or it is Yahoo or
#: mail.ru, who look a recipient up only then.
_NO_RECIPIENT: Final = re.compile(
    r"need rcpt|no valid recipients|local mailbox|action aborted, mailbox not found"
    r"|delivery error: dd\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a refusal means: whether it is for good, and why."""

    for_good: bool
    reason: BounceReason


def judge(diagnostic: str, status: str = "", more: str = "") -> Bounce | None:
    """Return what a refusal means; None if the texts are no refusal.

    ``diagnostic`` is what the server said; its code counts before the report's ``status``. ``more``
    is the text that a report has for people; it is read if the other two say nothing.
    """
    said_codes = _CODE.findall(diagnostic)
    codes = [*said_codes, *_CODE.findall(status)]
    telling = next((code for code in codes if _tells(code[1])), None)
    reply = _REPLY.search(diagnostic)
    said = _said(diagnostic, reply)
    if said is None and telling is None and more:
        judged = judge(more, status)
        # The class of the server's answer still counts: a temporary refusal is not for good.
        is_put_off = (said_codes[0][0] if said_codes else reply and reply[1]) == "4"
        return replace(judged, for_good=False) if judged and is_put_off else judged
    if said is None and not codes and reply is None:
        return None
    reason = _reason(telling, said) if telling else said or _by_code(next(iter(codes), None))
    if telling is None and reason in FOR_GOOD and _is_of_the_text(f"{diagnostic}\n{more}"):
        reason = BounceReason.POLICY
    # The class of the server's answer counts before the report's, too.
    classes = [*(code[0] for code in said_codes), *(reply[1] if reply else ""), *status[:1]]
    return Bounce(for_good=reason in FOR_GOOD and classes[:1] != ["4"], reason=reason)


def kind_of(words: str) -> BounceReason | None:
    """Return the reason in a server's words; None if they are no refusal."""
    judged = judge(words)
    return None if judged is None else judged.reason


def _is_of_the_text(words: str) -> bool:
    """Whether the text was refused, and not the recipient before it."""
    return bool(_TO_THE_TEXT.search(words)) and not _NO_RECIPIENT.search(words)


def _said(diagnostic: str, reply: re.Match[str] | None) -> BounceReason | None:
    """Return the reason in the words; those after the server's reply code come first."""
    answer = diagnostic[reply.start() :].partition("\n\n")[0] if reply else ""
    said = reason_in(answer) or reason_in(diagnostic)
    return said or (BounceReason.NULL_MX if _NO_MAIL.search(diagnostic) else None)


def _reason(code: tuple[str, str], said: BounceReason | None) -> BounceReason:
    by_code = _by_code(code)
    if said is None or said in FOR_GOOD or said is BounceReason.MAILBOX_DISABLED:
        # Words about the recipient do not overrule a code about something else.
        return by_code
    return said


def _by_code(code: tuple[str, str] | None) -> BounceReason:
    number = "" if code is None else code[1]
    found = CODES.get(number) or CODES.get(number.partition(".")[0])
    return found or BounceReason.UNCLEAR


def _tells(code: str) -> bool:
    return code.partition(".")[0] not in _SILENT_SUBJECTS and code not in _SILENT
