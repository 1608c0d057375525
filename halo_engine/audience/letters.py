"""Whether text contains other text in any case, with the same result on every database (§3).

Databases fold case differently: by version, by locale, by the libraries they were built with. So
the engine decides which letters are equal, and PostgreSQL only replaces letters.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache

from sqlalchemy import ColumnElement, Text, collate, func, literal

#: Beyond its first two planes Unicode has no letters with case.
_CODE_POINTS = range(0x20000)


def contains(text: ColumnElement[str], wanted: str) -> ColumnElement[bool]:
    """Return whether ``text`` contains ``wanted`` in any case; no character is a wildcard."""
    letters = "".join(map(_fold, wanted))
    others = [(other, letter) for letter in sorted(set(letters)) for other in _others(letter)]
    # The collation "C" lowers ASCII alone, and does so everywhere.
    lowered = func.lower(collate(text, "C"))
    if others:
        sources, targets = map("".join, zip(*others, strict=True))
        lowered = func.translate(lowered, literal(sources, Text()), literal(targets, Text()))
    return func.strpos(lowered, literal(letters, Text())) > 0


def _fold(letter: str) -> str:
    """Return the one letter that stands for ``letter`` in any case; ß does not become ss."""
    candidates = (letter.casefold(), letter.lower(), letter)
    return next(folded for folded in candidates if len(folded) == 1)


def _others(letter: str) -> str:
    """Return the letters beyond ASCII that fold to ``letter``."""
    return _spellings().get(letter, "")


@cache
def _spellings() -> Mapping[str, str]:
    spellings: dict[str, str] = defaultdict(str)
    for other in map(chr, _CODE_POINTS):
        if not other.isascii() and other != (letter := _fold(other)):
            spellings[letter] += other
    return spellings
