"""Which months of events may go as a whole, for all organisations at once (contract §24)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Select, select

from halo_engine.domain.times.retention import KEPT, History, parsed_keeps
from halo_engine.retention.cuts import cut_of
from halo_engine.retention.months import Month, Months, months_of, organizations_in
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations
from halo_engine.work import Transact


def drop_old_months(
    database: Engine, now: datetime, transact: Callable[[UUID], Transact]
) -> list[str]:
    """Drop the oldest months of which nobody keeps anything any more; return their names.

    Where somebody does, the events of the others are deleted page by page (``sweeping``), and the
    months after that stay too: there is never a gap between months.
    """
    with database.connect() as connection:
        latest = now - KEPT[History.EVENTS].least
        old = [month for month in months_of(connection) if month.upper <= latest]
        cuts = _cuts(connection, now) if old else {}
    dropped = []
    for month in old:
        holders = _holders(database, month, cuts)
        if holders is None or any(
            (cut := transact(org_id)(lambda work: cut_of(work, History.EVENTS))) is None
            or cut < month.upper
            for org_id in holders
        ):
            break
        if not Months(database).drop(month, holders):
            break
        dropped.append(month.name)
    return dropped


def _holders(
    database: Engine, month: Month, cuts: Mapping[UUID, datetime | None]
) -> set[UUID] | None:
    """Return who has events in the month; None if somebody does who keeps them longer."""
    longer = [org_id for org_id, cut in cuts.items() if cut is None or cut < month.upper]
    with database.connect() as connection:
        if longer and organizations_in(connection, month, longer):
            return None
        return organizations_in(connection, month, list(cuts))


def _cuts(connection: Connection, now: datetime) -> Mapping[UUID, datetime | None]:
    """Return for each organisation from when on it keeps events; None is for good."""
    found = {}
    for row in connection.execute(_read_keeps()):
        kept = parsed_keeps(row.keeps)[History.EVENTS]
        found[row.id] = None if kept is None else now - kept
    return found


@statement("read_keeps")
def _read_keeps() -> Select[Any]:
    return select(organizations.c.id, organizations.c.keeps)
