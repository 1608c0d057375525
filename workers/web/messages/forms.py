"""A file in a form (multipart/form-data), parsed as it comes (contract §12)."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from halo_engine.domain.errors import bad_input, shown

from .json_bodies import read_json
from .responses import Problem

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE: Final = "file"
OPTIONS: Final = "options"
_KIND: Final = b"multipart/form-data"
#: In bytes.
_LARGEST_TEXT: Final = 64 * 1024
#: In characters.
_LONGEST_NAME: Final = 200


def boundary_of(content_type: bytes) -> bytes | None:
    """Return the boundary of a form of this Content-Type; None if it is no form."""
    kind, parameters = parse_options_header(content_type)
    return parameters.get(b"boundary") or None if kind == _KIND else None


class FileForm:
    """A form with a part ``file`` and, optionally before it, a part of text: ``before``.

    Only the piece of the file that came last is in memory.
    """

    def __init__(self, boundary: bytes, before: str = OPTIONS) -> None:
        self._before = before
        self._parser = self._reading(boundary)
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        #: The name of the current part, and those of the parts before it.
        self._part: str | None = None
        self._came: list[str] = []
        self._file = bytearray()
        self._text = bytearray()
        self._is_over = False
        #: What the sender calls the file; known once it has begun.
        self.file_name: str | None = None

    @property
    def text(self) -> bytes | None:
        """What the part before the file says, if it came; known once the file has begun."""
        return bytes(self._text) if self._before in self._came else None

    @property
    def options(self) -> list[Any]:
        """The value of ``options``, if it came; known once the file has begun. Raises a 400 for bad
        JSON.
        """
        return [] if self.text is None else [read_json(self.text, OPTIONS)]

    async def file(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the file's bytes; raises a 400 for a form that is malformed or ends too early."""
        async for part in body:
            try:
                self._parser.write(part)
            except FormParserError:
                raise _broken("is no form as multipart/form-data is written") from None
            if self._file:
                piece, self._file = bytes(self._file), bytearray()
                yield piece
        if not self._is_over:
            raise _broken("ends before the last boundary of its form")
        if FILE not in self._came:
            raise bad_input(FILE, "is required; allowed is a part of that name")

    def _reading(self, boundary: bytes) -> MultipartParser:
        callbacks: MultipartCallbacks = {
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_end": self._on_end,
        }
        try:
            return MultipartParser(boundary, callbacks)
        except FormParserError:
            raise _broken("has a boundary that is too long") from None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        """Begin a part; refuse one that is not expected."""
        _, parameters = parse_options_header(self._disposition)
        self._disposition = b""
        name = parameters.get(b"name", b"").decode("utf-8", "replace")
        if name not in (FILE, self._before):
            problem = f"{shown(name)} is no part of this form; allowed are {self._before}, {FILE}"
            raise bad_input("form", problem, "unknown_key")
        if name in self._came:
            raise bad_input(name, "comes twice; allowed is once", "duplicate_key")
        if self._came == [FILE]:
            raise bad_input(name, "comes after the file; allowed is before it")
        self._part = name
        self._came.append(name)
        if name == FILE:
            self.file_name = _name_of(parameters.get(b"filename", b""))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part == FILE:
            self._file += data[start:end]
            return
        self._text += data[start:end]
        if len(self._text) > _LARGEST_TEXT:
            problem = f"{self._before}: is too large; allowed are {_LARGEST_TEXT} bytes"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", problem)

    def _on_end(self) -> None:
        self._is_over = True


def _name_of(given: bytes) -> str | None:
    """Return a file's name as a line of text that can be shown; None if it has none."""
    decoded = given.decode("utf-8", "replace")
    line = "".join(each for each in decoded if each.isprintable())
    return line.strip()[-_LONGEST_NAME:] or None


def _broken(problem: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "bad_form", f"body: {problem}")
