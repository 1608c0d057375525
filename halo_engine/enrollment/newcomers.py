"""Find who newly matches a series, by a statement that only reads: PostgreSQL can run it in
parallel (contract §4).

Few enter in a pass over everybody. A statement that writes never runs in parallel, so it gets only
those few, and judges them again.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Select,
    or_,
    select,
    true,
)

from halo_engine.audience.everybody import Everybody
from halo_engine.audience.matching import audience, matches
from halo_engine.audience.moments import ANY_MOMENT
from halo_engine.domain.series.definition import Series
from halo_engine.enrollment.candidates import matched_pairs
from halo_engine.enrollment.guards import latest_run, refused_by_history
from halo_engine.enrollment.pages import ContactCursor, ContactRange, is_in_page
from halo_engine.sql.cache import StatementCache
from halo_engine.sql.parameters import parameter
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users
from halo_engine.work import Work

_IN_PAGE: Final = is_in_page(end_users)
#: Keyed by organisation and series.
_KEPT: Final = StatementCache()


def newcomers(
    work: Work, series: Sequence[Series], page: ContactRange, limit: int
) -> list[ContactCursor]:
    """Return the contacts of ``page`` who match a series and whom their history lets enter it, at
    most ``limit``, in order of creation.

    The other guards are not checked: some of these contacts are refused later.
    """
    statement = _KEPT.get(
        (work.org_id, page.kind, tuple(series)),
        lambda: _statement(work.org_id, series, page),
        size=len(series),
    )
    asked = {"org_id": work.org_id, "entered_at": work.now, "limit": limit, **page.values()}
    return [
        ContactCursor(row["created_at"], row["end_user_id"])
        for row in statement.rows(work.connection, asked, work.moment)
    ]


@statement("find_newcomers")
def _statement(org_id: UUID, series: Sequence[Series], page: ContactRange) -> Select[Any]:
    filters = [item for each in series for group in each.audience_filters for item in group]
    within = _IN_PAGE if page.noted_for is None else page.holds(end_users)
    everybody = Everybody([item.target for item in filters], also=("created_at",), within=within)
    contact = everybody.subject.contact
    audiences = [
        (n, audience(each, everybody.subject, ANY_MOMENT)) for n, each in enumerate(series)
    ]
    held = [holds for _, holds in audiences]
    scanned = (
        select(
            contact.c.id.label("end_user_id"),
            contact.c.created_at,
            matches(audiences).label("audiences"),
        )
        .select_from(everybody.scan(held))
        .where(or_(*held))
        .cte("scanned")
        .prefix_with("MATERIALIZED")
    )
    entered_at = parameter("entered_at").label("entered_at")
    pairs = matched_pairs(scanned, series).add_columns(entered_at).cte("pairs")
    latest = latest_run(org_id, pairs)
    refuses = refused_by_history(org_id, series, pairs, latest)
    return (
        select(pairs.c.created_at, pairs.c.end_user_id)
        .select_from(pairs.outerjoin(latest, true()))
        .where(or_(*refuses).is_not(true()))
        .distinct()
        .order_by(pairs.c.created_at, pairs.c.end_user_id)
        .limit(parameter("limit"))
    )
