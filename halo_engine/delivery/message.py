"""Write one email: safe headers, a text and an HTML page (§9).

Contacts choose their own names, and names end up in headers. Everything that could end a header
line or be read as encoded text is removed, and each header is checked against its grammar.
"""

import re
from binascii import b2a_qp
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.header import Header
from email.utils import format_datetime
from typing import Final
from unicodedata import category
from uuid import UUID

from email_validator import validate_email

from halo_engine.delivery.body import write_body
from halo_engine.delivery.links import LinkBases, MailLinks
from halo_engine.delivery.transports import Mail, PermanentFailure
from halo_engine.domain.errors import Refusal, shown
from halo_engine.domain.mail_names import bounce_address
from halo_engine.domain.merge_fields import render
from halo_engine.domain.reasons import SeriesKind
from halo_engine.domain.series import Email, Series
from halo_engine.domain.traits import is_plain_address
from halo_engine.work import Organization

_LONGEST_LINE: Final = 76

#: Control characters, lone surrogates, and other characters that Python takes for line ends.
_NOT_IN_HEADERS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_ENCODED_WORD: Final = re.compile(r"=(?=\?)")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9 ]{1,60}")

#: A valid header: lines of printable ASCII, none of them blank, all but the first begin with a
#: space.
_HEADER: Final = re.compile(r"[A-Za-z-]+: [ -~]*(?:\r\n +[!-~][ -~]*)*")
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


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of all mail: its name, its address, and the base URLs of its links.

    Reports go to ``bounce_domain`` if it is set, else to the address. Raises ValueError if mail
    cannot be sent from the address.
    """

    name: str
    address: str
    bases: LinkBases = field(default_factory=LinkBases)
    bounce_domain: str | None = None

    def __post_init__(self) -> None:
        _checked(self.address)

    @property
    def domain(self) -> str:
        """The domain of our Message-IDs."""
        return _checked(self.address).rpartition("@")[2]

    def envelope(self, mail: UUID) -> str:
        """Return the envelope sender of a mail, which gets the reports about it."""
        if self.bounce_domain is None:
            return _checked(self.address)
        return bounce_address(mail, self.bounce_domain)


def write_mail(
    email: Email,
    values: Mapping[str, str],
    *,
    sender: Sender,
    to: str,
    footer: str | None,
    links: MailLinks,
    now: datetime,
) -> Mail:
    """Return the message of an email step, complete except for its Message-ID (contract §9).

    ``values`` fill the merge fields. Marketing has a ``footer`` below the body, and headers to
    unsubscribe. Raises PermanentFailure if the message cannot be written, mostly because of the
    address.
    """
    try:
        subject = _one_line(render(email.subject, values))
        headers = {
            "From": _mailbox(sender),
            "To": _checked(to),
            "Subject": _text("Subject", subject),
            "Date": format_datetime(now),
            "MIME-Version": "1.0",
        }
        if footer is not None:
            headers["List-Unsubscribe"] = f"<{links.unsubscribe}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        head = "".join(map(_header, headers, headers.values()))
        body = write_body(email.body, values, subject=subject, footer=footer, links=links)
        parts = _PARTS % {
            b"boundary": _BOUNDARY.encode(),
            b"text": _quoted_printable(body.text),
            b"page": _quoted_printable(body.page),
        }
    except (Refusal, MessageError, ValueError) as error:
        raise PermanentFailure(f"the message cannot be written: {error}") from error
    return Mail(_checked(sender.address), headers["To"], head.encode() + parts)


def footer_of(series: Series, org: Organization) -> str | None:
    """Return the footer of a series' emails; None if they are not marketing (contract §9).

    Raises PermanentFailure for marketing if the organisation has no footer.
    """
    if series.kind is not SeriesKind.MARKETING:
        return None
    if not org.company_footer:
        raise PermanentFailure("Marketing emails require a company footer.")
    return org.company_footer


def _mailbox(sender: Sender) -> str:
    name, address = _one_line(sender.name), _checked(sender.address)
    if not name:
        return address
    if _PLAIN_NAME.fullmatch(name):
        return f"{name} <{address}>"
    return f"{_encoded('From', name)}\r\n <{address}>"


def _text(header: str, line: str) -> str:
    """Return a line as the value of a header: unchanged, or as encoded words on short lines."""
    fits = len(header) + len(": ") + len(line) <= _LONGEST_LINE
    return line if line.isascii() and fits else _encoded(header, line)


def _one_line(text: str) -> str:
    """Return ``text`` on one line, without line ends, control characters and encoded words."""
    clean = text
    if not (text.isascii() and text.isprintable()):
        clean = "".join(" " if category(char) in _NOT_IN_HEADERS else char for char in text)
    return " ".join(_ENCODED_WORD.sub("= ", clean).split())


def _encoded(header: str, text: str) -> str:
    return Header(text, "utf-8", _LONGEST_LINE, header).encode(linesep="\r\n")


def _checked(address: str) -> str:
    """Return the address as ASCII; raises ValueError if no server would accept it."""
    if is_plain_address(address):
        return address
    if _ENCODED_WORD.search(address):
        raise ValueError(f"{shown(address)} would read as encoded text")
    found = validate_email(address, check_deliverability=False, globally_deliverable=False)
    if found.ascii_email is None:
        raise ValueError(f"{shown(address)}: the part before the @-sign is not ASCII")
    return address if address.isascii() else found.ascii_email


def _header(name: str, value: str) -> str:
    """Return a header with its line end; raises ValueError if it is not valid."""
    header = f"{name}: {value}"
    if not _HEADER.fullmatch(header):
        raise ValueError(f"its headers would read {shown(header)}")
    return f"{header}\r\n"


def _quoted_printable(text: str) -> bytes:
    """Encode a text in lines that end in CRLF (RFC 2045, 6.7)."""
    return b2a_qp(b"\r\n".join([*text.encode().splitlines(), b""]))
