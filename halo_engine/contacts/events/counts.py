"""How often each event fired for each contact, kept while events are written (contract §3)."""

from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    and_,
    case,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import Insert, aggregate_order_by, insert

from halo_engine.tables import event_counts


def count_events(org_id: ColumnElement[UUID], happened: FromClause) -> CTE:
    """Count events into ``event_counts``: the CTE to add to the statement that wrote them.

    ``happened`` has a row for each event: ``id``, ``end_user_id``, ``name``, ``happened_at``,
    ``live``; anonymous ones are passed over. Rows are taken in order of contact and name, so that
    two batches do not deadlock.
    """
    latest_first = (happened.c.happened_at.desc(), happened.c.id.desc())
    fired = (
        select(
            org_id,
            happened.c.end_user_id,
            happened.c.name,
            func.count(),
            func.min(happened.c.happened_at),
            func.max(happened.c.happened_at),
            _first_live(happened, happened.c.happened_at, latest_first),
            _first_live(happened, happened.c.id, latest_first),
        )
        .where(happened.c.end_user_id.is_not(None))
        .group_by(happened.c.end_user_id, happened.c.name)
        .order_by(happened.c.end_user_id, happened.c.name)
    )
    table = event_counts
    new = insert(table).from_select([column.name for column in table.c], fired)
    return adding_up(new).returning(table.c.end_user_id).cte("counted")


def adding_up(new: Insert) -> Insert:
    """Make the INSERT of counts add to rows that exist already."""
    table = event_counts
    is_later = and_(
        new.excluded.live_at.is_not(None),
        or_(
            table.c.live_at.is_(None),
            tuple_(new.excluded.live_at, new.excluded.live_id)
            > tuple_(table.c.live_at, table.c.live_id),
        ),
    )
    return new.on_conflict_do_update(
        index_elements=[table.c.org_id, table.c.end_user_id, table.c.name],
        set_={
            "count": table.c.count + new.excluded.count,
            "first_at": func.least(table.c.first_at, new.excluded.first_at),
            "last_at": func.greatest(table.c.last_at, new.excluded.last_at),
            "live_at": case((is_later, new.excluded.live_at), else_=table.c.live_at),
            "live_id": case((is_later, new.excluded.live_id), else_=table.c.live_id),
        },
    )


def _first_live(
    happened: FromClause,
    column: ColumnElement[object],
    order: tuple[ColumnElement[object], ...],
) -> ColumnElement[object]:
    """Return the column's value in the first live row of a group; NULL when none is live."""
    return func.array_agg(aggregate_order_by(column, *order)).filter(happened.c.live)[1]
