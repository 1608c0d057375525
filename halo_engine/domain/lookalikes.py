"""Fields that look like another: where a value may be that a filter does not find (contract §10).

``custom:role`` is the app's own role, ``custom:intercom_role`` is Intercom's; ``plan`` is a custom
field, ``stripe:plan`` is Stripe's.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

from halo_engine.domain.fields import COLUMNS, PREFIXES, Field, resolve
from halo_engine.domain.nearness import SIMILAR

_CAMEL_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_A_WORD: Final = re.compile(r"[\W_]+")
#: Below this, words look alike by chance.
_SHORTEST_SHARED: Final = 3
#: So that one filter's advice stays readable.
_MOST: Final = 5


def meant_for(wanted: Field, registered: Iterable[Field]) -> list[Field]:
    """Return the fields among which to look for what may have been meant instead of ``wanted``.

    These are the registered custom fields; instead of a custom field, any other may have been
    meant.
    """
    columns = [
        resolve(f"{PREFIXES[entity]}{name}") for entity, names in COLUMNS.items() for name in names
    ]
    return [*registered, *(columns if wanted.custom else ())]


def look_alikes(wanted: Field, known: Iterable[Field]) -> list[Field]:
    """Return the ``known`` fields that someone may have meant or sent instead of ``wanted``.

    The likeliest come first, at most five: the same words, then one name within the other, then a
    spelling that is nearly the same.
    """
    ranked = [
        (likeness, other.key, other)
        for other in known
        if other.key != wanted.key and (likeness := _likeness(wanted.attribute, other.attribute))
    ]
    ranked.sort(key=lambda each: (-each[0], each[1]))
    return [other for _, _, other in ranked[:_MOST]]


def _likeness(one: str, other: str) -> float:
    """Return how alike two names are: 3 the same words, 2 contained, below 1 spelled alike; else
    0.
    """
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
