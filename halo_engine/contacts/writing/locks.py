"""Lock contacts in the order of their ids, so that two sets do not deadlock."""

from collections.abc import Iterable

from sqlalchemy import CTE, FromClause, select, true

from halo_engine.contacts.parameters import ORG_ID
from halo_engine.tables import end_users


def locked_contacts(ids: FromClause, columns: Iterable[str]) -> CTE:
    """Return the contacts whose ids are in ``ids`` (column ``id``), locked, with these columns."""
    ids_in_order = select(ids).order_by(ids.c.id).subquery("ids_in_order")
    stored = end_users.alias("stored")
    lock = (
        select(*[stored.c[name] for name in columns])
        .where(stored.c.org_id == ORG_ID, stored.c.id == ids_in_order.c.id)
        .with_for_update()
        .lateral("lock")
    )
    return select(lock).select_from(ids_in_order.join(lock, true())).cte("locked")
