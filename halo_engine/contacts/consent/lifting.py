"""Lift what suppresses addresses, as contacts ask for mail again (contract §3, §16)."""

from sqlalchemy import CTE, FromClause, and_, case, delete, func, null, or_, select, update

from halo_engine.contacts.parameters import ORG_ID
from halo_engine.series.noting import note_namesakes
from halo_engine.tables import suppressions


def lifting(sound: FromClause, *, complaints: bool = False) -> tuple[CTE, ...]:
    """Lift the unsubscription of each ``address``, and with ``complaints`` these: the CTEs to add
    to a statement.

    Other causes stay, also those committed meanwhile.
    """
    table = suppressions
    causes = [table.c.unsubscribed_at, *([table.c.complained_at] if complaints else ())]
    rest = [table.c.bounced_at, *(() if complaints else [table.c.complained_at])]
    others = func.coalesce(*rest, null())
    held = (
        select(table.c.address, others.label("other"))
        .where(
            table.c.org_id == ORG_ID,
            table.c.address.in_(select(sound.c.address)),
            or_(*[cause.is_not(None) for cause in causes]),
        )
        .order_by(table.c.address)
        .with_for_update()
        .cte("held")
    )
    is_held = and_(table.c.org_id == ORG_ID, table.c.address == held.c.address)
    gone = delete(table).where(is_held, held.c.other.is_(None)).returning(table.c.address)
    # PostgreSQL checks constraints against the row in the snapshot, which may have no other cause
    # yet, before it goes on to the version that it waited for.
    lifted = {cause.name: case((others.is_(None), cause), else_=null()) for cause in causes}
    kept = update(table).where(is_held, held.c.other.is_not(None))
    lifted_all = gone.cte("gone")
    noted = note_namesakes(ORG_ID, select(lifted_all.c.address))
    return lifted_all, kept.values(lifted).cte("kept"), noted
