"""A key that is made from what people call a series or a step (§17)."""

import re
from collections.abc import Collection
from itertools import count
from typing import Final
from unicodedata import normalize

_LONGEST: Final = 90
_MERGE_FIELD: Final = re.compile(r"\{[{%].*?[%}]\}")
_OTHER: Final = re.compile(r"[^a-z0-9._]+")


def key_from(text: str, taken: Collection[str] = ()) -> str:
    """Return a key such as ``trial-ends-soon`` that is not ``taken``; empty if the text has no
    letter or digit that a key may have.
    """
    plain = normalize("NFKD", _MERGE_FIELD.sub(" ", text)).encode("ascii", "ignore").decode()
    key = _OTHER.sub("-", plain.lower())[:_LONGEST].strip("-._")
    if not key or key not in taken:
        return key
    return next(each for n in count(2) if (each := f"{key}-{n}") not in taken)
