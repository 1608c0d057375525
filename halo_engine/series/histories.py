"""From when on an organisation's histories are complete: older rows were deleted (§24)."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Select, select

from halo_engine.domain.times.retention import History
from halo_engine.sql.statements import statement
from halo_engine.tables import histories
from halo_engine.work import Work


def complete_since(work: Work, *asked: History) -> datetime | None:
    """Return the instant from which on all of the ``asked`` histories are there; None if nothing
    of them was ever deleted for its age.
    """
    since = all_complete_since(work)
    return max((since[each] for each in asked if each in since), default=None)


def all_complete_since(work: Work) -> Mapping[History, datetime]:
    """Return the same of each history of which something was deleted."""
    stored = work.connection.scalar(_read_complete_since(work)) or {}
    return {each: datetime.fromisoformat(stored[each]) for each in History if each in stored}


@statement("read_complete_since")
def _read_complete_since(work: Work) -> Select[dict[str, str]]:
    return select(histories.c.complete_since).where(histories.c.org_id == work.org_id)
