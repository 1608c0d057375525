"""Values that are nearly the same: what someone may have meant (contract §10)."""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Final, TypeVar
from unicodedata import normalize

_Value = TypeVar("_Value")

#: Below this, spellings look alike by chance.
SIMILAR: Final = 0.8
_MOST_NEAR: Final = 3
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")


def letters_of(text: str) -> str:
    """Return the letters and digits of a name or a word, in lower case and without accents."""
    return "".join(filter(str.isalnum, normalize("NFKD", text.casefold())))


def near(wanted: object, known: Iterable[_Value]) -> Sequence[_Value]:
    """Return the ``known`` values that may be meant by ``wanted``, likeliest first, at most three.

    First come values that differ only in case, spaces, signs or type (``Pro``, ``pro``; ``up for
    renewal``, ``up_for_renewal``; ``"12"``, ``12``), then those with a similar spelling.
    """
    ranked = [
        (-likeness, index, value)
        for index, value in enumerate(known)
        if not _same(value, wanted) and (likeness := _likeness(wanted, value))
    ]
    ranked.sort(key=lambda each: each[:2])
    return [value for _, _, value in ranked[:_MOST_NEAR]]


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _likeness(one: object, other: object) -> float:
    ours, theirs = _letters(str(one)), _letters(str(other))
    if ours == theirs:
        return 1
    # 12 is not nearly 120.
    if not isinstance(one, str) or not isinstance(other, str):
        return 0
    similarity = SequenceMatcher(None, ours, theirs).ratio()
    return similarity if similarity >= SIMILAR else 0


def _letters(text: str) -> str:
    return _BETWEEN_WORDS.sub("", text.casefold()) or text
