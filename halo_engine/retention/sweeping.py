"""Delete what is too old, page by page (contract §24).

A page is a transaction of its own, which holds the row of the organisation's histories: where two
ticks meet, one of them goes on to the next organisation. Once all histories were gone through, they
are looked at again the next day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Insert, Select, Update, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.times.retention import History
from halo_engine.retention.cuts import cut_of_pages
from halo_engine.retention.pages import PAGES
from halo_engine.retention.walking import Cursor
from halo_engine.sql.statements import statement
from halo_engine.tables import histories, organizations
from halo_engine.work import Work

#: So many rows are looked at in one transaction.
PAGE: Final = 5_000
#: How often the histories of an organisation are gone through.
_AGAIN: Final = timedelta(days=1)
#: So many organisations are looked at in a tick.
_AT_ONCE: Final = 500
_ORDER: Final = list(PAGES)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows of an organisation were deleted, and whether there is nothing more to do."""

    deleted: int
    is_done: bool


def organizations_to_sweep(connection: Connection, now: datetime | None) -> list[UUID]:
    """Return the organisations whose histories were not gone through for a day."""
    return list(connection.scalars(_find_orgs_to_sweep(now, _AT_ONCE)))


@statement("find_orgs_to_sweep")
def _find_orgs_to_sweep(now: datetime | None, limit: int) -> Select[Any]:
    at: Any = func.now() if now is None else now
    org, state = organizations, histories
    return (
        select(org.c.id)
        .select_from(org.outerjoin(state, state.c.org_id == org.c.id))
        .where(or_(state.c.next_at.is_(None), state.c.next_at <= at))
        .order_by(state.c.next_at.nulls_first(), org.c.id)
        .limit(limit)
    )


def sweep_page(work: Work, limit: int = PAGE) -> Swept:
    """Delete the next page of old rows of an organisation."""
    state = work.connection.execute(_hold_histories(work)).one_or_none()
    if state is None:
        work.connection.execute(_begin_histories(work))
        state = work.connection.execute(_hold_histories(work)).one_or_none()
    if state is None or state.next_at > work.now:
        return Swept(0, is_done=True)
    history, cursor = _place(state.cursor)
    while history is not None:
        cut = cut_of_pages(work, history)
        page = None if cut is None else PAGES[history](work, cut, limit, cursor)
        cursor = page.cursor if page else None
        deleted = page.deleted if page else 0
        place = (history, cursor) if cursor is not None else (_after(history), None)
        if deleted or cursor is not None:
            since = {history: cut} if deleted and cut else {}
            _keep(work, place, state.complete_since, since)
            return Swept(deleted, is_done=False)
        history, cursor = place
    _keep(work, (None, None), state.complete_since, {})
    return Swept(0, is_done=True)


def _place(stored: Mapping[str, Any] | None) -> tuple[History | None, Cursor]:
    """Return where the search goes on; at the beginning if it was elsewhere than is known."""
    if stored is None or stored["history"] not in _ORDER:
        return _ORDER[0], None
    return History(stored["history"]), stored["after"]


def _after(history: History) -> History | None:
    return next(iter(_ORDER[_ORDER.index(history) + 1 :]), None)


def _keep(
    work: Work,
    place: tuple[History | None, Cursor],
    complete_since: Mapping[str, str],
    cuts: Mapping[History, datetime],
) -> None:
    """Keep where the search goes on, and from when on histories are complete."""
    history, after = place
    since = dict(complete_since)
    for each, cut in cuts.items():
        known = since.get(each.value)
        if known is None or datetime.fromisoformat(known) < cut:
            since[each.value] = cut.isoformat()
    cursor = None if history is None else {"history": history.value, "after": after}
    next_at = work.now + _AGAIN if history is None else work.now
    work.connection.execute(_keep_histories(work, since, cursor, next_at))


@statement("hold_histories")
def _hold_histories(work: Work) -> Select[Any]:
    table = histories
    return (
        select(table.c.next_at, table.c.complete_since, table.c.cursor)
        .where(table.c.org_id == work.org_id)
        .with_for_update(skip_locked=True)
    )


@statement("begin_histories")
def _begin_histories(work: Work) -> Insert:
    begun = insert(histories).values(org_id=work.org_id, next_at=work.now)
    return begun.on_conflict_do_nothing()


@statement("keep_histories", complete_since={}, cursor=None)
def _keep_histories(
    work: Work,
    complete_since: Mapping[str, str],
    cursor: Mapping[str, Any] | None,
    next_at: datetime,
) -> Update:
    return (
        update(histories)
        .where(histories.c.org_id == work.org_id)
        .values(complete_since=complete_since, cursor=cursor, next_at=next_at)
    )
