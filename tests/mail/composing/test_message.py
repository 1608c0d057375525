"""One email as it goes out (contract §9)."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from random import Random
from uuid import UUID

import pytest

from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.domain.series.email import Email
from halo_engine.mail.composing.links import LinkBases, MailLinks
from halo_engine.mail.composing.mail_parts import Footer
from halo_engine.mail.composing.message import write_mail
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import Mail, PermanentFailure

LINKS = MailLinks(LinkBases(), UUID(int=1), bytes(32), 7, None)
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
HEADERS = [
    "Message-ID",
    "References",
    "From",
    "To",
    "Subject",
    "Date",
    "MIME-Version",
    "Content-Type",
]
MARKETING_HEADERS = [*HEADERS[:-1], "List-Unsubscribe", "List-Unsubscribe-Post", HEADERS[-1]]

#: What people put into their names to get into other people's headers, and what breaks folding.
HOSTILE = [
    *("\r\nBcc: eve@b.example", "\nBcc: eve@b.example", "\r\n\r\n<script>", "\r", "\n", "\x00"),
    *("=?utf-8?q?A=0d=0aBcc:_eve@b.example?=", "=?utf-8?b?DQpCY2M6IGVAYi5leGFtcGxl?=", "=?", "?="),
    *("\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\ufeff", "\u202e"),
    *("a" * 80, "é" * 40, "日本" * 20, "😀" * 15, "word " * 10, "\t", " ", "\xa0", "\u3000"),
    *('"', "\\", ",", ";", ":", "@", "<", ">", "(", ")", "[", "]", "=", "?", "_", "%0d%0a", "<b>"),
]

NO_FOOTER = Footer("", is_marketing=False)


def written(
    name: str, *, sender: str = "Acme", to: str = "ann@a.example", footer: str | None = None
) -> Mail:
    """Write an email to a contact of this name."""
    mail = write_mail(
        Email(subject="Hi {{ name }}!", body="Dear {{ name|friend }},\nwelcome.\n\n<b>Bye</b>\n"),
        {"name": name},
        sender=Sender(sender, "hello@acme.example"),
        to=to,
        footer=NO_FOOTER if footer is None else Footer(footer, is_marketing=True),
        links=LINKS,
        now=NOW,
    )
    return mail.under("<1@acme.example>")


def test_an_email_has_its_headers_and_two_parts() -> None:
    """An email has the text as written, and the same text escaped in paragraphs."""
    message = message_from_bytes(written("Ann <3").content, policy=SMTP)
    assert isinstance(message, EmailMessage)
    assert message.items() == [
        ("Message-ID", "<1@acme.example>"),
        ("References", "<1@acme.example>"),
        ("From", "Acme <hello@acme.example>"),
        ("To", "ann@a.example"),
        ("Subject", "Hi Ann <3!"),
        ("Date", "Mon, 01 Jun 2026 09:00:00 +0000"),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'multipart/alternative; boundary="=_halo"'),
    ]
    assert message.get_content_type() == "multipart/alternative"
    text, page = message.iter_parts()
    assert (text.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content() == "Dear Ann <3,\r\nwelcome.\r\n\r\n<b>Bye</b>\r\n"
    content = page.get_content().replace("\r\n", "\n")
    assert "<title>Hi Ann &lt;3!</title>" in content
    assert paragraphs(content) == ["Dear Ann &lt;3,<br>\nwelcome.", "&lt;b&gt;Bye&lt;/b&gt;"]


@pytest.mark.parametrize(
    "number", [2_000, pytest.param(10_000, marks=pytest.mark.torture, id="torture")]
)
def test_no_name_gets_into_the_headers(number: int) -> None:
    """Hostile names and senders add no header, in marketing or not."""
    random = Random(20260601)
    for turn in range(number):
        footer = "Acme Inc\r\nBcc: eve@b.example" if turn % 2 else None
        expected = HEADERS if footer is None else MARKETING_HEADERS
        name = "".join(random.choices(HOSTILE, k=random.randint(1, 7)))
        head = written(name, sender=name, footer=footer).content.partition(b"\r\n\r\n")[0]
        read = message_from_bytes(head)
        assert read.keys() == expected
        assert _decoded(read["Subject"]) == harmless(f"Hi {name}!")
        shown, address = parseaddr(read["From"])
        assert (_decoded(shown), address) == (harmless(name), "hello@acme.example")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"List-Unsubscribe:")]
        assert max(map(len, lines)) <= 78


def test_marketing_can_be_left_with_one_click() -> None:
    """Marketing has RFC 8058's headers: an https URL with this mail's token, and what to POST."""
    message = written("Ann", footer="Acme Inc").read()
    assert message.keys() == MARKETING_HEADERS
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    base, _, token = message["List-Unsubscribe"].strip("<>").rpartition("/")
    assert base == "https://halo.example/unsubscribe"
    read = MailToken.verified(token, LINKS.key, Purpose.UNSUBSCRIBE)
    assert read == MailToken(Purpose.UNSUBSCRIBE, LINKS.org_id, LINKS.recipient_id)


def test_headers_go_out_as_they_were_written() -> None:
    """A header with a long URL is sent whole, not folded."""
    url = f"https://acme.example/{'a' * 100}"
    links = replace(LINKS, bases=LinkBases(unsubscribe=url))
    mail = write_mail(
        Email(subject="Hi", body="Hello"),
        {},
        sender=Sender("Acme", "hello@acme.example"),
        to="ann@a.example",
        footer=Footer("Acme Inc", is_marketing=True),
        links=links,
        now=NOW,
    )
    assert f"\r\nList-Unsubscribe: <{links.unsubscribe}>\r\n".encode() in mail.content


def paragraphs(page: str) -> list[str]:
    """Return what stands in each paragraph of a page, as it is marked up."""
    return re.findall(r"<p style=\"[^\"]*\">(.*?)</p>", page, re.DOTALL)


def harmless(name: str) -> str:
    """Return the name on one line, in words that are one space apart, without encoded words."""
    ends_of_lines = "\r\n\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\t"
    for character in ends_of_lines:
        name = name.replace(character, " ")
    return " ".join(name.replace("=?", "= ?").split())


def _decoded(value: str) -> str:
    unfolded = value.replace("\r\n", "")
    return str(make_header(decode_header(unfolded)))


@pytest.mark.parametrize(
    "address",
    [
        *("ann@a.example\r\nBcc: eve@b.example", "ann@a.example\n", "ann@a.example ", " ", "ann"),
        *("ann@a.example, eve@b.example", "Ann <ann@a.example>", "group: ann@a.example;"),
        *("=?utf-8?q?ann?=@a.example", "ann@a.exa\u2028mple", "änn@a.example", "a..b@a.example"),
        *("a" * 300 + "@a.example", '"ann\\"@a.example', "ann(eve@b.example)@a.example"),
    ],
)
def test_a_bad_address_is_a_failure_of_its_own_email(address: str) -> None:
    """An email to a bad address fails alone, and says so."""
    with pytest.raises(PermanentFailure, match=r"^the message cannot be written: "):
        written("Ann", to=address)


def test_an_international_domain_is_written_in_ascii() -> None:
    """Servers that know no UTF-8 take the message all the same."""
    mail = written("Ann", to="ann@bücher.example")
    assert mail.read()["To"] == mail.recipient == "ann@xn--bcher-kva.example"


def test_an_address_is_written_as_it_is_stored() -> None:
    """An address keeps the case in which it is stored."""
    mail = written("Ann", to="Ann.Lee+x@A.Example")
    assert mail.read()["To"] == mail.recipient == "Ann.Lee+x@A.Example"


def test_a_sender_needs_an_address() -> None:
    """A wrong sender is refused before any email is composed."""
    with pytest.raises(ValueError, match="@-sign"):
        Sender("Acme", "nobody")


def test_a_sender_may_go_without_a_name() -> None:
    """A sender without a name is the address alone."""
    mail = written("Ann", sender="")
    assert mail.read()["From"] == mail.sender == "hello@acme.example"


def test_a_footer_stands_below_both_parts() -> None:
    """Below the text after a blank line, on the page set apart; then the link to leave by."""
    mail = write_mail(
        Email(subject="Hi", body="Hello\n\n\n"),
        {},
        sender=Sender("Acme", "hello@acme.example"),
        to="ann@a.example",
        footer=Footer("Acme & Sons\n1 Main St", is_marketing=True),
        links=LINKS,
        now=NOW,
    )
    text, page = mail.read().iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(page, EmailMessage)
    leave = LINKS.unsubscribe
    assert text.get_content().splitlines() == [
        *("Hello", "", "Acme & Sons", "1 Main St", "", f"Unsubscribe: {leave}")
    ]
    assert paragraphs(page.get_content().replace("\r\n", "\n")) == [
        "Hello",
        "Acme &amp; Sons<br>\n1 Main St",
        f'<a href="{leave}" style="color:#6b7280">Unsubscribe</a>',
    ]


@pytest.mark.parametrize(
    "body",
    [
        *("=_halo\n--=_halo--\n", ".\n..\n", "a" * 500, "word " * 100, " ends in blanks \t\n\t \n"),
        *("Zoë 日本 😀 \x0b\x0c\x85\u2028 \x00", "=20=\n=\n", "From me\n", "last\r\n\rline"),
    ],
)
def test_a_body_arrives_as_it_was_written(body: str) -> None:
    """In short lines of ASCII that end in CRLF, and no text ends a part or the message."""
    mail = write_mail(
        Email(subject="Hi", body=body),
        {},
        sender=Sender("Acme", "hello@acme.example"),
        to="ann@a.example",
        footer=NO_FOOTER,
        links=LINKS,
        now=NOW,
    )
    lines = mail.content.split(b"\r\n")
    assert not re.search(rb"[\r\n]", b"".join(lines))
    assert max(map(len, lines)) <= 78
    assert mail.content.isascii()
    message = message_from_bytes(mail.content, policy=SMTP)
    assert isinstance(message, EmailMessage)
    text, page = message.iter_parts()
    assert page.get_content_type() == "text/html"
    assert text.get_content() == "".join(
        f"{line}\r\n" for line in re.split(r"\r\n|\r|\n", body.removesuffix("\n"))
    )
