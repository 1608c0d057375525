"""Cut the text of an email at its links, and fill in its values (contract §9).

A link is an http or https URL whose scheme and host the *template* spells out; merge fields may
come after the host. So what a contact wrote into a name never becomes a link of ours, and never
decides where a tracked click leads.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from halo_engine.domain.fields.merge_fields import UNSUBSCRIBE_URL, mail_parts_of, render
from halo_engine.domain.html_mail.allowed import HOST

_MERGE_FIELD: Final = r"\{\{[^{}]*\}\}"
_PATH: Final = rf"[/?#](?:{_MERGE_FIELD}|[^\s<>\"{{}}])*+"
#: A merge field outside a URL is skipped as a whole: its fallback may hold a URL.
_LINK: Final = re.compile(
    rf"{_MERGE_FIELD}|(?P<url>\bhttps?://{HOST}(?![A-Za-z0-9.:-]*[{{@])(?:{_PATH})?+)"
)
#: Characters that end a sentence, not a URL.
_SENTENCE: Final = ".,;:!?'*_"
_OPENED_BY: Final = {")": "(", "]": "["}
#: Characters that stay as they are in a URL, the percent sign included.
_URL_CHARACTERS: Final = "!#$%&'()*+,/:;=?@[]~"
_IN_ASCII: Final = re.compile(rf"[A-Za-z0-9_.\-{re.escape(_URL_CHARACTERS)}]*")


class PieceKind(StrEnum):
    """What a piece of a text is."""

    WORDS = "words"
    LINK = "link"
    #: The link to unsubscribe, where the author put it; clicks on it are not tracked.
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a body; the text of a link is its URL."""

    text: str
    kind: PieceKind


def pieces_of(template: str, values: Mapping[str, str]) -> list[Piece]:
    """Return the pieces of a text with its merge fields filled; raises what ``render`` raises."""
    cut = cut_at_links(template)
    in_urls = UrlValues(values if cut[1:] else {})
    return [
        Piece(in_urls.filled(each.text), each.kind)
        if each.kind is PieceKind.LINK
        else Piece(render(each.text, values), each.kind)
        for each in cut
    ]


class UrlValues:
    """The values of a mail as they stand in its URLs, percent-encoded.

    A URL that stands in text and page, or comes again, is filled once.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: quote(value, safe="/") for name, value in values.items()}
        self._filled: dict[str, str] = {}

    def filled(self, template: str) -> str:
        """Return a URL with its merge fields filled; raises what ``render`` raises."""
        url = self._filled.get(template)
        if url is None:
            url = self._filled[template] = in_ascii(render(template, self._values))
        return url


def in_ascii(url: str) -> str:
    """Return a URL with what is no character of URLs percent-encoded."""
    return url if _IN_ASCII.fullmatch(url) else quote(url, safe=_URL_CHARACTERS)


@lru_cache(maxsize=1024)
def cut_at_links(template: str) -> Sequence[Piece]:
    """Return the pieces of a template; values are not filled in."""
    pieces: list[Piece] = []
    done = 0
    for found in _LINK.finditer(template):
        kind, text = _link_in(found)
        if kind is None:
            continue
        pieces += [Piece(template[done : found.start()], PieceKind.WORDS), Piece(text, kind)]
        done = found.start() + len(text)
    return (*pieces, Piece(template[done:], PieceKind.WORDS))


def _link_in(found: re.Match[str]) -> tuple[PieceKind | None, str]:
    if found["url"] is not None:
        return PieceKind.LINK, _without_end_of_sentence(found["url"])
    is_unsubscribe = UNSUBSCRIBE_URL in mail_parts_of(found[0])
    return (PieceKind.UNSUBSCRIBE if is_unsubscribe else None), found[0]


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
