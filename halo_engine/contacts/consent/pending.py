"""Contacts that have yet to confirm a list, and the mails that ask them to (contract §16)."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Delete,
    FromClause,
    Select,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import distinct_on, insert

from halo_engine.contacts.consent.subscriptions import CONFIRMED_WITHIN
from halo_engine.contacts.parameters import NOW, ORG_ID
from halo_engine.sql.metadata import INSTANT
from halo_engine.sql.statements import statement
from halo_engine.tables import confirmations, end_users, organizations, pending_members
from halo_engine.work import Work

#: How long the log of these mails is kept.
KEPT_FOR: Final = timedelta(days=30)
_AT_ONCE: Final = 5_000


def asking(asked: FromClause) -> tuple[CTE, CTE]:
    """Make each row a pending member, and leave a mail to be sent: the CTEs to add to a statement.

    ``asked`` has ``contact_id``, ``address``, ``list_id`` and ``day``. One mail goes to an address
    for a list and a day: the others of that day confirm by it too.
    """
    pending, mails = pending_members, confirmations
    rows = (
        select(ORG_ID, asked.c.contact_id, asked.c.list_id, NOW)
        .distinct()
        .order_by(asked.c.contact_id, asked.c.list_id)
    )
    members = insert(pending).from_select(
        ["org_id", "end_user_id", "subscription_id", "asked_at"], rows
    )
    waiting = members.on_conflict_do_update(
        index_elements=["org_id", "end_user_id", "subscription_id"],
        set_={"asked_at": members.excluded.asked_at},
    )
    key = [asked.c.address, asked.c.list_id, asked.c.day]
    letters = (
        select(ORG_ID, asked.c.contact_id, *key, NOW, NOW)
        .ext(distinct_on(*key))
        .order_by(*key, asked.c.contact_id)
    )
    columns = ["org_id", "end_user_id", "address", "subscription_id", "day", "asked_at", "due_at"]
    mailed = insert(mails).from_select(columns, letters)
    # Nobody asked any more when its turn came; now somebody does.
    again = mailed.on_conflict_do_update(
        index_elements=["org_id", "address", "subscription_id", "day"],
        set_={
            name: mailed.excluded[name] for name in ("end_user_id", "asked_at", "due_at", "state")
        },
        where=mails.c.state == "dropped",
    )
    return waiting.cte("waiting"), again.cte("mailed")


def no_longer_pending(rows: FromClause, *, leaves: bool) -> CTE:
    """End what is pending of each row's list, or (it ``leaves``, without a list) of all lists."""
    pending = pending_members
    is_its = pending.c.subscription_id == rows.c.list_id
    if leaves:
        is_its = or_(rows.c.list.is_(None), is_its)
    return (
        delete(pending)
        .where(pending.c.org_id == ORG_ID, pending.c.end_user_id == rows.c.contact_id, is_its)
        .cte("no_longer_pending")
    )


def is_asked(mail: FromClause) -> ColumnElement[bool]:
    """Return whether somebody with the address of a ``confirmations`` row has yet to confirm."""
    pending, contact = pending_members, end_users
    return exists(
        select(pending.c.end_user_id)
        .join_from(pending, contact, is_of(contact, pending))
        .where(may_confirm(mail))
    )


def may_confirm(mail: FromClause) -> ColumnElement[bool]:
    """Return whether a pending contact may confirm by this mail: both are not too old, and the
    contact still has the address.
    """
    pending = pending_members
    return and_(
        pending.c.org_id == mail.c.org_id,
        pending.c.subscription_id == mail.c.subscription_id,
        pending.c.asked_at > NOW - literal(CONFIRMED_WITHIN),
        mail.c.asked_at > NOW - literal(CONFIRMED_WITHIN),
        end_users.c.address == mail.c.address,
    )


def is_of(contact: FromClause, pending: FromClause) -> ColumnElement[bool]:
    """Return whether a contact is that of a pending member."""
    return and_(contact.c.org_id == pending.c.org_id, contact.c.id == pending.c.end_user_id)


def organizations_to_sweep(connection: Connection, now: datetime | None) -> list[UUID]:
    """Return the organisations that have pending members, or mails, which are too old."""
    return list(connection.scalars(_find_orgs_with_old_pending(now)))


@statement("find_orgs_with_old_pending")
def _find_orgs_with_old_pending(now: datetime | None) -> Select[Any]:
    org, at = organizations, func.now() if now is None else literal(now, INSTANT)
    over = exists().where(
        pending_members.c.org_id == org.c.id, pending_members.c.asked_at <= at - CONFIRMED_WITHIN
    )
    # Ids are in the order of asking.
    first = (
        select(confirmations.c.asked_at)
        .where(confirmations.c.org_id == org.c.id)
        .order_by(confirmations.c.id)
        .limit(1)
        .scalar_subquery()
    )
    return select(org.c.id).where(org.c.asks_to_confirm, or_(over, first < at - KEPT_FOR))


def sweep_pending(work: Work) -> int:
    """Delete pending members who did not confirm in time, and old mails; return how many."""
    return sum(
        work.connection.execute(each).rowcount
        for each in (_sweep_pending(work), _sweep_confirmations(work, _AT_ONCE))
    )


@statement("sweep_pending_members")
def _sweep_pending(work: Work) -> Delete:
    return delete(pending_members).where(
        pending_members.c.org_id == work.org_id,
        pending_members.c.asked_at <= work.now - CONFIRMED_WITHIN,
    )


@statement("sweep_confirmations")
def _sweep_confirmations(work: Work, limit: int) -> Delete:
    table = confirmations
    old = (
        select(table.c.id)
        .where(table.c.org_id == work.org_id, table.c.asked_at < work.now - KEPT_FOR)
        .order_by(table.c.id)
        .limit(limit)
    )
    return delete(table).where(table.c.org_id == work.org_id, table.c.id.in_(old))
