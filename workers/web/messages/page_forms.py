"""The fields of a browser's form, urlencoded or multipart; another body has none (§16)."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_form, parse_options_header

_URLENCODED: Final = b"application/x-www-form-urlencoded"
_MULTIPART: Final = b"multipart/form-data"
_MOST_FIELDS: Final = 2_000

#: Names and values, in order.
Fields = Sequence[tuple[str, str]]


def form_fields(content_type: bytes, body: bytes) -> Fields:
    """Return the fields of a form; a body that is none, or is broken, has none."""
    kind, parameters = parse_options_header(content_type)
    try:
        if kind == _URLENCODED:
            text = body.decode("utf-8", "replace")
            return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        if kind == _MULTIPART and parameters.get(b"boundary"):
            return _of_parts(content_type, body)
    except (ValueError, FormParserError):
        pass
    return ()


def _of_parts(content_type: bytes, body: bytes) -> Fields:
    found: list[tuple[str, str]] = []

    def keep(field: Field) -> None:
        if len(found) < _MOST_FIELDS:
            found.append((_text(field.field_name), _text(field.value)))

    def pass_over(_file: File) -> None:
        """A file is no choice."""

    parse_form({"Content-Type": content_type}, BytesIO(body), keep, pass_over)
    return found


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
