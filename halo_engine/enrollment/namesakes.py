"""Contacts with one address: of a series that is one per address one is in it at a time (§23).

A run keeps the address that its contact had at entry, whatever becomes of the contact's.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, Text, and_, case, cast, func, select
from sqlalchemy.sql.selectable import LateralFromClause

from halo_engine.enrollment.candidates import Candidates, Entrants
from halo_engine.series.locks import ENTRY_LOCK
from halo_engine.sql.cache import StatementCache
from halo_engine.sql.parameters import parameter
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, end_users
from halo_engine.work import Work

#: How many locks the addresses of an organisation share. A page has more addresses than PostgreSQL
#: has room for locks.
_LOCKS: Final = 64
#: Keyed by the shape of the candidates.
_KEPT: Final = StatementCache()


def held_address(pairs: FromClause) -> ColumnElement[str | None]:
    """Return the address that a pair's contact enters with, if its series counts addresses."""
    return case((pairs.c.one_per_address, func.nullif(pairs.c.address, "")))


def kept_address(verdicts: FromClause) -> Sequence[ColumnElement[Any]]:
    """Return what a new run keeps: the address, empty if there is none, and whether it counts."""
    address: ColumnElement[str] = func.coalesce(verdicts.c.address, "")
    return address.label("address"), verdicts.c.held_address.is_not(None).label("holds_address")


def namesake_of(
    org_id: UUID, pairs: FromClause, address: ColumnElement[str | None], *, ever: bool
) -> LateralFromClause:
    """Return the earliest active run of another contact that holds the address in the pair's
    series.

    ``ever``: ended runs count too. In an activation they began with it, since a series is activated
    once.
    """
    runs = automation_enrollments.alias("namesakes")
    found = (
        select(runs.c.end_user_id, runs.c.number, runs.c.created_at)
        .where(
            _holds_address(runs, org_id, pairs.c.automation_id, address),
            runs.c.end_user_id != pairs.c.end_user_id,
        )
        .order_by(runs.c.created_at, runs.c.id)
        .limit(1)
    )
    return (found if ever else found.where(runs.c.ended_at.is_(None))).lateral("namesake")


def _holds_address(
    runs: FromClause,
    org_id: UUID,
    automation_id: ColumnElement[UUID],
    address: ColumnElement[str | None],
) -> ColumnElement[bool]:
    """Return whether a row of ``runs`` is a run that began with the address, of a series that is
    one per address; found by the address' index, as a seat is.
    """
    return and_(
        runs.c.org_id == org_id,
        runs.c.address == address,
        runs.c.holds_address,
        runs.c.automation_id.is_not_distinct_from(automation_id),
    )


def hold_addresses(work: Work, candidates: Entrants) -> None:
    """Lock the candidates' addresses until the transaction ends, in order.

    It is a statement of its own, so that the next one sees who entered while this one waited.
    """
    statement = _KEPT.get(candidates.shape, lambda: _holding(candidates), size=1)
    statement.rows(work.connection, {**candidates.values, "org_id": work.org_id})


@statement("lock_addresses_at_entry")
def _holding(candidates: Candidates) -> Select[Any]:
    contact = end_users
    asked = candidates.among(contact, contact).where(contact.c.org_id == parameter("org_id"))
    found = asked.with_only_columns(contact.c.address, contact.c.org_id).subquery("found")
    named = func.concat(cast(found.c.org_id, Text), found.c.address)
    key = func.abs(func.hashtext(named) % _LOCKS).label("key")
    keys = select(key).where(found.c.address.is_not(None)).distinct().order_by("key").cte("keys")
    return select(func.count(cast(func.pg_advisory_xact_lock(ENTRY_LOCK, keys.c.key), Text)))
