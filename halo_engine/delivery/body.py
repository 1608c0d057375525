"""The body of an email: a text, and an HTML page with the same text and clickable links (§9).

A link is an http or https URL whose scheme and host the *template* spells out; merge fields may
come after the host. So what a contact wrote into a name never becomes a link of ours, and never
decides where a tracked click leads.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from markupsafe import escape

from halo_engine.delivery.links import MailLinks
from halo_engine.domain.merge_fields import render

_MERGE_FIELD: Final = r"\{\{[^{}]*\}\}"
_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?)"
_PATH: Final = rf"[/?#](?:{_MERGE_FIELD}|[^\s<>\"{{}}])*+"
#: A merge field outside a URL is skipped as a whole: its fallback may hold a URL.
_LINK: Final = re.compile(
    rf"{_MERGE_FIELD}|(?P<url>\bhttps?://{_HOST}(?![A-Za-z0-9.:-]*[{{@])(?:{_PATH})?+)"
)
#: Characters that end a sentence, not a URL.
_SENTENCE: Final = ".,;:!?'*_"
_OPENED_BY: Final = {")": "(", "]": "["}
#: Characters that stay as they are in a URL, the percent sign included.
_URL_CHARACTERS: Final = "!#$%&'()*+,/:;=?@[]~"

_BLANK_LINES: Final = re.compile(r"\n\s*\n")
_FONT: Final = "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
#: Only HTML or escaped text is filled into these.
_PARAGRAPH: Final = '<p style="margin:0 0 1em">{}</p>'
_LINKED: Final = '<a href="{}" style="color:#1d4ed8">{}</a>'
_FOOTER: Final = (
    '\n<div style="margin-top:2em;padding-top:1em;border-top:1px solid #e5e7eb;'
    'font-size:13px;color:#6b7280">\n{}\n'
    '<p style="margin:0"><a href="{}" style="color:#6b7280">Unsubscribe</a></p>\n</div>'
)
_PIXEL: Final = '\n<img src="{}" width="1" height="1" alt="" style="display:block;border:0">'
_PAGE: Final = (
    "<!doctype html>\n<html>\n<head>\n"
    '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
    "<title>{subject}</title>\n</head>\n"
    '<body style="margin:0;padding:24px 16px;background:#ffffff">\n'
    '<div style="max-width:36em;margin:0 auto;overflow-wrap:break-word;'
    f'font:16px/1.55 {_FONT};color:#111827">\n'
    "{body}{footer}{pixel}\n</div>\n</body>\n</html>\n"
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a body; the text of a link is its URL."""

    text: str
    is_link: bool


@dataclass(frozen=True, slots=True)
class Body:
    """The two parts of a mail, with the same content."""

    text: str
    page: str


def write_body(
    template: str,
    values: Mapping[str, str],
    *,
    subject: str,
    footer: str | None,
    links: MailLinks,
) -> Body:
    """Return a body with its merge fields filled (contract §9).

    ``footer`` is put below it with an unsubscribe link; None if the mail is not marketing. Values
    in URLs are percent-encoded. Links are tracked only on the page; in the text they stay readable.
    Raises what ``render`` raises.
    """
    pieces = _pieces(template, values)
    text = "".join(piece.text for piece in pieces)
    if footer is not None:
        text = f"{text.rstrip()}\n\n{footer}\n\nUnsubscribe: {links.unsubscribe}\n"
    pixel = links.opened
    page = _PAGE.format(
        subject=escape(subject),
        body=_paragraphs(_marked_up(pieces, links)),
        footer=""
        if footer is None
        else _FOOTER.format(_paragraphs(str(escape(footer))), escape(links.unsubscribe)),
        pixel="" if pixel is None else _PIXEL.format(escape(pixel)),
    )
    return Body(text, page)


def _pieces(template: str, values: Mapping[str, str]) -> list[_Piece]:
    """Fill each piece of a template."""
    cut = _cut(template)
    in_urls = {name: quote(value, safe="/") for name, value in values.items()} if cut[1:] else {}
    return [
        _Piece(quote(render(piece.text, in_urls), safe=_URL_CHARACTERS), is_link=True)
        if piece.is_link
        else _Piece(render(piece.text, values), is_link=False)
        for piece in cut
    ]


@lru_cache(maxsize=1024)
def _cut(template: str) -> Sequence[_Piece]:
    """Cut a template at its links."""
    pieces: list[_Piece] = []
    done = 0
    for found in _LINK.finditer(template):
        if found["url"] is None:
            continue
        url = _without_end_of_sentence(found["url"])
        before = template[done : found.start()]
        pieces += [_Piece(before, is_link=False), _Piece(url, is_link=True)]
        done = found.start() + len(url)
    return (*pieces, _Piece(template[done:], is_link=False))


def _without_end_of_sentence(url: str) -> str:
    """Cut off the end of a sentence, and closing brackets that the URL did not open."""
    surplus = {
        closing: url.count(closing) - url.count(opening) for closing, opening in _OPENED_BY.items()
    }
    end = len(url)
    while end:
        last = url[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in _SENTENCE:
            break
        end -= 1
    return url[:end]


def _marked_up(pieces: Sequence[_Piece], links: MailLinks) -> str:
    return "".join(
        _LINKED.format(escape(links.clicked(piece.text)), escape(piece.text))
        if piece.is_link
        else str(escape(piece.text))
        for piece in pieces
    )


def _paragraphs(marked_up: str) -> str:
    parts = _BLANK_LINES.split(marked_up.strip())
    return "\n".join(_PARAGRAPH.format("<br>\n".join(part.splitlines())) for part in parts)
