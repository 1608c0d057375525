"""The HTML part of an email whose author wrote HTML: its page with values (contract §15).

What is the same for everybody is encoded once for a page; a mail encodes its values and links.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from markupsafe import escape

from halo_engine.domain.fields.if_blocks import IfBlock, shown_pieces
from halo_engine.domain.fields.merge_fields import FOOTER, UNSUBSCRIBE_URL, render
from halo_engine.domain.html_mail.page import Pieces, Slot, SlotKind
from halo_engine.domain.html_mail.read_once import read_page
from halo_engine.mail.composing.mail_parts import MailParts
from halo_engine.mail.composing.page import end_of_page, first_line
from halo_engine.mail.composing.quoted_printable import encoded_piece, joined
from halo_engine.mail.composing.text_pieces import UrlValues

_Pieces = Sequence[bytes | Slot | IfBlock[bytes | Slot]]


def page_of_html(
    html: str, values: Mapping[str, str], in_urls: UrlValues, parts: MailParts
) -> bytes:
    """Return the author's page with its values, encoded; each is escaped for where it stands."""
    filling = _Filling(values, in_urls, parts)
    shown: Iterator[bytes | Slot] = shown_pieces(_encoded(html), values)
    return joined([each if isinstance(each, bytes) else filling.of(each) for each in shown])


@lru_cache(maxsize=64)
def _encoded(html: str) -> _Pieces:
    return _all_encoded(read_page(html).pieces)


def _all_encoded(pieces: Pieces) -> _Pieces:
    return tuple(
        encoded_piece(piece)
        if isinstance(piece, str)
        else IfBlock(piece.question, _all_encoded(piece.shown), _all_encoded(piece.otherwise))
        if isinstance(piece, IfBlock)
        else piece
        for piece in pieces
    )


class _Filling:
    """What one mail puts into the slots of its page; a value that comes again is encoded once."""

    def __init__(self, values: Mapping[str, str], in_urls: UrlValues, parts: MailParts) -> None:
        self.values = values
        self.in_urls = in_urls
        self.parts = parts
        self.placed: set[str] = set()
        self._texts: dict[str, bytes] = {}

    def of(self, slot: Slot) -> bytes:
        """Return what stands in a slot, encoded."""
        if slot.kind is not SlotKind.TEXT:
            return encoded_piece(_IN[slot.kind](self, slot))
        text = self._texts.get(slot.template)
        if text is None:
            text = encoded_piece(escape(render(slot.template, self.values)))
            self._texts[slot.template] = text
        return text


def _url(filling: _Filling, slot: Slot) -> str:
    return escape(filling.in_urls.filled(slot.template))


def _link(filling: _Filling, slot: Slot) -> str:
    return escape(filling.parts.links.clicked(filling.in_urls.filled(slot.template)))


def _footer(filling: _Filling, slot: Slot) -> str:
    filling.placed.add(FOOTER)
    values = {FOOTER: filling.parts.footer}
    return "<br>\n".join(str(escape(render(slot.template, values))).splitlines())


def _unsubscribe_url(filling: _Filling, _slot: Slot) -> str:
    filling.placed.add(UNSUBSCRIBE_URL)
    return escape(filling.parts.links.unsubscribe)


_IN: Final[Mapping[SlotKind, Callable[[_Filling, Slot], str]]] = {
    SlotKind.URL: _url,
    SlotKind.LINK: _link,
    SlotKind.FOOTER: _footer,
    SlotKind.UNSUBSCRIBE_URL: _unsubscribe_url,
    SlotKind.TITLE: lambda filling, _: escape(filling.parts.subject),
    SlotKind.TOP: lambda filling, _: first_line(filling.parts),
    SlotKind.END: lambda filling, _: end_of_page(frozenset(filling.placed), filling.parts),
}
