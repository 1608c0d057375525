"""Order of sending at lists: a late call changes no list that a later call was about (decision 27).

The contact's ``field_times`` notes the lists that a call was about, and whether the contact wants
mail at all: subscribing says yes, unsubscribing from everything says no.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    case,
    cast,
    distinct,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.contacts.finding import named_contacts
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.contacts.sending_order import SendingOrder, written_now
from halo_engine.sql.prepared import prepared
from halo_engine.tables import end_users
from halo_engine.work import Work

_LISTS: Final = "lists"
_MAIL: Final = "mail"
_WANTED: Final = "wanted"
_LEFT: Final = "left"
_NONE: Final = literal_column("'[]'::jsonb", JSONB())

#: The contact's columns that calls are compared with.
NOTES: Final = ("field_times", "updated_at")


def hold_contacts(work: Work, names: Sequence[str]) -> None:
    """Lock the contacts named until the commit.

    Calls with a known sending time lock first, so that the next statement sees the notes of every
    earlier call.
    """
    rows = [{"ordinal": ordinal, "contact": name} for ordinal, name in enumerate(names)]
    _holding().rows(work.connection, values_of(work, rows))


@prepared("hold_contacts")
def _holding() -> Select[Any]:
    given = given_rows({"ordinal": Integer(), "contact": Text()})
    named = named_contacts(given)
    return (
        select(end_users.c.id)
        .where(end_users.c.org_id == ORG_ID, end_users.c.id.in_(select(named.c.contact_id)))
        .order_by(end_users.c.id)
        .with_for_update()
    )


def joins_too_late(call: FromClause) -> ColumnElement[bool]:
    """Return whether a later call was about the list, or unsubscribed from everything.

    ``call`` has ``sent_at``, ``list_id``, and what is noted of the contact (``NOTES``). If the
    notes do not reach back that far, the call counts as late: better no mail than mail to somebody
    who left.
    """
    order = _order(call)
    return or_(
        order.gives_way(_LISTS, cast(call.c.list_id, Text), has_value=true()),
        order.gives_way(_MAIL, _LEFT, has_value=true()),
    )


def leaves_too_late(call: FromClause, list_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether a later call was about this list, or unsubscribed from everything."""
    order = _order(call)
    return or_(
        order.gives_way(_LISTS, cast(list_id, Text), has_value=false()),
        order.gives_way(_MAIL, _LEFT, has_value=false()),
    )


def wanted_mail_since(call: FromClause) -> ColumnElement[bool]:
    """Return whether a later call put the contact on any list."""
    since: ColumnElement[bool] = _order(call).gives_way(_MAIL, _WANTED, has_value=false())
    return since


def noting(calls: FromClause, *, joins: bool) -> CTE:
    """Note of each contact which lists ``calls`` were about, and when they were sent.

    ``calls`` has ``contact_id``, and ``list_id``: NULL for unsubscribing from everything. A call
    that only ``asks`` to confirm does not say yet that the contact wants mail.
    """
    sent_at = calls.c.get("sent_at", null())
    lists = func.jsonb_agg(distinct(calls.c.list_id)).filter(calls.c.list_id.is_not(None))
    mail: ColumnElement[Any] = func.jsonb_build_array(_WANTED)
    if joins and "asks" in calls.c:
        mail = case((func.bool_and(calls.c.asks), _NONE), else_=mail)
    if not joins:
        left = func.jsonb_build_array(_LEFT)
        mail = case((func.bool_or(calls.c.list_id.is_(None)), left), else_=_NONE)
    about = func.jsonb_build_object(_LISTS, func.coalesce(lists, _NONE), _MAIL, mail)
    said = (
        select(
            calls.c.contact_id,
            cast(about, Text).label("about"),
            func.max(func.coalesce(sent_at, NOW)).label("sent_at"),
        )
        .group_by(calls.c.contact_id)
        .cte("said")
    )
    order = SendingOrder(said.c.sent_at, end_users.c.field_times, end_users.c.updated_at)
    return (
        update(end_users)
        .where(end_users.c.org_id == ORG_ID, end_users.c.id == said.c.contact_id)
        .values(
            field_times=order.noting(said.c.about),
            updated_at=written_now(end_users.c.updated_at),
        )
        .cte("noting")
    )


def _order(call: FromClause) -> SendingOrder:
    return SendingOrder(call.c.sent_at, call.c.field_times, call.c.updated_at)
