"""Write one email: safe headers, a text and an HTML page (§9).

Contacts choose their own names, and names are written into headers. So everything that could end a
header line or be read as encoded text is removed, and each header is checked against its grammar.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from email.errors import MessageError
from email.utils import format_datetime
from functools import lru_cache
from typing import Final
from unicodedata import category

from halo_engine.domain.errors import Refusal, shown
from halo_engine.domain.fields.if_blocks import shown_part
from halo_engine.domain.fields.merge_fields import render
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.series.email import Email
from halo_engine.mail.composing.body import Body, write_body
from halo_engine.mail.composing.encoded_words import encoded_words
from halo_engine.mail.composing.links import MailLinks
from halo_engine.mail.composing.mail_parts import Footer, MailParts
from halo_engine.mail.composing.sender import ENCODED_WORD, Sender, checked_address
from halo_engine.mail.transports.transports import Mail, PermanentFailure
from halo_engine.work import Organization

_LONGEST_LINE: Final = 76

#: Control characters, lone surrogates, and other characters that Python takes for line ends.
_NOT_IN_HEADERS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9 ]{1,60}")

#: A valid header: lines of printable ASCII, none of them blank, all but the first begin with a
#: space.
_HEADER: Final = re.compile(r"[A-Za-z0-9-]+: [ -~]*(?:\r\n +[!-~][ -~]*)*")
#: Quoted-printable text never contains ``=_``.
_BOUNDARY: Final = "=_halo"
_PARTS: Final = (
    b'Content-Type: multipart/alternative; boundary="%(boundary)b"\r\n\r\n'
    b"--%(boundary)b\r\n"
    b'Content-Type: text/plain; charset="utf-8"\r\n'
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n%(text)b\r\n"
    b"--%(boundary)b\r\n"
    b'Content-Type: text/html; charset="utf-8"\r\n'
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n%(page)b\r\n"
    b"--%(boundary)b--\r\n"
)


def mail_of_step(
    step: Step,
    *,
    series: Series,
    org: Organization,
    recipient_id: int,
    values: Mapping[str, str],
    sender: Sender,
    to: str,
    now: datetime,
) -> Mail:
    """Return the message of an email step to one contact; raises what ``write_mail`` raises."""
    assert step.email is not None
    return write_mail(
        step.email,
        values,
        sender=sender,
        to=to,
        footer=Footer.of(series, org),
        links=MailLinks.of(sender.bases, org, series, recipient_id),
        feedback_id=feedback_id(step, series, org),
        now=now,
    )


def write_mail(
    email: Email,
    values: Mapping[str, str],
    *,
    sender: Sender,
    to: str,
    footer: Footer,
    links: MailLinks,
    feedback_id: str | None = None,
    now: datetime,
) -> Mail:
    """Return the message of an email, complete except for its Message-ID (contract §9, §15).

    ``values`` fill the merge fields. Marketing has a footer, and headers to unsubscribe. Raises
    PermanentFailure if the message cannot be written, mostly because of the address.
    """
    try:
        subject = _line_of(email.subject, values)
        preview = _line_of(email.preview or "", values)
        headers = {
            "From": _mailbox(_line_of(email.from_name or "", values) or sender.name, sender),
            "To": checked_address(to),
            **_reply_to(email, values, sender),
            **_usual(subject, now),
        }
        if footer.is_marketing:
            headers["List-Unsubscribe"] = f"<{links.unsubscribe}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        if feedback_id is not None:
            headers["Feedback-ID"] = feedback_id
        for name, template in email.headers.items():
            headers[name] = _text(name, _line_of(template, values))
        parts = MailParts(subject, preview, footer.text, footer.is_marketing, links)
        return _assembled(sender, headers, write_body(email, values, parts))
    except (Refusal, MessageError, ValueError) as error:
        raise PermanentFailure(f"the message cannot be written: {error}") from error


def write_notice(
    subject: str, body: Body, *, sender: Sender, to: str, feedback_id: str, now: datetime
) -> Mail:
    """Return the message of a mail that is no step's; raises what ``write_mail`` raises."""
    try:
        headers = {
            "From": _mailbox(sender.name, sender),
            "To": checked_address(to),
            **({"Reply-To": checked_address(sender.reply_to)} if sender.reply_to else {}),
            **_usual(_one_line(subject), now),
            "Auto-Submitted": "auto-generated",
            "Feedback-ID": feedback_id,
        }
        return _assembled(sender, headers, body)
    except (MessageError, ValueError) as error:
        raise PermanentFailure(f"the message cannot be written: {error}") from error


def _usual(subject: str, now: datetime) -> dict[str, str]:
    return {
        "Subject": _text("Subject", subject),
        "Date": _date(now),
        "MIME-Version": "1.0",
    }


def _assembled(sender: Sender, headers: Mapping[str, str], body: Body) -> Mail:
    head = "".join(map(_header, headers, headers.values()))
    content = _PARTS % {
        b"boundary": _BOUNDARY.encode(),
        b"text": body.text,
        b"page": body.page,
    }
    return Mail(checked_address(sender.address), headers["To"], head.encode() + content)


def feedback_id(step: Step, series: Series, org: Organization) -> str:
    """Return by what mailbox providers count complaints: step, series, kind, and who sends.

    The last part is the same for all mail of an organisation (Google: 5 to 15 characters).
    """
    return f"{step.key}:{series.key}:{series.kind}:{org.id.hex[:15]}"


@lru_cache(maxsize=16)
def _date(now: datetime) -> str:
    """Return an instant as headers have it; the mails of a batch have the same."""
    return format_datetime(now)


def _line_of(template: str, values: Mapping[str, str]) -> str:
    """Return a template of one line with its values, without what headers cannot hold."""
    return _one_line(render(shown_part(template, values), values))


def _reply_to(email: Email, values: Mapping[str, str], sender: Sender) -> dict[str, str]:
    """Return the header for replies; a value that is not one address does not count."""
    written = render(shown_part(email.reply_to or "", values), values).strip()
    for address in filter(None, (written, sender.reply_to)):
        with suppress(ValueError):
            return {"Reply-To": checked_address(address)}
    return {}


def _mailbox(display: str, sender: Sender) -> str:
    name, address = _one_line(display), checked_address(sender.address)
    if not name:
        return address
    if _PLAIN_NAME.fullmatch(name):
        return f"{name} <{address}>"
    return f"{encoded_words('From', name)}\r\n <{address}>"


def _text(header: str, line: str) -> str:
    """Return a line as the value of a header: unchanged, or as encoded words on short lines."""
    fits = len(header) + len(": ") + len(line) <= _LONGEST_LINE
    return line if line.isascii() and fits else encoded_words(header, line)


def _one_line(text: str) -> str:
    """Return ``text`` on one line, without line ends, control characters and encoded words."""
    clean = text
    if not (text.isascii() and text.isprintable()):
        clean = "".join(" " if category(char) in _NOT_IN_HEADERS else char for char in text)
    return " ".join(ENCODED_WORD.sub("= ", clean).split())


def _header(name: str, value: str) -> str:
    """Return a header with its line end; raises ValueError if it is not valid."""
    header = f"{name}: {value}"
    if not _HEADER.fullmatch(header):
        raise ValueError(f"its headers would read {shown(header)}")
    return f"{header}\r\n"
