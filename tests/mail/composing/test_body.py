"""The body of a mail: links, footer, and what is tracked (contract §9)."""

import re
from html import unescape
from html.parser import HTMLParser
from quopri import decodestring
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.mail_tokens import LONGEST_URL, MailToken, Purpose
from halo_engine.domain.series.email import Email
from halo_engine.mail.composing.body import write_body
from halo_engine.mail.composing.links import LinkBases, MailLinks, base_url
from halo_engine.mail.composing.mail_parts import MailParts

UNTRACKED = LinkBases()
KEY, ORG, LIST = bytes(32), UUID(int=1), UUID(int=2)
TRACKED = LinkBases("https://go.acme.example/u", "https://go.acme.example")


class Read(NamedTuple):
    """The two parts of a mail as they are read."""

    text: str
    page: str


def body(
    template: str, bases: LinkBases = UNTRACKED, footer: str | None = None, **values: str
) -> Read:
    """Write a body for a mail of a list series."""
    links = MailLinks(bases, ORG, KEY, 7, LIST)
    parts = MailParts("Hi", "", footer or "", footer is not None, links)
    written = write_body(Email(subject="Hi", body=template), values, parts)
    text, page = (decodestring(part).decode() for part in (written.text, written.page))
    return Read(text.replace("\r\n", "\n"), page.replace("\r\n", "\n"))


def links_of(page: str) -> list[tuple[str, str]]:
    """Return where the links of a page lead, and what they show, as a reader's program does."""
    found = re.findall(r"<a href=\"([^\"]*)\"[^>]*>(.*?)</a>", page, re.DOTALL)
    return [(unescape(url), unescape(shown)) for url, shown in found]


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("See https://acme.example", "https://acme.example"),
        ("See http://acme.example:8080/a?b=c&d#e.", "http://acme.example:8080/a?b=c&d#e"),
        ("(https://acme.example/a)", "https://acme.example/a"),
        ("https://acme.example/a_(b)!", "https://acme.example/a_(b)"),
        ("(see https://acme.example/a_(b))", "https://acme.example/a_(b)"),
        ("[(https://acme.example/a_(b)_[c].)]", "https://acme.example/a_(b)_[c]"),
        ("<https://acme.example/a>", "https://acme.example/a"),
        ('"https://acme.example/a"', "https://acme.example/a"),
        ("https://acme.example/a?\nnext", "https://acme.example/a"),
        ("https://acme.example/größe", "https://acme.example/gr%C3%B6%C3%9Fe"),
        ("https://acme.example/100%25", "https://acme.example/100%25"),
        ("https://acme.example/u/{{ name }}.", "https://acme.example/u/Ann%20%26%20Bob"),
        ("https://acme.example?n={{ name }}&x=1", "https://acme.example?n=Ann%20%26%20Bob&x=1"),
        ("https://acme.example/{{ plan|free trial }}", "https://acme.example/free%20trial"),
    ],
)
def test_what_the_template_spells_out_is_a_link(template: str, url: str) -> None:
    """A URL of the template is a link up to its end; values in it are percent-encoded, in the text
    too.
    """
    written = body(template, name="Ann & Bob")
    assert links_of(written.page) == [(url, url)]
    assert url in written.text


@pytest.mark.parametrize(
    "template",
    [
        *("{{ name }}", "https://{{ name }}", "https://{{ name }}/x", "http{{ name }}"),
        *("https://acme{{ name }}", "https://acme.{{ name }}", "https://acme.example.{{ name }}/"),
        *("https://acme.example:{{ name }}", "{{ name|https://acme.example }}"),
        *("javascript:alert(1)", "ftp://acme.example", "mailto:ann@a.example", "//acme.example"),
        *("https://", "https:///x", "https://eve@", "xhttps://acme.example"),
    ],
)
def test_nobody_but_the_template_makes_links(template: str) -> None:
    """A value that is a URL, or that would end a host, stays text."""
    for name in ("https://eve.example", "eve.example", "s://eve.example", "@eve.example"):
        assert links_of(body(template, TRACKED, name=name).page) == []


@pytest.mark.parametrize("login", ["acme.example", "acme.example:80", "a:b"])
def test_a_login_before_the_host_is_no_link(login: str) -> None:
    """A URL with a login before its host is not linked, since it looks like another host."""
    assert links_of(body(f"https://{login}@eve.example/").page) == []


def test_without_a_tracking_url_nothing_is_touched() -> None:
    """Without a tracking URL links stay as they are, and there is no picture."""
    written = body("https://acme.example/a")
    assert "<img" not in written.page
    assert links_of(written.page) == [("https://acme.example/a",) * 2]


def test_with_one_links_and_opening_are_tracked() -> None:
    """With one, each link and the picture have a token of the mail; the text and the unsubscribe
    link stay.
    """
    written = body("https://acme.example/a?b&c", TRACKED, footer="Acme")
    [(clicked, shown), (leave, _)] = links_of(written.page)
    assert shown == "https://acme.example/a?b&c"
    assert verified(clicked, "https://go.acme.example/c", Purpose.CLICK).url == shown
    [pixel] = re.findall(r"<img src=\"([^\"]*)\"", written.page)
    assert verified(pixel, "https://go.acme.example/o", Purpose.OPEN).about == b""
    assert verified(leave, "https://go.acme.example/u", Purpose.UNSUBSCRIBE).list_id == LIST
    assert written.text == f"https://acme.example/a?b&c\n\nAcme\n\nUnsubscribe: {leave}\n"


def test_a_very_long_link_is_not_tracked() -> None:
    """A link that is too long for a token is not tracked."""
    url = "https://acme.example/" + "a" * LONGEST_URL
    assert links_of(body(url, TRACKED).page) == [(url, url)]


def verified(url: str, base: str, purpose: Purpose) -> MailToken:
    """Read the token behind ``base``, which must be of this mail and for this."""
    found, _, token = url.rpartition("/")
    assert found == base
    read = MailToken.verified(token, KEY, purpose)
    assert (read.org_id, read.recipient_id) == (ORG, 7)
    return read


class _Tags(HTMLParser):
    """Every tag with the names of its attributes, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, *[name for name, _ in attrs]))


_VALUES = st.one_of(
    st.text(max_size=50),
    st.sampled_from(
        [
            "</p><script>",
            "<b>",
            '" onclick="x',
            "'",
            "&lt;",
            "&amp;",
            "\n\n",
            "\u2028",
            "{{ name }}",
        ]
    ),
)


@given(name=_VALUES, footer=_VALUES)
def test_no_value_is_markup(name: str, footer: str) -> None:
    """No value changes the tags of the page."""
    template = "Dear {{ name }}, https://acme.example/?n={{ name }} bye"
    written = _Tags()
    written.feed(body(template, TRACKED, footer, name=name).page)
    plain = _Tags()
    plain.feed(body(template, TRACKED, "Acme", name="Ann").page)
    passed_over = {("br",), ("p", "style")}
    assert [tag for tag in written.tags if tag not in passed_over] == [
        tag for tag in plain.tags if tag not in passed_over
    ]


@pytest.mark.parametrize(
    "url",
    ["https://go.acme.example/u/", "http://localhost:8000", "http://127.0.0.1:8000/u"],
)
def test_links_lead_to_https_or_to_this_machine(url: str) -> None:
    """Base URLs are https or this machine's; a slash at the end makes no difference."""
    assert base_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        *("http://acme.example", "acme.example", "", "https://", "ftp://acme.example", "https:/a"),
        *("https://acme.example?x=1", "https://acme.example#x", "https://acme.example/a b"),
        *("https://acme.example/>", "https://acme.example/\n", "https://ä.example"),
        "https://acme.example/" + "a" * 300,
    ],
)
def test_a_bad_base_is_refused(url: Any) -> None:
    """A base URL that is more than a URL to a header or a page is refused."""
    with pytest.raises(ValueError, match="is no"):
        base_url(url)
