"""Confirming a list: whoever reads the mail to an address joins with it (contract §16)."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    CTE,
    BigInteger,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    select,
)

from halo_engine.contacts.consent.membership import joining
from halo_engine.contacts.consent.pending import is_asked, is_of, may_confirm
from halo_engine.contacts.consent.subscriptions import CONFIRMED_WITHIN
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.sql.prepared import prepared
from halo_engine.tables import (
    confirmations,
    end_users,
    pending_members,
    subscription_members,
    subscriptions,
)
from halo_engine.work import Work

_GIVEN: Final = {"ordinal": Integer(), "confirmation_id": BigInteger()}


def confirm_lists(work: Work, confirmation_id: int) -> None:
    """Put whoever waits for this confirmation on its list; series react (contract §2).

    Those are the pending members of the list that have the mail's address now. Nothing is written
    if nobody waits: it was confirmed before, they left, or it is too late.
    """
    given = values_of(work, [{"ordinal": 0, "confirmation_id": confirmation_id}])
    # The second statement sees who unsubscribed before.
    for each in (_holding(), _confirming()):
        each.rows(work.connection, given)


@prepared("hold_confirming")
def _holding() -> Select[Any]:
    given = given_rows(_GIVEN)
    return (
        select(end_users.c.id)
        .select_from(_waiting(given))
        .where(may_confirm(confirmations))
        .order_by(end_users.c.id)
        .with_for_update(of=end_users)
    )


@prepared("confirm_list")
def _confirming() -> Select[Any]:
    given = given_rows(_GIVEN)
    found = (
        select(
            given.c.ordinal,
            end_users.c.id.label("contact_id"),
            end_users.c.address,
            cast(confirmations.c.subscription_id, Text).label("list"),
            confirmations.c.subscription_id.label("list_id"),
        )
        .select_from(_waiting(given))
        .where(may_confirm(confirmations))
        .cte("found")
    )
    return joining(found, found)


def _waiting(given: CTE) -> FromClause:
    mail, pending = confirmations, pending_members
    is_list = and_(
        pending.c.org_id == mail.c.org_id, pending.c.subscription_id == mail.c.subscription_id
    )
    return (
        given.join(mail, _is_given(given))
        .join(pending, is_list)
        .join(end_users, is_of(end_users, pending))
    )


def _is_given(given: CTE) -> Any:
    return and_(confirmations.c.org_id == ORG_ID, confirmations.c.id == given.c.confirmation_id)


def read_confirmation(work: Work, confirmation_id: int) -> Mapping[str, Any] | None:
    """Return the ``list`` (its key), ``name``, ``description`` and ``address`` of a confirmation,
    whether somebody ``waits`` for it, and whether it is ``confirmed``; None if it is gone.
    """
    given = values_of(work, [{"ordinal": 0, "confirmation_id": confirmation_id}])
    rows = _reading().rows(work.connection, given)
    return rows[0] if rows else None


@prepared("read_confirmation")
def _reading() -> Select[Any]:
    given = given_rows(_GIVEN)
    mail, lists, members = confirmations, subscriptions, subscription_members
    is_list = and_(lists.c.org_id == mail.c.org_id, lists.c.id == mail.c.subscription_id)
    is_on_it = exists(
        select(literal(1))
        .join_from(end_users, members, is_of(end_users, members))
        .where(
            end_users.c.org_id == mail.c.org_id,
            end_users.c.address == mail.c.address,
            members.c.subscription_id == mail.c.subscription_id,
            mail.c.asked_at > NOW - literal(CONFIRMED_WITHIN),
        )
    )
    return select(
        lists.c.key.label("list"),
        func.coalesce(lists.c.name, lists.c.key).label("name"),
        lists.c.description,
        mail.c.address,
        is_asked(mail).label("waits"),
        is_on_it.label("confirmed"),
    ).select_from(given.join(mail, _is_given(given)).join(lists, is_list))
