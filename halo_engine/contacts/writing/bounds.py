"""The bounds of a contact's or a company's documents (contract §2, Bounds)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    TableValuedAlias,
    Text,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)

from halo_engine.domain.errors import Refusal, bad_input

#: In bytes of compact JSON in UTF-8, all documents together.
LARGEST_DOCUMENTS: Final = 400_000

#: Matches a JSON string, or a space that PostgreSQL writes outside of strings.
_TEXT_OR_SPACE: Final = literal_column(r"""'("(?:[^"\\]|\\.)*")| '""", Text)
_NOTHING: Final = literal_column("'{}'::text[]", ARRAY(Text()))
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
    # PostgreSQL's text has more spaces than compact JSON: if it is small enough, so is the JSON.
    may_be = sum(sizes[1:], sizes[0]) > LARGEST_DOCUMENTS
    return case((may_be, case((is_too_large, size))), else_=cast(null(), Integer))


def filled_in(
    stored: Mapping[str, ColumnElement[Any]], beneath: Mapping[str, ColumnElement[Any]]
) -> dict[str, ColumnElement[Any]]:
    """Return the ``stored`` documents of a contact, with missing fields filled in from ``beneath``.

    A stored field stays. If all fields would be too large together, the smallest ones are filled
    in, as many as fit.
    """
    whole = {name: beneath[name].concat(each) for name, each in stored.items()}
    is_too_large = oversize([*whole.values()], [*stored.values()]).is_not(None)
    lacked = [
        select(literal(name).label("document"), each.c.key, each.c.value)
        for name in stored
        for each in [_lacked(stored[name], beneath[name])]
    ]
    field = union_all(*lacked).subquery("lacked")
    size = _compact_size([func.jsonb_build_object(field.c.key, field.c.value)])
    order = (size, field.c.document, field.c.key)
    sized = select(field, func.sum(size).over(order_by=order).label("all_so_far")).subquery("sized")
    room = LARGEST_DOCUMENTS - _compact_size([*stored.values()])
    fits = {
        name: select(func.jsonb_object_agg(sized.c.key, sized.c.value))
        .where(sized.c.document == name, sized.c.all_so_far <= room)
        .correlate_except(sized)
        .scalar_subquery()
        for name in stored
    }
    return {
        name: case((is_too_large, func.coalesce(fits[name].concat(each), each)), else_=whole[name])
        for name, each in stored.items()
    }


def _lacked(document: ColumnElement[Any], beneath: ColumnElement[Any]) -> TableValuedAlias:
    each = func.jsonb_each(document).table_valued("key", "value", name="known")
    known = select(func.coalesce(func.array_agg(each.c.key), _NOTHING)).scalar_subquery()
    return func.jsonb_each(beneath.op("-")(known)).table_valued("key", "value", name="each")


def too_large(where: str, size: int) -> Refusal:
    """Return the 400 for documents that would have this size."""
    problem = f"they would be {size} bytes as compact JSON; allowed are {LARGEST_DOCUMENTS}"
    return bad_input(where, problem, "too_large")


def _compact_size(documents: Sequence[ColumnElement[Any]]) -> ColumnElement[int]:
    """Return the documents' size as ``domain.fields.traits`` counts it; empty ones count 0."""
    texts = [func.nullif(cast(each, Text), "{}") for each in documents]
    compact = [func.regexp_replace(text, _TEXT_OR_SPACE, _TEXT, "g") for text in texts]
    sizes = [func.coalesce(func.octet_length(each), 0) for each in compact]
    return sum(sizes[1:], sizes[0])
