"""Read from an error that an organisation lives in another cell now, or may.

Once an organisation has moved, its old cell refuses each of its writes with SQLSTATE ``HM001``,
whose DETAIL is the name of the cell where it lives. Whoever meets that does the call again there.
It is no outage, and no fault of the call's.
"""

from typing import Final

from sqlalchemy.exc import DBAPIError

from halo_engine.database import MovedAway, moved_away
from halo_engine.domain.errors import Refusal

_UNKNOWN: Final = frozenset({"unknown_organisation", "unknown_widget_key"})


def is_unknown(outcome: object, *more: str) -> bool:
    """Return whether a call was refused since its organisation is not known here: another cell may
    know it. ``more`` are codes that may mean the same.
    """
    return isinstance(outcome, Refusal) and outcome.code in _UNKNOWN.union(more)


def moved_to(error: BaseException) -> str | None:
    """Return the cell where the organisation lives now, from an error or what caused it; None for
    any other error.
    """
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, MovedAway):
            return found.cell
        if isinstance(found, DBAPIError) and (moved := moved_away(found)) is not None:
            return moved.cell
        found = found.__cause__ or found.__context__
    return None
