"""The text part of an email that has an HTML page too (contract §9, §15).

What is the same for everybody is encoded once for a template; a mail encodes its values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from halo_engine.domain.fields.merge_fields import Blank, parts_of
from halo_engine.mail.composing.quoted_printable import encoded, encoded_piece, joined
from halo_engine.mail.composing.text_pieces import (
    Piece,
    PieceKind,
    UrlValues,
    cut_at_links,
    pieces_of,
)

#: What parts and values that are not there leave of a text.
_GAPS: Final = re.compile(r"\n{3,}")
_LONG_GAP: Final = "\n\n\n"
#: No text that can be stored has it.
_ANY: Final = "\0"


def text_part(
    template: str, values: Mapping[str, str], in_urls: UrlValues, end: str, *, tidy: bool
) -> bytes:
    """Return the text with its values, and then ``end``, encoded.

    ``tidy`` leaves at most one empty line between two others.
    """
    pieces = _filled(_encoded(template, tidy, end != ""), values, in_urls)
    if pieces is not None:
        return joined([*pieces, encoded_piece(end)])
    text = "".join(piece.text for piece in pieces_of(template, values))
    if tidy:
        text = _GAPS.sub("\n\n", text)
    return encoded(text.rstrip() + end if end else text)


@dataclass(frozen=True, slots=True)
class _Gap:
    """Where a value stands, or a link with values; the text changes where one ``alone`` is blank:
    its line is empty then, or the last.
    """

    filler: Blank | Piece
    alone: bool


def _filled(
    parts: Sequence[bytes | _Gap], values: Mapping[str, str], in_urls: UrlValues
) -> list[bytes] | None:
    """Return a template with its values; None if lines around a value have to be looked at."""
    written = []
    for part in parts:
        if isinstance(part, bytes):
            written.append(part)
            continue
        if isinstance(part.filler, Piece):
            text = in_urls.filled(part.filler.text)
        else:
            text = part.filler.filled(values)
        if text != text.strip() or _LONG_GAP in text or "\r" in text or (part.alone and not text):
            return None
        written.append(encoded_piece(text))
    return written


@lru_cache(maxsize=256)
def _encoded(template: str, tidy: bool, has_end: bool) -> Sequence[bytes | _Gap]:
    """Encode what stands between the gaps of a template."""
    parts = [part for part in _parts(template) if part]
    if has_end and parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip()
    lines = "".join(part if isinstance(part, str) else _ANY for part in parts).split("\n")
    last = max((n for n, line in enumerate(lines) if line.replace(_ANY, "").strip()), default=-1)
    encoded_parts: list[bytes | _Gap] = []
    number = 0
    for part in parts:
        if isinstance(part, str):
            encoded_parts.append(encoded_piece(_GAPS.sub("\n\n", part) if tidy else part))
            number += part.count("\n")
            continue
        # The end of the text may be cut off, so its last line counts as well.
        is_alone = number >= last or not lines[number].replace(_ANY, "").strip()
        encoded_parts.append(_Gap(part, is_alone))
    return encoded_parts


def _parts(template: str) -> Iterator[str | Blank | Piece]:
    for piece in cut_at_links(template):
        if piece.kind is not PieceKind.LINK:
            yield from parts_of(piece.text)
        elif any(isinstance(part, Blank) for part in parts_of(piece.text)):
            yield piece
        else:
            yield UrlValues({}).filled(piece.text)
