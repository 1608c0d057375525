"""Write text into headers as encoded words, on short lines (RFC 2047)."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Final

_BEGIN: Final = "=?utf-8?b?"
_END: Final = "?="
_LONGEST_LINE: Final = 76
_LONGEST_WORD: Final = 75


def encoded_words(header: str, text: str) -> str:
    """Return ``text`` as the value of ``header``: encoded words, each on a line of its own."""
    return "\r\n ".join(_words(text.encode(), _LONGEST_LINE - len(header) - len(": ")))


def _words(text: bytes, room: int) -> Iterator[str]:
    """Yield the words of a text; the first has less room, because the header's name is there."""
    while text:
        end = _whole_characters(text, _bytes_in(room))
        yield _BEGIN + b64encode(text[:end]).decode() + _END if end else ""
        text, room = text[end:], _LONGEST_WORD


def _bytes_in(room: int) -> int:
    return max(0, (room - len(_BEGIN) - len(_END)) // 4 * 3)


def _whole_characters(text: bytes, most: int) -> int:
    """Return the length of the longest beginning that ends with a whole character."""
    end = min(most, len(text))
    while end and end < len(text) and text[end] & 0b1100_0000 == 0b1000_0000:
        end -= 1
    return end
