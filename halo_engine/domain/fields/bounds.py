"""How many filters one setting may hold, so that a statement stays one that can be planned (§3)."""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel

from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.fields.filters import Filter

#: The most filters of one setting, in all its groups.
MOST_FILTERS: Final = 1_000
#: How many different lists, series and counts within a span they may ask for: each is a join.
MOST_LOOKED_UP: Final = 50


def beyond_bounds(groups: Sequence[Sequence[BaseModel]]) -> str | None:
    """Return what is too much of the filters, and what is allowed; None if they are few enough."""
    count = sum(map(len, groups))
    if count > MOST_FILTERS:
        return f"holds {count} filters; allowed are {MOST_FILTERS}"
    looked_up = {
        (item.field, item.within)
        for group in groups
        for item in group
        if isinstance(item, Filter) and _is_looked_up(item)
    }
    if len(looked_up) <= MOST_LOOKED_UP:
        return None
    return (
        f"asks for {len(looked_up)} lists, series and counts within a span; allowed are "
        f"{MOST_LOOKED_UP}"
    )


def _is_looked_up(item: Filter) -> bool:
    return item.within is not None or item.target.entity in (Entity.LIST, Entity.SERIES)
