"""Which seats of companies, and which addresses, are taken after a save (guards 10 and 11, §18)."""

from typing import Any

from sqlalchemy import FromClause, Select, and_, func, or_, select

from halo_engine.domain.series.definition import Series
from halo_engine.series.rebase import address_at_entry
from halo_engine.tables import automation_enrollments, end_users
from halo_engine.work import Work


def taken_companies(found: FromClause) -> Select[Any]:
    """Return the companies whose seat is taken after the save: somebody stays, or nobody contends
    for it, so that whoever leaves does not leave at once.
    """
    stays = func.bool_or(found.c.exit_reason.is_(None))
    return (
        select(found.c.company_id)
        .where(found.c.company_id.is_not(None))
        .group_by(found.c.company_id)
        .having(stays | (func.count() == 1))
    )


def taken_addresses(
    work: Work, series: Series, found: FromClause, gives_seats: bool
) -> Select[Any]:
    """Return the addresses that are taken after the save: of everybody who does not leave at once,
    which only those do who contend for a seat that it gives.
    """
    runs, contact = automation_enrollments, end_users
    crowd = func.count().over(partition_by=found.c.company_id)
    alone = or_(found.c.company_id.is_(None), crowd == 1)
    placed = select(
        found.c.end_user_id, or_(found.c.exit_reason.is_(None), alone).label("stays")
    ).subquery("placed")
    is_its = and_(contact.c.org_id == runs.c.org_id, contact.c.id == runs.c.end_user_id)
    source: FromClause = runs.join(contact, is_its)
    if gives_seats:
        source = source.join(
            placed, and_(placed.c.end_user_id == runs.c.end_user_id, placed.c.stays)
        )
    return (
        select(address_at_entry(runs, contact))
        .select_from(source)
        .where(
            runs.c.org_id == work.org_id,
            runs.c.automation_id == series.id,
            runs.c.ended_at.is_(None),
        )
    )
