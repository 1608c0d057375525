"""What a page of a deletion says: how many rows went, and where the walk through them goes on."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from halo_engine.work import Work

#: Where a walk goes on, as JSON: after the row of this key. None is the beginning, or the end.
Cursor = int | list[str] | None


class Page(NamedTuple):
    """How many rows were deleted, and where the walk goes on; None if there is nothing more."""

    deleted: int
    cursor: Cursor


#: Looks at so many rows after a cursor, and deletes those from before an instant.
DeletesPage = Callable[[Work, datetime, int, Cursor], Page]
