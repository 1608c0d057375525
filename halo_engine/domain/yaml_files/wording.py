"""Say in our words why a text is no YAML, and how quotes would mend the line."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import yaml

from halo_engine.domain.errors import Refusal, bad_input

#: How PyYAML's messages begin, and what we say instead; the first that fits counts.
_WORDS: Final = (
    ("mapping values are not allowed", "a colon stands where no key can begin"),
    ("could not find expected ':'", "a key has no colon after it"),
    ("expected <block end>", "this does not belong to what stands before it"),
    ("expected ',' or '}'", "in braces a comma or ‘}’ is missing"),
    ("expected ',' or ']'", "in brackets a comma or ‘]’ is missing"),
    ("expected the node content", "a value is missing"),
    ("but found another document", "the file holds several documents; one is read"),
    ("expected <document start>", "this stands after the end of the document"),
    ("found character '\\t'", "a tab cannot indent; use spaces"),
    ("found character", "a value cannot begin with this character"),
    ("found unexpected end of stream", "a quote is not closed"),
    ("found unknown escape character", "in double quotes ‘\\’ begins no such escape"),
    ("expected escape sequence", "in double quotes ‘\\’ needs hexadecimal digits after it"),
    ("found undefined alias", "‘*’ names an anchor that there is not"),
    ("found duplicate anchor", "an anchor is given twice"),
    ("expected alphabetic or numeric character", "‘*’, ‘&’ and ‘!’ need a name after them"),
    ("sequence entries are not allowed", "a list cannot begin here"),
    ("block sequence entries are not allowed", "a list cannot begin here"),
    ("special characters are not allowed", "the text holds a control character"),
    ("could not determine a constructor", "a tag is unknown"),
    ("found duplicate", "something is given twice"),
    # From our own loader.
    ("the key ", ""),
    ("a key is text", "a key is not text"),
)
_LONGEST_SHOWN: Final = 200
_LONGEST_MENDED: Final = 2000

#: Where a value begins: after a key's colon, or after the dash of a list.
_VALUE_BEGINS: Final = re.compile(r"(?:[\w.-]+|\"[^\"]*\"):\s+|(?:^|\s)-\s+")
#: What may follow a value on its line: nothing, another key, or the end of braces and brackets.
_AFTER_A_VALUE: Final = re.compile(r"\s*(?:$|,\s+[\w.-]+:\s|[}\]]+\s*(?:[,}\]]|$))")
_NEEDS_QUOTES: Final = re.compile(r"^(?![\[{](?![{%])).*(?:\{\{|\{%|: )|^[*&!%@`]|^\[.*\]\s*\S")
#: Each try reads the whole file again: so few tries, and none for longer files.
_MOST_TRIES: Final = 8
LONGEST_FILE: Final = 50_000


def malformed(
    error: yaml.YAMLError, text: str, where: str, check: Callable[[str], yaml.YAMLError | None]
) -> Refusal:
    """Return the 400 for a YAML error, with line and column; if quotes mend it, with that line too.

    ``check`` returns the first error in a text, None if there is none.
    """
    at = _place(error, text)
    if at is None:
        return bad_input(where, f"{_said(error)}; allowed is YAML 1.2", "bad_yaml")
    place = f"{where}, line {at[0] + 1}, column {at[1] + 1}"
    mended = _mended(text, at, check)
    if mended is not None:
        problem = f"{_said(error)}; quote the value: {_cut(mended.strip())}"
        return bad_input(place, problem, "bad_yaml")
    return bad_input(place, f"{_said(error)}; allowed is YAML 1.2", "bad_yaml")


def _place(error: yaml.YAMLError, text: str) -> tuple[int, int] | None:
    """Return line and column of an error, both counted from 0."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        return before.count("\n"), len(before) - (before.rfind("\n") + 1)
    mark = getattr(error, "problem_mark", None)
    return (mark.line, mark.column) if mark else None


def _said(error: yaml.YAMLError) -> str:
    found = getattr(error, "problem", None) or getattr(error, "reason", None) or ""
    for begins, words in _WORDS:
        if found.startswith(begins):
            return words or found
    return "this is not YAML"


def _mended(
    text: str, at: tuple[int, int], check: Callable[[str], yaml.YAMLError | None]
) -> str | None:
    """Return the line at ``at`` with a value in quotes, if the file can be read past it then."""
    if len(text) > LONGEST_FILE:
        return None
    lines, (number, column) = text.split("\n"), at
    if number >= len(lines) or len(lines[number]) > _LONGEST_MENDED:
        return None
    for line in islice(_with_quotes(lines[number].rstrip("\r"), column), _MOST_TRIES):
        mended = "\n".join([*lines[:number], line, *lines[number + 1 :]])
        still = check(mended)
        next_place = _place(still, mended) if still else None
        if still is None or (next_place is not None and next_place[0] > number):
            return line
    return None


def _with_quotes(line: str, column: int) -> Iterator[str]:
    """Yield the line with one value in quotes; values near ``column`` and short ones first."""
    starts = [begins.end() for begins in _VALUE_BEGINS.finditer(line) if begins.end() <= column]
    for start in reversed(starts):
        for end in range(start + 1, len(line) + 1):
            value = line[start:end]
            is_one = _AFTER_A_VALUE.match(line, end) and value.count("{{") == value.count("}}")
            if is_one and _NEEDS_QUOTES.search(value) and value[0] not in "'\"":
                yield line[:start] + _quoted(value) + line[end:]


def _quoted(value: str) -> str:
    is_plain = "'" in value or '"' not in value
    return json.dumps(value, ensure_ascii=False) if is_plain else f"'{value}'"


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_SHOWN else line[: _LONGEST_SHOWN - 1] + "…"
