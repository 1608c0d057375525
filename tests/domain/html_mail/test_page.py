"""The HTML of an email: what is repaired, and where values stand (contract §15)."""

import pytest

from halo_engine.domain.fields.if_blocks import IfBlock
from halo_engine.domain.html_mail.page import Pieces, Slot
from halo_engine.domain.html_mail.read_once import read_page


def outline(pieces: Pieces) -> str:
    """Return pieces as text: gaps as ``[kind template]``, blocks as ``<if …|…>``."""
    parts = []
    for piece in pieces:
        match piece:
            case str():
                parts.append(piece)
            case Slot():
                parts.append(f"[{piece.kind} {piece.template}]")
            case IfBlock():
                parts.append(f"<if {outline(piece.shown)}|{outline(piece.otherwise)}>")
    return "".join(parts)


def body(html: str) -> str:
    """Return the outline of what stands in the body of a page."""
    whole = outline(read_page(html).pieces)
    return whole.partition("[p ]")[2].partition("[e ]")[0]


@pytest.mark.parametrize(
    ("html", "read"),
    [
        ("<p>Hi {{ name }}</p>", "<p>Hi [t {{ name }}]</p>"),
        ("<p>Hi <b>you<p>bye", "<p>Hi <b>you</b></p><p><b>bye</b></p>"),
        ('<p title="{{ name }}">x</p>', '<p title="[t {{ name }}]">x</p>'),
        ("<p title={{name}}>x</p>", '<p title="[t {{name}}]">x</p>'),
        ("{{ name|R&amp;D &lt;3 }}", "[t {{ name|R&D <3 }}]"),
        ('<a href="https://a.example">x</a>', '<a href="[l https://a.example]">x</a>'),
        (
            '<a href="https://a.example/?a={{ name }}&amp;b=1">x</a>',
            '<a href="[l https://a.example/?a={{ name }}&b=1]">x</a>',
        ),
        ('<a href="mailto:a@a.example">x</a>', '<a href="mailto:a@a.example">x</a>'),
        (
            '<a href="mailto:a@a.example?subject={{ name }}">x</a>',
            '<a href="mailto:a@a.example?subject=[u {{ name }}]">x</a>',
        ),
        (
            '<img src="https://a.example/{{ plan }}.png">',
            '<img src="https://a.example/[u {{ plan }}].png">',
        ),
        ("{{ footer }}", "[footer {{ footer }}]"),
        (
            '<a href="{{ unsubscribe_url }}">x</a>',
            '<a href="[unsubscribe_url {{ unsubscribe_url }}]">x</a>',
        ),
        ("a{% if plan %}<b>b</b>{% endif %}c", "a<if <b>b</b>|>c"),
        (
            "<table>{% if plan %}<tr><td>a</td></tr>{% else %}<tr></tr>{% endif %}</table>",
            "<table><tbody><if <tr><td>a</td></tr>|<tr></tr>></tbody></table>",
        ),
        (
            "<style>p{color:red}</style><p>x</p>",
            '<p style="color: red;">x</p>',
        ),
        (
            "<!--[if mso]><table><tr><td><![endif]-->",
            "<!--[if mso]><table><tr><td><![endif]-->",
        ),
        (
            "<table><tr><td>{% if plan %}a{% endif %}</td></tr></table>",
            "<table><tbody><tr><td><if a|></td></tr></tbody></table>",
        ),
        (
            "<table>{% if plan %}<tr></tr>{% endif %}</table>",
            ("<table><tbody><if <tr></tr>|></tbody></table>"),
        ),
    ],
)
def test_each_value_has_its_place(html: str, read: str) -> None:
    """A value stands as text, in a URL, as a tracked link or as a part; missing end tags are
    added.
    """
    assert body(html) == read


@pytest.mark.parametrize("media", ["print", "(max-width: 600px)"])
def test_styles_of_one_medium_stay_so(media: str) -> None:
    """Styles of one medium stay in the style sheet, since at the elements every medium would read
    them.
    """
    found = body(f"<style media='{media}'>p{{color:red}}</style><p>x</p>")
    assert "<p>x</p>" in found
    assert f"@media {media}{{p{{color:red}}}}" in found


def test_what_cannot_stand_at_an_element_stays_on_top() -> None:
    """Rules for wide screens and for hovered links stay in the style sheet."""
    kept = "@media (min-width:600px){p{color:red}}"
    assert kept in body(f"<style>{kept}</style><p>x</p>")
    assert "a:hover" in body("<style>a:hover{color:red}</style>")


def test_a_whole_page_stays_as_it_is() -> None:
    """A whole page keeps its own title and body."""
    whole = outline(read_page("<html><head><title>T</title></head><body id=b>x</body>").pieces)
    assert whole == '<html><head><title>T</title></head><body id="b">[p ]x[e ]</body></html>'


@pytest.mark.parametrize(
    ("html", "taken_out"),
    [
        ('<link rel="stylesheet" href="https://a.example/a.css">x', ["<link>"]),
        ("<style>@import 'a.css'; p{color:red}</style><p>x</p>", ["@import"]),
        ("<style>p{color:red}</style><p>x</p>", []),
    ],
)
def test_no_style_sheet_is_loaded(html: str, taken_out: list[str]) -> None:
    """A link or an import is taken out and named, so that no mail program follows it either."""
    page = read_page(html)
    assert list(page.taken_out) == taken_out
    assert "a.css" not in outline(page.pieces)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi {{ name|you }},</p><p>bye</p>", "Hi {{ name|you }},\n\nbye"),
        ("a<br>b", "a\nb"),
        (
            "<a href='https://a.example/?p={{ plan }}'>Go</a>",
            "Go (https://a.example/?p={{ plan }})",
        ),
        ("<a href='https://a.example'>https://a.example</a>", "https://a.example"),
        ("<a href='#top'>Up</a>", "Up"),
        ("<img src='https://a.example/a.png' alt='A cat'>", "A cat"),
        ("<style>p{color:red}</style>x", "x"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n\n- b"),
        ("a   \n  b", "a b"),
        ("{% if plan %}<p>a</p>{% endif %}", "{% if plan %}\n\na\n\n{% endif %}"),
        ("R&amp;D &lt;3", "R&D <3"),
    ],
)
def test_the_text_part_is_made_of_the_page(html: str, text: str) -> None:
    """Blocks are paragraphs; the URL of a link follows its words; merge fields and tags stay."""
    assert read_page(html).text == text


def test_a_page_asks_for_the_values_that_it_names() -> None:
    """A page names the values of its text, attributes, links and tags."""
    html = "<a href='https://a.example/{{ plan }}' title='{{ role }}'>{{ name }}</a>"
    asked = read_page(f"{html}{{% if mrr %}}x{{% endif %}}").asks
    assert {each.named for each in asked} == {"plan", "role", "name", "if mrr"}
