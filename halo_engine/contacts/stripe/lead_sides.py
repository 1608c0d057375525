"""Of a series that both a lead and its user were in, one side's runs stay (decision 20)."""

from collections.abc import Sequence
from typing import Final, TypeAlias
from uuid import UUID

from sqlalchemy import CTE, Delete, FromClause, Uuid, delete, func, select, union_all, update

from halo_engine.sql.parameters import PARAMETERS
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, messages
from halo_engine.work import Work

#: Leads, each with the user that it turned out to be.
Pairs: TypeAlias = Sequence[tuple[UUID, UUID]]
SAMPLE: Final[Pairs] = [(PARAMETERS["lead_id"].sample, PARAMETERS["contact_id"].sample)]


def both(pairs: Pairs) -> FromClause:
    """Return ``lead`` and ``user`` of each pair as rows."""
    return rows_of(
        "pair",
        {
            "lead": (Uuid(), [lead for lead, _ in pairs]),
            "user": (Uuid(), [user for _, user in pairs]),
        },
    )


@statement("keep_one_side_of_lead", pairs=SAMPLE)
def keep_one_side(work: Work, pairs: Pairs) -> Delete:
    """Of a series that both were in, keep one side's runs, so that nobody gets it twice.

    The side that is in the series now keeps its runs; if both are, the one that entered first; if
    neither is, the one whose latest run is later. The other side's mails become mails of the run
    that stays.
    """
    sides = _sides(work, both(pairs))
    first = sides.alias("first")
    runs, mails = automation_enrollments, messages
    other = sides.c.rank > 1
    counted = (
        update(mails)
        .where(
            mails.c.org_id == work.org_id,
            mails.c.end_user_id == sides.c.end_user_id,
            mails.c.automation_id == sides.c.automation_id,
            other,
            first.c.rank == 1,
            first.c.owner == sides.c.owner,
            first.c.automation_id == sides.c.automation_id,
        )
        .values(end_user_id=sides.c.owner, enrollment_number=first.c.latest)
        .returning(mails.c.recipient_id)
        .cte("counted")
    )
    return (
        delete(runs)
        .where(
            runs.c.org_id == work.org_id,
            runs.c.end_user_id == sides.c.end_user_id,
            runs.c.automation_id == sides.c.automation_id,
            other,
        )
        .add_cte(counted)
    )


def _sides(work: Work, pair: FromClause) -> CTE:
    """Return the two sides' runs in each series; the side with ``rank`` 1 stays."""
    runs = automation_enrollments
    members = union_all(
        select(pair.c.user.label("owner"), pair.c.lead.label("member")),
        select(pair.c.user, pair.c.user),
    ).cte("members")
    is_active = func.bool_or(runs.c.ended_at.is_(None))
    entered = func.min(runs.c.created_at).filter(runs.c.ended_at.is_(None))
    rank = func.row_number().over(
        partition_by=(members.c.owner, runs.c.automation_id),
        order_by=(is_active.desc(), entered, func.max(runs.c.created_at).desc()),
    )
    return (
        select(
            members.c.owner,
            runs.c.end_user_id,
            runs.c.automation_id,
            func.max(runs.c.number).label("latest"),
            rank.label("rank"),
        )
        .where(runs.c.org_id == work.org_id, runs.c.end_user_id == members.c.member)
        .group_by(members.c.owner, runs.c.end_user_id, runs.c.automation_id)
        .cte("sides")
    )
