"""The parts of a raw mail, read within bounds: anybody can write anything into a mail.

Python's parser is lenient, but slow for some hostile mails. What would cost too much is cut off
before it is parsed.
"""

import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from email.message import Message
from email.parser import HeaderParser
from html import unescape
from typing import Any, Final

#: How many bytes of a mail are read: headers and reports come before anything large.
READ: Final = 256 * 1024
#: More boundaries than any honest mail has; the parser compares every line with each of them.
_MOST_BOUNDARIES: Final = 20
#: More blank lines than any honest mail of this size has; each begins a part of a delivery report.
_MOST_BLANK_LINES: Final = 10_000
#: Parameters of one Content-Type; the parser compares each with all before it.
_MOST_PARAMETERS: Final = 100
#: How deep nested parts are read, and how many parts in all.
_DEEPEST: Final = 5
_MOST_PARTS: Final = 50
_MOST_BLOCKS: Final = 100
#: How many bytes of a text part are read.
_LONGEST_TEXT: Final = 64 * 1024

_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,253}>")
#: Some mail programs leave out the brackets.
_BARE_ID: Final = re.compile(r"[^<>\s@]{1,126}@[^<>\s@]{1,126}")
_UNFOLD: Final = re.compile(r"\n[>]?[ \t]+(?=<)")
_CONTENT_TYPE: Final = b"content-type:"
#: The library takes all three for line ends.
_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\r|\n)(?=[\r\n])")
#: What files of mails begin with that is no header: a byte-order mark, blank lines.
_BEFORE: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?[\r\n]*")
_FOLD: Final = re.compile(rb"(?:\r\n|\r|\n)[ \t]")
_TAG: Final = re.compile(r"<[^<>]{0,2000}>")
_CHARSET: Final = re.compile(r"\bcharset ?= ?\"?([\w.-]{1,40})", re.IGNORECASE)
#: Charsets of servers that write in their own language.
_CHARSETS: Final = re.compile(
    r"iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|gb(?:k|2312|18030)|big5|euc-(?:jp|kr)|shift_jis"
)
#: It looks like ASCII.
_SEVEN_BITS: Final = "iso-2022-jp"


def parsed(raw: bytes) -> Message:
    """Return a mail, read up to ``READ``; its headers alone if it may have too many parts.

    Raises ValueError, or whatever else the library's parser raises, if it cannot be read.
    """
    raw = _BEFORE.sub(b"", raw[:READ])
    if b"\n" not in raw:
        # As old Macs saved it.
        raw = raw.replace(b"\r", b"\n")
    if any(line.count(b";") > _MOST_PARAMETERS for line in _content_types(raw)):
        raise ValueError("nobody has so many parameters")
    if _may_have_too_many_parts(raw):
        end_of_headers = _BLANK_LINE.search(raw)
        return message_from_bytes(raw[: end_of_headers.end()] if end_of_headers else raw)
    return message_from_bytes(raw)


def _may_have_too_many_parts(raw: bytes) -> bool:
    if raw.lower().count(b"boundary") > _MOST_BOUNDARIES:
        return True
    return len(_BLANK_LINE.findall(raw)) > _MOST_BLANK_LINES


def _content_types(raw: bytes) -> Iterator[bytes]:
    """Yield the lines that a parser may take for a Content-Type header, unfolded."""
    lines = _FOLD.sub(b" ", raw).splitlines()
    return (line for line in lines if line[: len(_CONTENT_TYPE)].lower() == _CONTENT_TYPE)


def children(mail: Message) -> list[Message]:
    """Return the direct parts of a multipart or an enclosed mail.

    The payload of a text is not asked for: the library would decode it in whatever charset the mail
    names, and some take very long.
    """
    found: Any = mail.get_payload() if mail.is_multipart() else []
    return [part for part in found if isinstance(part, Message)]


def leaves(mail: Message) -> list[Message]:
    """Return all parts of a mail in order, nested ones too; enclosed mails stay whole."""
    return list(_leaves(mail, _DEEPEST))[:_MOST_PARTS]


def _leaves(mail: Message, deepest: int) -> Iterator[Message]:
    if not mail.is_multipart() or mail.get_content_maintype() == "message":
        yield mail
    elif deepest:
        for part in children(mail):
            yield from _leaves(part, deepest - 1)


def text(part: Message) -> str:
    """Return the text of a part, without HTML tags.

    It is read as UTF-8 if it is that, else by its charset; so trust only ASCII.
    """
    decoded: Any = part.get_payload(decode=True)
    if not isinstance(decoded, bytes):
        return ""
    written = _characters(decoded[:_LONGEST_TEXT], part).replace("\r\n", "\n")
    is_html = part.get_content_type() == "text/html"
    return unescape(_TAG.sub(" ", written)) if is_html else written


def _characters(written: bytes, part: Message) -> str:
    named = _CHARSET.search(header(part, "Content-Type"))
    charset = named[1].lower() if named else ""
    if charset == _SEVEN_BITS:
        return written.decode(charset, "replace")
    try:
        return written.decode()
    except UnicodeDecodeError:
        known = charset if _CHARSETS.fullmatch(charset) or charset == "utf-8" else "latin-1"
        try:
            return written.decode(known, "replace")
        except LookupError:
            return written.decode("latin-1")


def unparsed(part: Message) -> str:
    """Return what the parser could not read in an enclosed mail or report; empty if it could.

    Some servers encode the part, which no part of this type may be (RFC 2046, 5.2.1).
    """
    found = children(part)
    if len(found) != 1 or found[0].keys():
        return ""
    written = Message()
    written["Content-Transfer-Encoding"] = header(part, "Content-Transfer-Encoding")
    written.set_payload(found[0].get_payload())
    return text(written)


def header(mail: Message, name: str) -> str:
    """Return a header on one line, empty if there is none.

    Some mail programs write bytes beyond ASCII: mostly UTF-8, else Latin-1.
    """
    value = next((each for key, each in mail.raw_items() if key.lower() == name.lower()), "")
    written = str(value).encode(errors="surrogateescape")
    try:
        plain = written.decode()
    except UnicodeDecodeError:
        plain = written.decode("latin-1")
    return " ".join(plain.split())


def blocks_of(report: Message) -> list[Message]:
    """Return the blocks of a report; the library has parsed those of message/delivery-status."""
    found = children(report)
    rest = unparsed(report) or (text(found[0]) if len(found) == 1 else "")
    return [*found, *blocks_in(rest)]


def blocks_in(written: str) -> list[Message]:
    """Return possible blocks of a report in a plain text, where some servers write them."""
    paragraphs = re.split(r"\n[ \t]*\n", written, maxsplit=_MOST_BLOCKS)
    return [HeaderParser().parsestr(paragraph.lstrip("\n")) for paragraph in paragraphs]


def ids(mail: Message, name: str) -> list[str]:
    """Return the Message-IDs in a header."""
    return [id_ for value in mail.get_all(name, []) for id_ in ids_in(str(value))]


def ids_in(value: str) -> list[str]:
    """Return the Message-IDs in the value of a header."""
    bare = _BARE_ID.fullmatch(value.strip())
    return [f"<{bare[0]}>"] if bare else _MESSAGE_ID.findall(value)


def named_in(part: Message) -> list[str]:
    """Return the Message-IDs in headers that are quoted in a text."""
    if part.get_content_maintype() not in ("text", "multipart"):
        return []
    lines = _UNFOLD.sub(" ", text(part))
    return [id_ for name in ("message-id", "references") for id_ in _named(lines, name)]


def _named(lines: str, name: str) -> list[str]:
    values = re.findall(rf"^[> \t]{{0,9}}{name}:([^\n]*)", lines, re.IGNORECASE | re.MULTILINE)
    return [id_ for value in values for id_ in reversed(_MESSAGE_ID.findall(value))]


def enclosed(part: Message) -> Message | None:
    """Return the mail that a part holds, in full or only its headers; None if it holds none."""
    match part.get_content_type():
        case (
            "message/rfc822"
            | "message/rfc822-headers"
            | "message/global"
            | "message/global-headers"
        ):
            written = unparsed(part)
            return HeaderParser().parsestr(written) if written else next(iter(children(part)), None)
        case "text/rfc822-headers" | "text/rfc822-header":
            return HeaderParser().parsestr(text(part))
    return None


def enclosed_mails(parts: Iterable[Message]) -> list[Message]:
    """Return the mails that the parts hold."""
    return [mail for part in parts if (mail := enclosed(part)) is not None]
