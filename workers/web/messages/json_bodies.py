"""The JSON of a body: what it takes in memory, how it is read, and what is wrong with it."""

import math
import re
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import jiter

from .responses import Problem

#: In bytes, decompressed; and once it is parsed, by `size_of_parsed`. A batch of clients' messages
#: takes eight times its text, brackets alone thirty times.
LARGEST_BODY: Final = 1024 * 1024
LARGEST_PARSED: Final = 12 * LARGEST_BODY
#: Of a body that would take more, so much is parsed to tell whether it is JSON at all.
_BEGINNING: Final = 16 * 1024
#: Up to so many bytes a body's parsed size is estimated by a factor.
SMALL_BODY: Final = 1024
_MOST_FOR_A_BYTE: Final = 16

_JSON_FAULT: Final = re.compile(
    r"(?P<problem>.*?)(?: at line (?P<line>\d+) column (?P<column>\d+))?"
)
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "Detected duplicate key": ("duplicate_key", "a key comes twice in one object; allowed is once"),
    "recursion limit exceeded": ("too_deep", "it nests too deep; allowed are 32 levels"),
    "number out of range": ("bad_json", "a number is too long; allowed are int64 and double"),
}


def size_of_parsed(body: bytes) -> int:
    """Return an estimate of a parsed body's size in bytes, rather too large than too small."""
    if len(body) <= SMALL_BODY:
        return _MOST_FOR_A_BYTE * len(body)
    return sum(
        (
            len(body) * (1 if body.isascii() else 4),
            60 * body.count(b"["),
            100 * body.count(b"{"),
            30 * body.count(b","),
            60 * body.count(b":"),
            15 * body.count(b'"'),
        )
    )


def is_json(content_type: bytes | None, also: Sequence[bytes] = ()) -> bool:
    """Return whether this Content-Type is JSON in UTF-8; ``also`` are other accepted types."""
    if content_type == b"application/json":
        return True
    kind, _, rest = (content_type or b"").lower().partition(b";")
    if kind.strip() not in (b"application/json", *also):
        return False
    parameters = [each.strip() for each in rest.split(b";") if each.strip()]
    return all(each in (b"charset=utf-8", b'charset="utf-8"') for each in parameters)


def read_json(
    body: bytes, name: str = "body", *, most: float = math.inf, allow_inf_nan: bool = False
) -> Any:
    """Return the JSON value of ``body``.

    Raises a 400 with ``name`` and the place of the fault, and a 413 for what would take more than
    ``most`` bytes once it is parsed.
    """
    # Programs on Windows write this mark; a reader may pass over it (RFC 8259).
    body = body.removeprefix(BOM_UTF8)
    size = size_of_parsed(body)
    if size > most and len(body) > SMALL_BODY:
        _refuse_broken(body[:_BEGINNING], name, allow_inf_nan)
        raise _too_many_values(name)
    try:
        return jiter.from_json(
            body,
            allow_inf_nan=allow_inf_nan,
            catch_duplicate_keys=True,
            # Each text that the parser caches would keep memory of a large body from being freed.
            cache_mode="all" if size <= LARGEST_BODY else "none",
        )
    except ValueError as error:
        raise _not_json(name, str(error)) from None


def _refuse_broken(beginning: bytes, name: str, allow_inf_nan: bool) -> None:
    """Raise a 400 if JSON cannot begin like this; that it is cut off is no fault."""
    try:
        jiter.from_json(
            beginning,
            allow_inf_nan=allow_inf_nan,
            catch_duplicate_keys=True,
            partial_mode=True,
        )
    except ValueError as error:
        if not str(error).startswith("EOF "):
            raise _not_json(name, str(error)) from None


def _too_many_values(name: str) -> Problem:
    mib = LARGEST_PARSED // LARGEST_BODY
    problem = (
        f"{name}: has too many lists, objects and keys; allowed is what takes {mib} MiB once it is"
        " read: send fewer at a time"
    )
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", problem)


def _not_json(name: str, said: str) -> Problem:
    """Return the 400 for the parser's complaint, in our words, with line and column."""
    found = _JSON_FAULT.fullmatch(said)
    where = ""
    if found is not None and found["line"] is not None:
        where = f" at line {found['line']}, column {found['column']}"
    for beginning, (code, problem) in _WORDS.items():
        if said.startswith(beginning):
            return Problem(HTTPStatus.BAD_REQUEST, code, f"{name}{where}: {problem}")
    problem = "is no JSON; allowed is one JSON value in UTF-8"
    return Problem(HTTPStatus.BAD_REQUEST, "bad_json", f"{name}{where}: {problem}")
