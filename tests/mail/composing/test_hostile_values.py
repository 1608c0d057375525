"""Values of contacts in every place of an email: nothing but text, whoever reads it (§15)."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from random import Random
from typing import Final
from uuid import UUID

import pytest
from fast_mail_parser import parse_email
from justhtml import Element, JustHTML

from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.domain.series.email import Email
from halo_engine.mail.composing.links import LinkBases, MailLinks
from halo_engine.mail.composing.mail_parts import Footer
from halo_engine.mail.composing.message import write_mail
from halo_engine.mail.composing.sender import Sender

KEY: Final = bytes(32)
LINKS: Final = MailLinks(
    LinkBases("https://go.acme.example/u", "https://go.acme.example"), UUID(int=1), KEY, 7, None
)
EMAIL: Final = Email(
    subject="{{ name }}, {% if plan %}your {{ plan }}{% endif %}",
    preview="For {{ name }}",
    from_name="{{ name }} at Acme",
    reply_to="{{ custom:owner }}",
    headers={"X-Plan": "{{ plan }}"},
    html="""<!doctype html><html><head><title>{{ name }}</title><style>p{color:red}</style></head>
<body><p title="{{ name }}" class='a {{ plan }}' data-x={{ name }}>Hi {{ name }}{{ plan }},</p>
{% if plan %}<ul><li>{{ plan }}</li></ul>{% endif %}
<table><tr><td>{{ name }}</td><td><textless>{{ plan }}</textless></td></tr></table>
<a href="https://acme.example/a?n={{ name }}&p={{ plan }}#{{ name }}">{{ name }}</a>
<a href='https://acme.example/{{ plan }}'>{{ plan }}</a>
<a href=mailto:help@acme.example?subject={{ name }}>Write</a> <a href="tel:{{ plan }}">Call</a>
<img src="https://acme.example/i/{{ name }}.png" alt="{{ name }}"
srcset="https://acme.example/{{ plan }} 2x">
<p>{{ footer }} <a href="{{ unsubscribe_url }}">Leave</a></p></body></html>""",
)
#: What ends headers, lines, words, attributes, elements, comments, URLs, parts and transfers.
HOSTILE: Final = (
    *("\r\n", "\n", "\r", "\0", "\x0b", "\x85", "\u2028", "\x1b", "\ud800", "\u202e", "\ufeff"),
    *(
        "Bcc: eve@b.example",
        "\r\n\r\n",
        "--=_halo",
        "--=_halo--",
        ".",
        "\r\n.\r\n",
        "=?utf-8?q?a?=",
    ),
    *(
        "<script>alert(1)</script>",
        "</p>",
        "<b>",
        "<!--",
        "-->",
        "]]>",
        "</title>",
        "</style>",
        "<",
    ),
    *(
        '"',
        "'",
        ">",
        "&",
        "&lt;",
        "&#60;",
        "&quot",
        "`",
        "\\",
        "/>",
        " onload=x ",
        " href=//b.example",
    ),
    *(
        "javascript:alert(1)",
        "https://b.example/",
        "//b.example",
        "@b.example",
        "?",
        "#",
        "%",
        "%0d%0a",
    ),
    *(
        "{{ email }}",
        "{{",
        "}}",
        "{% if name %}",
        "{% endif %}",
        "\ue000",
        "\ue0010\ue001",
        "a@b.example,",
    ),
    *("Ann", " ", "é", "日本", "😀", "=", "=3D", "=\r\n", "_" * 90, "x@y.example"),
)
_NAMES: Final = ("From", "To", "Reply-To", "Subject", "Date", "MIME-Version", "List-Unsubscribe")
_HEADERS: Final = [
    *("Message-ID", "References", *_NAMES, "List-Unsubscribe-Post", "X-Plan", "Content-Type")
]


Elements = Sequence[tuple[str, Sequence[str]]]


def written(name: str, plan: str, owner: str) -> bytes:
    """Write the email for a contact with these values."""
    values = {"name": name, "plan": plan, "custom:owner": owner, "if plan": "set"}
    # The database keeps neither.
    kept = {key: re.sub("[\0\ud800]", "", value) for key, value in values.items()}
    mail = write_mail(
        EMAIL,
        kept,
        sender=Sender("Acme", "hello@acme.example", reply_to="help@acme.example"),
        to="ann@a.example",
        footer=Footer("Acme <Inc> & Sons", is_marketing=True),
        links=LINKS,
        now=datetime(2026, 5, 27, tzinfo=UTC),
    )
    return mail.under("<1@acme.example>").content


def elements(page: str) -> Elements:
    """Return the elements of a page with the names of their attributes."""
    found = JustHTML(page, sanitize=False).root.query("*")
    return [(each.name, tuple(each.attrs)) for each in found if isinstance(each, Element)]


def urls(page: str) -> Iterator[str]:
    """Yield where a page leads and what it loads."""
    for each in JustHTML(page, sanitize=False).root.query("*"):
        assert isinstance(each, Element)
        yield from (
            each.attrs[name] or "" for name in ("href", "src", "srcset") if name in each.attrs
        )


def check(content: bytes, calm: Elements) -> None:
    """Check a mail by two parsers: Python's, and one that shares no code with it."""
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|[^\t\r\n -~]", content)
    message = parsed(content)
    assert message.keys() == _HEADERS
    assert [each.addr_spec for each in message["From"].addresses] == ["hello@acme.example"]
    assert [each.addr_spec for each in message["To"].addresses] == ["ann@a.example"]
    assert len(message["Reply-To"].addresses) == 1
    text, page = parts(message)
    other = parse_email(content)
    assert [lines(each) for each in other.text_plain] == [lines(text)]
    assert [lines(each) for each in other.text_html] == [lines(page)]
    assert other.attachments == []
    assert elements(page) == calm
    for url in urls(page):
        check_url(url)


def check_url(url: str) -> None:
    """Check that a URL leads where the author said."""
    ours, _, token = url.rpartition("/")
    if ours == "https://go.acme.example/c":
        url = MailToken.verified(token, KEY, Purpose.CLICK).url
    assert re.match(
        r"https://(go\.)?acme\.example/|mailto:help@acme\.example\?subject=|tel:", url
    ), url
    assert not re.search(r"[\s<>\"\\]", url.removesuffix(" 2x")), url


def parsed(content: bytes) -> EmailMessage:
    """Read a mail as Python does."""
    message = message_from_bytes(content, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


def parts(message: EmailMessage) -> Sequence[str]:
    """Return the text and the page of a mail, which has no other parts."""
    found = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in found] == ["text/plain", "text/html"]
    return [bytes(part.get_payload(decode=True)).decode() for part in found]


def lines(text: str) -> str:
    """Return a text with one kind of line end."""
    return text.replace("\r\n", "\n").rstrip("\n")


@pytest.mark.parametrize(
    "number", [300, pytest.param(10_000, marks=pytest.mark.torture, id="torture")]
)
def test_no_value_is_more_than_text(number: int) -> None:
    """No value adds a header, part, element, attribute or link that the author did not write."""
    random = Random(20261129)
    _, page = parts(parsed(written("Ann", "pro", "")))
    calm = elements(page)
    for _ in range(number):
        some = ["".join(random.choices(HOSTILE, k=random.randint(1, 6))) for _ in range(3)]
        check(written(*some), calm)
