"""Reads a message within bounds, before any of Celery's code sees it (contract §2).

Anybody who may publish to the broker may send anything. A message that a worker's parent process or
its pool cannot take would end the worker, and then the next one. So each message is read here first
and rebuilt from what was read: plain JSON in UTF-8, Celery's protocol 2.
"""

import base64
import binascii
import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from .message_headers import HEADERS, PROPERTIES, first_fault, is_name

Envelope = dict[str, Any]


class Unreadable(Exception):  # noqa: N818 -- the message is at fault, no code
    """A message that no worker can take; the text says why, for a person.

    ``task_id`` is the id of the result that its sender may wait for; None if it cannot be read.
    """

    task_id: str | None = None


class Bounds(NamedTuple):
    """The bounds of a message: bytes, also decompressed; levels of nesting; digits of an integer.

    They are wider than the doors' bounds, so that a door can refuse a field by its name.
    """

    size: int = 64 * 1024 * 1024
    depth: int = 100
    digits: int = 1000


BOUNDS: Final = Bounds()


def read_envelope(raw: bytes, bounds: Bounds = BOUNDS) -> Envelope:
    """Return the message as kombu delivers it; raise Unreadable if it is no task message.

    A task message has an id, a task's name, arguments, and headers of the types that Celery reads.
    Headers that Celery does not know stay. The receiver adds a delivery tag.
    """
    if len(raw) > bounds.size:
        raise Unreadable(f"{len(raw)} bytes; allowed are {bounds.size}")
    envelope = _json(raw, "message", bounds)
    if not isinstance(envelope, dict):
        raise Unreadable("message: is no JSON object")
    headers = _object(envelope.get("headers"), "headers")
    try:
        return _rebuilt(envelope, headers, bounds)
    except Unreadable as unreadable:
        unreadable.task_id = headers["id"] if is_name(headers.get("id")) else None
        raise


def _rebuilt(envelope: Envelope, headers: Envelope, bounds: Bounds) -> Envelope:
    properties = _object(envelope.get("properties"), "properties")
    packing = headers.pop("compression", None)
    text = _text(_unpacked(_body(envelope, properties), packing, bounds), envelope)
    body = _json(text, "body", bounds)
    if isinstance(body, dict):
        headers, body = _of_protocol_1(body, headers)
        text = json.dumps(body)
    _check_arguments(body)
    _refuse(first_fault(headers, HEADERS, "header"))
    # Not the sender but the installation decides how long a task may run.
    headers.pop("timelimit", None)
    return {
        "body": text,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": _known_properties(properties),
    }


def _json(text: str | bytes, where: str, bounds: Bounds) -> Any:
    def integer(digits: str) -> int:
        if len(digits) > bounds.digits:
            raise Unreadable(f"{where}: an integer of {len(digits)} digits")
        return int(digits)

    try:
        read = json.loads(text, parse_int=integer)
    except RecursionError:
        raise Unreadable(_too_deep(where, bounds)) from None
    except ValueError:
        raise Unreadable(f"{where}: is no JSON in UTF-8") from None
    level = [read]
    for _ in range(bounds.depth):
        level = [item for each in level for item in _items(each) if isinstance(item, dict | list)]
        if not level:
            return read
    raise Unreadable(_too_deep(where, bounds))


def _items(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep(where: str, bounds: Bounds) -> str:
    return f"{where}: nests deeper than {bounds.depth} levels"


def _object(value: object, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"{where}: is no JSON object")
    return value


def _body(envelope: Envelope, properties: Envelope) -> bytes:
    """Return the body's bytes, decoded from base64 if they were sent so."""
    body = envelope.get("body")
    if not isinstance(body, str):
        raise Unreadable("body: is missing, or no text")
    coding = properties.get("body_encoding")
    if coding in (None, "utf-8"):
        return body.encode(errors="surrogatepass")
    if coding != "base64":
        raise Unreadable("body_encoding: is none of base64, utf-8")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("body: is no base64") from None


def _unpacked(body: bytes, packing: object, bounds: Bounds) -> bytes:
    """Return the body decompressed; raise Unreadable if that is larger than allowed."""
    if packing is None:
        return body
    unpacker = _UNPACKERS.get(packing) if isinstance(packing, str) else None
    if unpacker is None:
        raise Unreadable(f"compression: is none of {', '.join(_UNPACKERS)}")
    try:
        unpacked = unpacker(body, bounds.size + 1)
    except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError):
        raise Unreadable("body: is not compressed as its header says") from None
    if len(unpacked) > bounds.size:
        raise Unreadable(f"more than {bounds.size} bytes when unpacked")
    return unpacked


def _unzipped(body: bytes, most: int) -> bytes:
    # 32: zlib or gzip, whichever the first bytes say.
    return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, most)


#: The sender chooses the size of LZMA's dictionary; kombu's own needs a tenth of this.
_LZMA_MEMORY: Final = 96 * 1024 * 1024


def _from_lzma(body: bytes, most: int) -> bytes:
    return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(body, most)


#: Kombu's names of compressions, each with a function that unpacks at most so many bytes.
_UNPACKERS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "application/x-gzip": _unzipped,
    "application/gzip": _unzipped,
    "application/zlib": _unzipped,
    "application/x-bz2": lambda body, most: bz2.BZ2Decompressor().decompress(body, most),
    "application/x-lzma": _from_lzma,
}


def _text(body: bytes, envelope: Envelope) -> str:
    """Return the body's text; it must be JSON in UTF-8, or in ASCII."""
    if envelope.get("content-type") != "application/json":
        raise Unreadable("content-type: is not application/json")
    if str(envelope.get("content-encoding")).lower() not in _CODINGS:
        raise Unreadable("content-encoding: is not utf-8")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Unreadable("body: is no UTF-8") from None


_CODINGS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def _of_protocol_1(body: Envelope, headers: Envelope) -> tuple[Envelope, list[Any]]:
    """Return the headers and body of protocol 2 for a body of protocol 1, which holds both."""
    said = {name: body[name] for name in HEADERS if name in body}
    embedded = {name: body.get(name) for name in ("callbacks", "errbacks", "chord")}
    arguments = [body.get("args") or [], body.get("kwargs") or {}]
    return {**said, **headers}, [*arguments, {**embedded, "chain": None}]


def _check_arguments(body: object) -> None:
    match body:
        case [list(), dict(), dict() | None]:
            return
    raise Unreadable("body: is not [arguments, arguments by name, what follows]")


def _known_properties(properties: Envelope) -> Envelope:
    """Return the properties that Celery reads."""
    _refuse(first_fault(properties, PROPERTIES, "property"))
    said = {name: properties[name] for name in PROPERTIES if name in properties}
    delivery = properties.get("delivery_info")
    if not isinstance(delivery, dict):
        delivery = {}
    where = {name: str(delivery.get(name) or "") for name in ("exchange", "routing_key")}
    return {**said, "body_encoding": None, "delivery_info": where}


def _refuse(fault: str | None) -> None:
    if fault is not None:
        raise Unreadable(fault)
