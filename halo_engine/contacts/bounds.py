"""How large a contact's or a company's documents may become (contract §2, Bounds)."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Text,
    case,
    cast,
    func,
    literal_column,
    null,
)

from halo_engine.domain.errors import Refusal, bad_input

#: In bytes of compact JSON in UTF-8, all documents together.
LARGEST_DOCUMENTS: Final = 400_000

#: Matches a JSON string, or a space that PostgreSQL writes outside of strings.
_TEXT_OR_SPACE: Final = literal_column(r"""'("(?:[^"\\]|\\.)*")| '""", Text)
_TEXT: Final = literal_column(r"'\1'", Text)


def oversize(
    fresh: Sequence[ColumnElement[Any]], stored: Sequence[ColumnElement[Any]]
) -> ColumnElement[int | None]:
    """Return the size of the ``fresh`` documents if it is too large, else NULL.

    Documents that are too large already may shrink, but not grow.
    """
    sizes = [func.octet_length(cast(each, Text)) for each in fresh]
    size, before = _compact_size(fresh), func.coalesce(_compact_size(stored), 0)
    is_too_large = size > func.greatest(LARGEST_DOCUMENTS, before)
    # PostgreSQL's text has more spaces than compact JSON: if it is small enough, so are those.
    may_be = sum(sizes[1:], sizes[0]) > LARGEST_DOCUMENTS
    return case((may_be, case((is_too_large, size))), else_=cast(null(), Integer))


def too_large(where: str, size: int) -> Refusal:
    """Return the 400 for documents that would have this size."""
    problem = f"they would be {size} bytes as compact JSON; allowed are {LARGEST_DOCUMENTS}"
    return bad_input(where, problem, "too_large")


def _compact_size(documents: Sequence[ColumnElement[Any]]) -> ColumnElement[int]:
    """Return the documents' size as ``domain.traits`` counts it; an empty one counts nothing."""
    texts = [func.nullif(cast(each, Text), "{}") for each in documents]
    compact = [func.regexp_replace(text, _TEXT_OR_SPACE, _TEXT, "g") for text in texts]
    sizes = [func.coalesce(func.octet_length(each), 0) for each in compact]
    return sum(sizes[1:], sizes[0])
