"""An email that its author wrote as HTML, with its own sender and headers (contract §15)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.mail_tokens import MailToken, Purpose
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.series.email import Email
from halo_engine.mail.composing.links import LinkBases, MailLinks
from halo_engine.mail.composing.mail_parts import Footer
from halo_engine.mail.composing.message import write_mail
from halo_engine.mail.composing.sender import Sender

KEY = bytes(32)
LINKS = MailLinks(
    LinkBases("https://go.acme.example/u", "https://go.acme.example"), UUID(int=1), KEY, 7, None
)
MARKETING = Footer("Acme & Sons\n1 Main St", is_marketing=True)
OTHER = Footer("Acme & Sons", is_marketing=False)
SENDER = Sender("Acme", "hello@acme.example", reply_to="help@acme.example")


def written(
    values: Mapping[str, str] | None = None, footer: Footer = OTHER, **email: Any
) -> EmailMessage:
    """Write an email and read it as a mail program does."""
    mail = write_mail(
        Email(subject="Hi", **email) if "subject" not in email else Email(**email),
        values or {},
        sender=SENDER,
        to="ann@a.example",
        footer=footer,
        links=LINKS,
        now=datetime(2026, 5, 27, tzinfo=UTC),
    )
    return mail.under("<1@acme.example>").read()


def parts(message: EmailMessage) -> tuple[str, str]:
    """Return the text and the page of a message."""
    text, page = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(page, EmailMessage)
    return text.get_content().replace("\r\n", "\n"), page.get_content().replace("\r\n", "\n")


class Seen(HTMLParser):
    """The elements and attributes that a page has, in order, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.urls: list[str] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element, its attributes and where they lead."""
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.urls += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        """Note words."""
        self.words += data


def test_values_are_filled_into_both_parts() -> None:
    """The text is made of the page where the author left it out."""
    text, page = parts(
        written(
            {"name": "Ann <3", "plan": "pro"},
            html="<p>Hi {{ name }}</p><a href='https://acme.example/?p={{ plan }}'>Go</a>",
        )
    )
    assert text.strip() == "Hi Ann <3\n\nGo (https://acme.example/?p=pro)"
    assert "<p>Hi Ann &lt;3</p>" in page
    [url] = re.findall(r'<a href="([^"]*)">Go</a>', page)
    token = MailToken.verified(url.rpartition("/")[2], KEY, Purpose.CLICK)
    assert token.url == "https://acme.example/?p=pro"


def test_a_text_of_its_own_stands_beside_the_page() -> None:
    """Both as they were written."""
    text, page = parts(written({"name": "Ann"}, body="Text for {{ name }}", html="<b>HTML</b>"))
    assert text == "Text for Ann\n"
    assert "<b>HTML</b>" in page


def test_parts_are_for_those_who_have_the_value() -> None:
    """In the subject, the text and the page alike."""
    email: dict[str, Any] = {
        "subject": "{% if plan %}Your {{ plan }}{% else %}Hello{% endif %}",
        "html": "{% if plan %}<p>{{ plan }}</p>{% else %}<p>none</p>{% endif %}",
    }
    paying = written({"plan": "pro", "if plan": "set"}, **email)
    assert paying["Subject"] == "Your pro"
    text, page = parts(paying)
    assert (text.strip(), "<p>pro</p>" in page, "none" in page) == ("pro", True, False)
    other = written({}, **email)
    assert other["Subject"] == "Hello"
    text, page = parts(other)
    assert (text.strip(), "<p>none</p>" in page) == ("none", True)


def test_marketing_ends_with_what_its_author_did_not_place() -> None:
    """The footer and the link to unsubscribe, in both parts."""
    text, page = parts(written(html="<p>News</p>", footer=MARKETING))
    end = f"News\n\nAcme & Sons\n1 Main St\n\nUnsubscribe: {LINKS.unsubscribe}\n"
    assert text == end
    seen = Seen(page)
    assert "Acme & Sons\n1 Main St" in seen.words.replace("\n\n", "\n")
    assert LINKS.unsubscribe in seen.urls


@pytest.mark.parametrize("kind", ["html", "body"])
def test_footer_and_link_stand_where_the_author_put_them(kind: str) -> None:
    """Once, and not at the end again."""
    link = (
        "<a href='{{ unsubscribe_url }}'>Leave</a>" if kind == "html" else "{{ unsubscribe_url }}"
    )
    email: dict[str, Any] = {kind: f"{{{{ footer }}}} first, {link} then the end"}
    text, page = parts(written(footer=MARKETING, **email))
    for part in (text, Seen(page).words):
        assert part.count("Acme & Sons") == 1
        assert part.strip().endswith("then the end")
    assert Seen(page).urls.count(LINKS.unsubscribe) == 1
    assert text.count(LINKS.unsubscribe) == 1


def test_a_footer_that_is_not_shown_comes_at_the_end() -> None:
    """Marketing carries it whatever the contact has."""
    html = "{% if plan %}{{ footer }}{% endif %}<p>News</p>"
    text, page = parts(written(html=html, footer=MARKETING))
    assert text.count("Acme & Sons") == 1
    assert Seen(page).words.count("Acme & Sons") == 1


def test_the_preview_is_the_hidden_first_line() -> None:
    """Of a page, and of a page made of text; not of the text."""
    kinds: list[dict[str, Any]] = [{"body": "Text"}, {"html": "<p>Text</p>"}]
    for email in kinds:
        text, page = parts(written({"name": "A<b>"}, preview="For {{ name }}", **email))
        assert text.strip() == "Text"
        body = page.partition("<body")[2].partition(">")[2].strip()
        assert body.startswith('<div style="display:none;')
        assert body.partition(">")[2].startswith("For A&lt;b&gt;</div>")


@pytest.mark.parametrize(
    ("email", "name", "header"),
    [
        (
            {"from_name": "{{ custom:owner }} at Acme"},
            "From",
            "Ann, Bob at Acme <hello@acme.example>",
        ),
        ({"from_name": "{{ role }}"}, "From", "Acme <hello@acme.example>"),
        ({"reply_to": "{{ custom:owner_email }}"}, "Reply-To", "bob@acme.example"),
        ({"reply_to": "sales@acme.example"}, "Reply-To", "sales@acme.example"),
        ({"reply_to": "{{ custom:owner }}"}, "Reply-To", "help@acme.example"),
        ({}, "Reply-To", "help@acme.example"),
        ({"headers": {"X-Plan-2": "{{ plan|free }}"}}, "X-Plan-2", "free"),
    ],
)
def test_a_step_can_name_its_sender(email: dict[str, Any], name: str, header: str) -> None:
    """By values too; what is no address or blank leaves the organisation's."""
    values = {"custom:owner": "Ann, Bob", "custom:owner_email": "bob@acme.example"}
    found = written(values, body="Hi", **email)[name]
    assert str(found).replace('"', "") == header


def test_no_value_adds_an_address() -> None:
    """Of several addresses none counts, and a line end starts no header."""
    hostile = "a@a.example, eve@b.example\r\nBcc: eve@b.example"
    message = written(
        {"name": hostile},
        body="Hi",
        from_name="{{ name }}",
        reply_to="{{ name }}",
        headers={"X-Name": "{{ name }}"},
    )
    assert message["Reply-To"] == "help@acme.example"
    assert message["Bcc"] is None
    assert [each.addr_spec for each in message["From"].addresses] == ["hello@acme.example"]


PAGE = (
    "<style>p{color:red}</style><p title='{{ name }}'>Hi {{ name|you }}</p>"
    "<a href='https://acme.example/{{ name }}'>Go {{ name }}</a>"
    "<img src='https://acme.example/{{ name }}.png' alt='{{ name }}'>"
    "<table><tr><td>{{ name }}</td></tr></table>{{ footer }}"
)
CALM = Seen(parts(written({"name": "Ann"}, html=PAGE, preview="For {{ name }}"))[1])


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    "<",
                    ">",
                    '"',
                    "'",
                    "&",
                    ";",
                    "=",
                    "/",
                    "\\",
                    "-",
                    "\r\n",
                    "\x00",
                    "a",
                    "é",
                    "日",
                ),
                *("<b>", "</p>", "<!--", "-->", "]]>", "{{", "}}", "{%", "javascript:", "onload="),
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_no_value_is_markup(name: str) -> None:
    """A page has the elements, attributes and hosts that its author wrote, whatever a name is."""
    seen = Seen(parts(written({"name": name}, html=PAGE, preview="For {{ name }}"))[1])
    assert seen.elements == CALM.elements
    for url in seen.urls:
        assert url.startswith(("https://go.acme.example/", "https://acme.example/"))


@pytest.mark.parametrize(
    ("email", "problem"),
    [
        ({}, "steps[0].email.body: is missing; allowed are body, html or both"),
        ({"html": "<script>"}, "steps[0].email.html: <script> is refused"),
        ({"body": "{% if plan %}"}, "steps[0].email.body: ‘{% if plan %}’ has no {% endif %}"),
        ({"body": "", "preview": "{{ footer }}"}, "steps[0].email.preview: ‘footer’ stands here"),
        ({"body": "", "reply_to": "Ann"}, "steps[0].email.reply_to: ‘Ann’ is no address"),
        ({"body": "", "reply_to": "a@a.example,b@b.example"}, "steps[0].email.reply_to: "),
        ({"body": "", "headers": {"Bcc": "x"}}, "steps[0].email.headers.Bcc: is no header of your"),
        ({"body": "", "headers": {"X-A": "1", "x-a": "2"}}, "is there twice"),
        ({"body": "", "headers": {"X-A": "{{ nope }}"}}, "steps[0].email.headers.X-A: ‘nope’"),
    ],
)
def test_an_email_that_cannot_be_sent_is_refused(email: dict[str, Any], problem: str) -> None:
    """When it is saved, by the name of its text."""
    steps = [{"key": "hi", "email": {"subject": "Hi", **email}}]
    with pytest.raises(Refusal) as refused:
        validated(SeriesDefinition, {"entry_trigger": "manual", "steps": steps}, "")
    assert problem in refused.value.message


def test_an_email_is_stored_without_what_it_does_not_set() -> None:
    """So code of before reads what it knows."""
    assert Email(subject="Hi", body="Hello").as_stored() == {"subject": "Hi", "body": "Hello"}


#: Values that make lines blank, end them, or are longer than a line.
_VALUES = st.sampled_from(
    [
        "",
        " ",
        "Ann",
        "Zoë 日本",
        "a\nb",
        "\n\n\n",
        "a\r\n\r\n\rb",
        "x" * 200,
        " x ",
        "=.",
        ".",
        "é" * 60,
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    shown=st.lists(
        st.sampled_from(
            [
                *("{{ name }}", "{{ plan|none }}", "\n", "\n\n", " ", "word ", "=", ".", "é" * 80),
                "https://acme.example/?q={{ name }} ",
                "https://acme.example/größe ",
                "{{ footer }}",
            ]
        ),
        max_size=12,
    ),
    values=st.fixed_dictionaries({"name": _VALUES, "plan": _VALUES}),
    marketing=st.booleans(),
)
def test_a_text_is_joined_as_it_would_be_written_whole(
    shown: list[str], values: dict[str, str], *, marketing: bool
) -> None:
    """Encoded piece by piece it says what the same body without HTML says, in short lines."""
    footer = MARKETING if marketing else OTHER
    email: dict[str, Any] = {"body": "".join(shown) or "-"}
    whole, _ = parts(written(values, footer, **email))
    joined, _ = parts(written(values, footer, html="<p>Hi</p>", **email))
    assert joined == whole


def test_lines_are_short_and_pieces_invisible() -> None:
    """RFC 2045: 76 characters at most, wherever a value stands."""
    for length in range(70, 80):
        html = f"<p>{'x' * length}{{{{ name }}}}.{{{{ name }}}} </p>"
        for name in ("", "é", "y" * 75, "=" * 30, ". "):
            mail = write_mail(
                Email(subject="Hi", html=html),
                {"name": name},
                sender=SENDER,
                to="ann@a.example",
                footer=OTHER,
                links=LINKS,
                now=datetime(2026, 5, 27, tzinfo=UTC),
            )
            body = mail.content.partition(b"\r\n\r\n")[2]
            assert max(map(len, body.split(b"\r\n"))) <= 76
            _, page = parts(mail.read())
            assert f"<p>{'x' * length}{name}.{name} </p>" in page
