"""Fields with a similar name: where the value may be that a filter misses (contract §10).

``custom:role`` is the app's own role, ``custom:intercom_role`` is Intercom's; ``plan`` is a custom
field, ``stripe:plan`` is Stripe's.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

from halo_engine.domain.fields.catalogue import COLUMNS, PREFIXES, Field, resolve
from halo_engine.domain.nearness import SIMILAR

_CAMEL_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_A_WORD: Final = re.compile(r"[\W_]+")
#: Shorter words look alike by chance.
_SHORTEST_SHARED: Final = 3
#: More would make the advice about one filter hard to read.
_MOST: Final = 5


def meant_for(wanted: Field, registered: Iterable[Field]) -> list[Field]:
    """Return the fields that may have been meant instead of ``wanted``.

    These are the registered custom fields; for a custom field also all columns.
    """
    columns = [
        resolve(f"{PREFIXES[entity]}{name}") for entity, names in COLUMNS.items() for name in names
    ]
    return [*registered, *(columns if wanted.custom else ())]


def look_alikes(wanted: Field, known: Iterable[Field]) -> list[Field]:
    """Return the ``known`` fields whose names are like that of ``wanted``, at most five.

    The likeliest come first: the same words, then one name within the other, then a similar
    spelling.
    """
    ranked = [
        (likeness, other.key, other)
        for other in known
        if other.key != wanted.key and (likeness := _likeness(wanted.attribute, other.attribute))
    ]
    ranked.sort(key=lambda each: (-each[0], each[1]))
    return [other for _, _, other in ranked[:_MOST]]


def _likeness(one: str, other: str) -> float:
    """Return how alike two names are: 3 same words, 2 one within the other, up to 1 by spelling."""
    ours, theirs = _words(one), _words(other)
    if "".join(ours) == "".join(theirs):
        return 3
    shorter, longer = sorted((ours, theirs), key=len)
    shared = " ".join(shorter)
    if len(shared) >= _SHORTEST_SHARED and f" {shared} " in f" {' '.join(longer)} ":
        return 2
    similarity = SequenceMatcher(None, "".join(ours), "".join(theirs)).ratio()
    return similarity if similarity >= SIMILAR else 0


def _words(name: str) -> list[str]:
    apart = _CAMEL_HUMP.sub(" ", name)
    return [word for word in _NOT_A_WORD.split(apart.casefold()) if word]
