"""Encode the parts of a mail as quoted-printable text (RFC 2045, 6.7).

Most of a mail is the same for everybody. So pieces of it are encoded once and joined: each begins
on a line of its own, which a soft line end hides from its reader.
"""

import re
from binascii import b2a_qp
from collections.abc import Iterable
from typing import Final

#: Python 3.11 writes the blank at the end of a line without a look at how long that is.
_TOO_LONG: Final = re.compile(rb"([^\r\n]{74,})(=20|=09)(?=\r)")
_SOFT_END: Final = b"=\r\n"
#: Encoded as itself, it keeps room at the end of the last line for a soft line end.
_ROOM: Final = b"x"


def encoded(text: str) -> bytes:
    """Encode a whole text in lines that end in CRLF."""
    return _lines(b"\n".join([*text.encode().splitlines(), b""]))


def encoded_piece(text: str) -> bytes:
    """Encode a piece of a text, to be joined with others."""
    if not text:
        return b""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = _lines(text.encode() + _ROOM)
    return lines[:-1] if text.endswith("\n") else lines[:-1] + _SOFT_END


def _lines(text: bytes) -> bytes:
    """Encode a text whose lines end in LF; a blank at a line's end can make it too long."""
    lines = b2a_qp(text).replace(b"\n", b"\r\n")
    if b"=20\r" in lines or b"=09\r" in lines:
        return _TOO_LONG.sub(rb"\1=\r\n\2", lines)
    return lines


def joined(pieces: Iterable[bytes]) -> bytes:
    """Return the text that pieces make; like a whole one it ends with a line end."""
    text = b"".join(pieces)
    if text.endswith(_SOFT_END):
        return text[: -len(_SOFT_END)] + b"\r\n"
    return text
