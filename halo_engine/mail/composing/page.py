"""The HTML part of an email that is written as text; how any page begins and ends (§9, §15)."""

import re
from collections.abc import Sequence
from typing import Final

from markupsafe import escape

from halo_engine.domain.fields.merge_fields import FOOTER, UNSUBSCRIBE_URL
from halo_engine.mail.composing.mail_parts import MailParts
from halo_engine.mail.composing.text_pieces import Piece, PieceKind

_BLANK_LINES: Final = re.compile(r"\n\s*\n")
_FONT: Final = "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
#: Only HTML or escaped text is filled into these.
_PARAGRAPH: Final = '<p style="margin:0 0 1em">{}</p>'
_LINKED: Final = '<a href="{}" style="color:#1d4ed8">{}</a>'
_PREVIEW: Final = '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{}</div>\n'
_END: Final = (
    '\n<div style="margin-top:2em;padding-top:1em;border-top:1px solid #e5e7eb;'
    'font-size:13px;color:#6b7280">\n{}\n</div>'
)
_UNSUBSCRIBE: Final = '<p style="margin:0"><a href="{}" style="color:#6b7280">Unsubscribe</a></p>'
_PIXEL: Final = '\n<img src="{}" width="1" height="1" alt="" style="display:block;border:0">'
_PAGE: Final = (
    "<!doctype html>\n<html>\n<head>\n"
    '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
    "<title>{subject}</title>\n</head>\n"
    '<body style="margin:0;padding:24px 16px;background:#ffffff">\n{preview}'
    '<div style="max-width:36em;margin:0 auto;overflow-wrap:break-word;'
    f'font:16px/1.55 {_FONT};color:#111827">\n'
    "{body}{end}\n</div>\n</body>\n</html>\n"
)


def page_of_text(pieces: Sequence[Piece], placed: frozenset[str], parts: MailParts) -> str:
    """Return a page with the same content as a text; ``placed`` parts stand in it already."""
    marked_up = "".join(_marked_up(piece, parts) for piece in pieces)
    return _PAGE.format(
        subject=escape(parts.subject),
        preview=first_line(parts),
        body=_paragraphs(marked_up),
        end=end_of_page(placed, parts),
    )


def first_line(parts: MailParts) -> str:
    """Return the hidden line that mailboxes show beside the subject."""
    return _PREVIEW.format(escape(parts.preview)) if parts.preview else ""


def end_of_page(placed: frozenset[str], parts: MailParts) -> str:
    """Return what stands at the end: of marketing what is not placed, and the pixel."""
    below = []
    if parts.is_marketing and FOOTER not in placed:
        below.append(_paragraphs(str(escape(parts.footer))))
    if parts.is_marketing and UNSUBSCRIBE_URL not in placed:
        below.append(_UNSUBSCRIBE.format(escape(parts.links.unsubscribe)))
    pixel = parts.links.opened
    end = _END.format("\n".join(below)) if below else ""
    return end + ("" if pixel is None else _PIXEL.format(escape(pixel)))


def _marked_up(piece: Piece, parts: MailParts) -> str:
    match piece.kind:
        case PieceKind.LINK:
            return _LINKED.format(escape(parts.links.clicked(piece.text)), escape(piece.text))
        case PieceKind.UNSUBSCRIBE:
            return _LINKED.format(escape(piece.text), escape(piece.text))
    return str(escape(piece.text))


def _paragraphs(marked_up: str) -> str:
    paragraphs = _BLANK_LINES.split(marked_up.strip())
    return "\n".join(_PARAGRAPH.format("<br>\n".join(each.splitlines())) for each in paragraphs)
