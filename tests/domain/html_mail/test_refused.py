"""HTML that no email may hold (contract §15)."""

import pytest

from halo_engine.domain.errors import Refusal
from halo_engine.domain.html_mail.read_once import read_page


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<script>1</script>", "<script> is refused"),
        ("<iframe></iframe>", "<iframe> is refused"),
        ("<base href='https://a.example'>", "<base> is refused"),
        ("<form></form>", "<form> is refused"),
        ("<svg></svg>", "<svg> is refused"),
        ("<meta http-equiv=refresh content=1>", "<meta http-equiv> is refused"),
        ("<p onclick='x()'>", "the attribute ‘onclick’ is refused"),
        ("<a href='javascript:x()'>", "the URL ‘javascript:x()’ is refused"),
        ("<a href='file:///x'>", "the URL ‘file:///x’ is refused"),
        ("<img src='data:text/html,x'>", "the URL ‘data:text/html,x’ is refused"),
        ("<!--[if mso]><script>1</script><![endif]-->", "‘<script’ is refused in a comment"),
        ("<!--[IF(mso)]><td onclick=x><![endif]-->", "‘onclick=’ is refused in a comment"),
        ("<!--[if mso]><link href=x><![endif]-->", "‘<link’ is refused in a comment"),
        ("<!--[if mso]>{{ name }}<![endif]-->", "a merge field stands in a comment"),
        ("<!-- {{ footer }} -->", "a merge field stands in a comment"),
        ("<title>{{ footer }}</title>", "stand in <title>"),
        ("<title>{% if plan %}A{% endif %}</title>", "stands outside the body"),
        ("<a href='mailto:{{ email }}'>", "is not spelled out"),
        ("<a href='https://a.example{{ name }}'>", "is not spelled out"),
        ("<a href='https://a.example:80{{ name }}'>", "is not spelled out"),
        ("<a href='{{ custom:url }}'>", "is not spelled out"),
        ("<a href='https://{{ name }}.example/'>", "is not spelled out"),
        ("<a href='{{ unsubscribe_url }}?a=1'>", "is not spelled out"),
        ("<p style='color:{{ name }}'>", "a merge field stands in a style"),
        ("<style>p{color:{{ name }}}</style>", "stands in <style>"),
        ("<p title='{{ footer }}'>", "{{ footer }} stands in an attribute"),
        ("<p {{ name }}>", "a merge field stands in the name"),
        ("<p></p {{ name }}>", "stands where HTML holds nothing"),
        ("<p {% if plan %}a{% endif %}>", "stands inside a tag"),
        ("{% if plan %}<b>{% endif %}x</b>", "is no whole element"),
        ("{% if plan %}<html><body>x</body></html>{% endif %}", "stands outside the body"),
        ("<table><tr>{% if plan %}a{% endif %}<td>b</td></tr></table>", "is moved elsewhere"),
        (
            "<table>{% if plan %}<thead><tr></tr></thead>{% endif %}<tr><td>b</td></tr></table>",
            "is moved elsewhere",
        ),
        ("<a " * 101, "many tags have no end"),
        ("<style>" + "p{a:1}" * 600 + "</style>" + "<p>" * 600, "too many styles"),
        ("<p>&#xE000;0&#xE001;{{ nope }}", "‘nope’ is unknown"),
        ("".join(map(chr, range(0xE000, 0xF8FF))), "every private character"),
        ("{{ name", "‘{{ name’ is not a merge field"),
        ("{{ nope }}", "‘nope’ is unknown"),
        ("<div>" * 201, "nested too deeply"),
    ],
)
def test_what_is_dangerous_or_unclear_is_refused(html: str, problem: str) -> None:
    """Dangerous or unclear HTML is refused by name, with what is allowed."""
    with pytest.raises(Refusal) as refused:
        read_page(html)
    assert problem in refused.value.message
    assert "allowed" in refused.value.message


def test_an_entity_is_no_placeholder() -> None:
    """A character entity is never taken for one of our placeholders."""
    page = read_page("<p>&#xE000;0&#xE001;&#xE000;i0&#xE001; {{ name }}</p>")
    assert page.text == "\ue0000\ue001\ue000i0\ue001 {{ name }}"
