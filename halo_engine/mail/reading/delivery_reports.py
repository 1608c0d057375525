"""Read delivery reports: those of RFC 3464, and older ones in plain text (contract §2)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.message import Message
from itertools import zip_longest
from typing import Final

from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.mail.reading.bounces import Bounce, judge
from halo_engine.mail.reading.machine_mail import (
    has_no_address,
    is_an_answer,
    is_by_a_mail_server,
    subject,
)
from halo_engine.mail.reading.parts import blocks_in, blocks_of, header, leaves, text

_REPORTS: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
#: Fields of a block about one recipient (RFC 3464, 2.3).
_ABOUT_ONE: Final = ("Final-Recipient", "Original-Recipient", "Action", "Status", "Diagnostic-Code")
_TROUBLE: Final = frozenset({"failed", "delayed"})
_ARRIVED: Final = frozenset({"delivered", "relayed", "expanded"})
#: ``smtp;``, ``x-postfix;``: the type of a diagnostic code.
_DIAGNOSTIC_TYPE: Final = re.compile(r"^[\w-]{1,60};\s*")
#: Where Exchange writes the code instead ([MS-OXCMAIL], 2.2.3.7.1.2): server, status, code.
_SUPPLEMENT: Final = "X-Supplementary-Info"
_SUPPLEMENTED: Final = re.compile(r"<[^#]{0,300}#[\d.]{1,20} (?P<code>.*?)>?")
_MOST_RECIPIENTS: Final = 100
#: In characters: a server's words about one recipient, and a report's text for people.
_LONGEST_CODE: Final = 2_000
_LONGEST_SAID: Final = 16 * 1024

#: Subjects of mails about failed deliveries.
_FAILURE: Final = re.compile(
    r"undeliver|not (be )?delivered|non.?deliver|delivery|returned (mail|to sender)|failure notice"
    r"|(unable|failed) to deliver|mail (system )?(error|failure)|failed|bounce|user unknown|warning"
    r"|delayed|postmaster notify"
    # As servers write it in German, French, Spanish, Portuguese, Italian, Dutch, Russian, Chinese.
    r"|zustellbar|nicht zugestellt|non remis|non distribu|no se (pudo|ha podido|puede) entregar"
    r"|no entregado|n[aã]o entregue|non recapitabil|mancato recapito|onbestelbaar|недостав|退信",
    re.IGNORECASE,
)
#: Words of a warning: the server has not given up yet.
_DELAYED: Final = re.compile(
    r"warning message only|do not need to resend|will (be retried|continue|keep trying|try again)"
    r"|not yet been delivered|(has|have) been delayed|delivery (is )?delayed|still trying",
    re.IGNORECASE,
)
#: A line that goes on with the header above it. What a line has is never given back (``++``): else
#: nine lines that begin with eight blanks can be read in a hundred million ways.
_GOES_ON: Final = r"\n>?+[ \t]++[^\n]*+"
#: Where the headers of a returned mail begin: one of these, then two other header lines.
_RETURNED: Final = re.compile(
    r"^[> ]{0,4}(?:received|return-path|message-id|from|date|mime-version|x-[\w-]{1,60}):[^\n]*+"
    rf"(?:{_GOES_ON}){{0,20}}"
    rf"(?:\n[> ]{{0,4}}[\w-]{{1,60}}:[^\n]*+(?:{_GOES_ON}){{0,20}}){{2}}",
    re.IGNORECASE | re.MULTILINE,
)
#: Lines that servers put above the returned mail.
_LINE: Final = re.compile(
    r"^[-=_*> ]{0,80}(?:below this line"
    r"|(?:(?:below|this|here|included|enclosed|attached) is )?(?:a |the )?copy of"
    r"|the (?:header of the )?original|original (?:message|mail)|returned message|unsent message"
    r"|(?:message|mail) (?:header|text|copy)|what was sent|contents of the"
    r"|undelivered (?:message|mail) follows"
    r"|your (?:message|mail) (?:reads|follows))",
    re.IGNORECASE | re.MULTILINE,
)
#: A line that begins with a recipient, perhaps followed by what is wrong.
_RECIPIENT: Final = re.compile(
    r"^[ \t]*(?:to: |rcpt to:)?<?[\w.+=/'&-]{1,64}@[\w.-]{1,253}>?(?=[\s:;,.(]|$)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a delivery report says; ``bounce`` is None if it reports no failure."""

    bounce: Bounce | None


_UNCLEAR: Final = Bounce(for_good=False, reason=BounceReason.UNCLEAR)


def read_report(mail: Message) -> Report | None:
    """Return a delivery report's result; None for a mail that is no report (contract §2).

    It is for good only if it is so for every recipient. A report counts in a mail of type
    ``multipart/report``, or from a mail server: people forward reports too. Where no address tells
    who sent it, it counts if it is written as RFC 3464 has it.
    """
    parts = leaves(mail)
    from_server = is_by_a_mail_server(mail)
    reports = [part for part in parts if part.get_content_type() in _REPORTS]
    is_report = mail.get_content_type() == "multipart/report"
    is_nameless = has_no_address(mail) and not is_an_answer(mail)
    if not (from_server or (reports and (is_report or is_nameless))):
        return _in_text(_said(parts)) if is_nameless else None
    said = _said(parts)
    blocks = [block for report in reports for block in blocks_of(report)]
    if from_server and not blocks:
        blocks = [*blocks_in(said), *_renamed(parts)]
    about_one = [block for block in blocks if any(name in block for name in _ABOUT_ONE)]
    if about_one:
        return together(_fates(about_one[:_MOST_RECIPIENTS], _above(said)))
    in_words = _in_words(mail, _above(said)) if from_server and not is_an_answer(mail) else None
    return in_words or (Report(None) if reports else None)


def _in_text(said: str) -> Report | None:
    """Return what a text reports that is written as a part for programs is."""
    blocks = [block for block in blocks_in(said) if _is_whole(block)]
    return together(_fates(blocks[:_MOST_RECIPIENTS], "")) if blocks else None


def _renamed(parts: Iterable[Message]) -> list[Message]:
    """Return the blocks about recipients in text parts, as which gateways pass on a report."""
    texts = [part for part in parts if part.get_content_maintype() == "text"]
    blocks = [block for part in texts[1:] for block in blocks_in(text(part)[:_LONGEST_SAID])]
    return [block for block in blocks if _is_whole(block)]


def _is_whole(block: Message) -> bool:
    """Whether a block has the fields that each about a recipient must have (RFC 3464, 2.3)."""
    return "Final-Recipient" in block and "Action" in block


def _fates(blocks: Sequence[Message], said: str) -> Iterator[Bounce | None]:
    """Yield the bounce of each recipient, None where the mail arrived."""
    for block in blocks:
        action, status = header(block, "Action").lower().split(" ")[0], header(block, "Status")
        if action in _ARRIVED or (status.startswith("2") and action not in _TROUBLE):
            yield None
            continue
        bounce = judge(_diagnostic(block), status, said if len(blocks) == 1 else "")
        if action == "delayed":
            yield replace(bounce or _UNCLEAR, for_good=False)
        elif bounce is not None or action == "failed":
            yield bounce or _UNCLEAR


def _diagnostic(block: Message) -> str:
    """Return what the server said about a recipient."""
    code = header(block, "Diagnostic-Code")
    if not code:
        supplement = _SUPPLEMENTED.fullmatch(header(block, _SUPPLEMENT))
        code = supplement["code"] if supplement else ""
    return _DIAGNOSTIC_TYPE.sub("", code)[:_LONGEST_CODE]


def together(fates: Iterable[Bounce | None]) -> Report:
    """Combine several recipients' results: permanent only if it is permanent for all of them."""
    ends = list(fates)
    bounces = [end for end in ends if end is not None]
    worst = next((bounce for bounce in bounces if not bounce.for_good), next(iter(bounces), None))
    if worst is None:
        return Report(None)
    return Report(replace(worst, for_good=worst.for_good and None not in ends))


def _said(parts: Iterable[Message]) -> str:
    """Return the first text of a mail.

    If the boundaries of a multipart were not found, it has no parts; its raw text is read instead.
    """
    texts = (text(part) for part in parts if part.get_content_maintype() in ("text", "multipart"))
    return next(filter(str.strip, texts), "")[:_LONGEST_SAID]


def _above(written: str) -> str:
    """Return the text above a returned mail."""
    ends = [found.start() for pattern in (_LINE, _RETURNED) for found in pattern.finditer(written)]
    return written[: min((end for end in ends if end > 0), default=None)]


def _in_words(mail: Message, said: str) -> Report | None:
    """Return what a plain-text mail of a mail server says; None if it reports no bounce."""
    whole = judge(said) or judge(subject(mail))
    if not (whole or "X-Failed-Recipients" in mail or _FAILURE.search(subject(mail))):
        return None
    if _DELAYED.search(said):
        return Report(Bounce(for_good=False, reason=BounceReason.NETWORK))
    starts = [found.start() for found in _RECIPIENT.finditer(said)]
    pieces = [said[start:end] for start, end in zip_longest(starts, starts[1:])]
    fates = [bounce for piece in pieces if (bounce := judge(piece)) is not None]
    return together(fates or [whole or _UNCLEAR])
