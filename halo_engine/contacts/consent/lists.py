"""Subscribe contacts to lists; unsubscribe them from a list or from everything (contract §2)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Date,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    cast,
    exists,
    func,
    or_,
    select,
    union,
)

from halo_engine.contacts.calls import Call, Identifier, SentAt
from halo_engine.contacts.consent.list_order import NOTES, hold_contacts, joins_too_late
from halo_engine.contacts.consent.membership import joining, leaving
from halo_engine.contacts.consent.pending import asking
from halo_engine.contacts.finding import Noted, named_contacts, only
from halo_engine.contacts.parameters import ORG_ID, given_rows, values_of
from halo_engine.contacts.sending_order import sending_time
from halo_engine.domain.errors import Refusal, bad_input, not_found
from halo_engine.domain.times.instants import format_instant
from halo_engine.sql.metadata import INSTANT
from halo_engine.sql.prepared import Prepared, prepared
from halo_engine.tables import (
    end_users,
    mail_readers,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.work import Work


class SubscribeCall(Call):
    """A contact, by ``user_id``, or by email where it has none, and the key of a list.

    If a later call was about the same list or unsubscribed from everything, this one changes
    nothing (contract §2). ``confirmed`` says that the contact confirmed it elsewhere, where the
    list has double opt-in (§16).
    """

    contact: Identifier
    list: Identifier
    sent_at: SentAt = None
    confirmed: bool = False


class UnsubscribeCall(Call):
    """A contact, and the key of the list to leave; without a key it unsubscribes from everything.

    A list that a later call was about stays as it is (contract §2).
    """

    contact: Identifier
    list: Identifier | None = None
    sent_at: SentAt = None


class Subscribed(Noted):
    """The contact; ``pending`` if a mail asks it to confirm first."""

    pending: bool = False


def subscribe(work: Work, call: SubscribeCall) -> Subscribed:
    """Put a contact on a list; this lifts an unsubscription, but no other suppression (§2, §3).

    If the list has double opt-in, the contact is asked to confirm, and nothing else is done (§16).
    Raises 404 for an unknown contact or list, 400 for a contact without an address that would have
    to confirm; nothing is written then.
    """
    return only(subscribe_all, work, call)


def unsubscribe(work: Work, call: UnsubscribeCall) -> Noted:
    """Take a contact off a list; or off every list, and suppress its address (contract §2, §3).

    Raises 404 for an unknown contact or list; nothing is written then.
    """
    return only(unsubscribe_all, work, call)


def leave_by_mail(work: Work, recipient_id: int, *list_ids: UUID | None) -> UUID | None:
    """Unsubscribe the contact of a mail from lists, or from everything (None); return its id.

    From everything means the address that the mail went to, and the one that the contact has now.
    If the mail is gone with its contact, nothing is written and None is returned.
    """
    given = [
        {"ordinal": 0, "recipient_id": recipient_id, "list_id": list_id and str(list_id)}
        for list_id in list_ids
    ]
    left = _leaving_by_mail().rows(work.connection, values_of(work, given))
    return left[0]["contact_id"] if left else None


def subscribe_all(work: Work, calls: Sequence[SubscribeCall]) -> list[Subscribed | Refusal]:
    """Subscribe a set, in one statement; an unknown name is refused alone."""
    if any(call.sent_at is not None for call in calls):
        hold_contacts(work, [call.contact for call in calls])
    outcomes: list[Subscribed | Refusal] = []
    for row in _run(work, _subscribing(), calls):
        if isinstance(row, Refusal):
            outcomes.append(row)
        elif row["asks"] and row["address"] is None:
            problem = "has no email to confirm at; allowed is a contact that has one"
            outcomes.append(bad_input("contact", problem, "no_email"))
        else:
            outcomes.append(Subscribed(id=row["contact_id"], pending=row["asks"]))
    return outcomes


def unsubscribe_all(work: Work, calls: Sequence[UnsubscribeCall]) -> list[Noted | Refusal]:
    """Unsubscribe a set, in one statement; an unknown name is refused alone."""
    # The statement then sees the lists that were joined by a call that came first.
    hold_contacts(work, [call.contact for call in calls])
    return [
        row if isinstance(row, Refusal) else Noted(id=row["contact_id"])
        for row in _run(work, _unsubscribing(), calls)
    ]


def _run(
    work: Work, statement: Prepared, calls: Sequence[SubscribeCall | UnsubscribeCall]
) -> list[dict[str, Any] | Refusal]:
    """Return the row of each call, or why there is none."""
    given = []
    day = work.now.astimezone(work.org.zone).date().isoformat()
    for ordinal, call in enumerate(calls):
        sent_at = sending_time(work.org, call.sent_at)
        dated = {"sent_at": format_instant(sent_at) if sent_at else None, "day": day}
        given.append({"ordinal": ordinal, **call.model_dump(), **dated})
    rows = statement.rows(work.connection, values_of(work, given))
    found = {row["ordinal"]: row for row in rows}
    outcomes: list[dict[str, Any] | Refusal] = []
    for ordinal, call in enumerate(calls):
        if ordinal not in found:
            outcomes.append(not_found("contact", call.contact))
        elif call.list is not None and found[ordinal]["list_id"] is None:
            outcomes.append(not_found("list", call.list))
        else:
            outcomes.append(found[ordinal])
    return outcomes


def _found() -> CTE:
    """Return the contacts found, each with its list's id, NULL for an unknown list and for none."""
    given = given_rows(
        {
            "ordinal": Integer(),
            "contact": Text(),
            "list": Text(),
            "sent_at": INSTANT,
            "confirmed": Boolean(),
            "day": Date(),
        }
    )
    named = named_contacts(given)
    is_list = and_(subscriptions.c.org_id == ORG_ID, subscriptions.c.key == given.c.list)
    is_contact = and_(end_users.c.org_id == ORG_ID, end_users.c.id == named.c.contact_id)
    is_member = exists().where(
        subscription_members.c.org_id == ORG_ID,
        subscription_members.c.end_user_id == named.c.contact_id,
        subscription_members.c.subscription_id == subscriptions.c.id,
    )
    asks = and_(subscriptions.c.double_opt_in, given.c.confirmed.is_not(True), ~is_member)
    return (
        select(
            named,
            given.c.list,
            given.c.sent_at,
            given.c.day,
            func.coalesce(asks, False).label("asks"),
            subscriptions.c.id.label("list_id"),
            *[end_users.c[name] for name in NOTES],
        )
        .select_from(
            named.join(given, given.c.ordinal == named.c.ordinal)
            .join(end_users, is_contact)
            .outerjoin(subscriptions, is_list)
        )
        .cte("found")
    )


@prepared("subscribe")
def _subscribing() -> Select[Any]:
    found = _found()
    sound = (
        select(found)
        .where(
            found.c.list_id.is_not(None),
            or_(~found.c.asks, found.c.address.is_not(None)),
            ~joins_too_late(found),
        )
        .cte("sound")
    )
    joins = select(sound).where(~sound.c.asks).cte("joins")
    asked = select(sound).where(sound.c.asks).cte("asked")
    return joining(found, joins, noted=sound).add_cte(*asking(asked))


@prepared("unsubscribe")
def _unsubscribing() -> Select[Any]:
    return leaving(_found(), suppressions.c.unsubscribed_at)


@prepared("unsubscribe_by_mail")
def _leaving_by_mail() -> Select[Any]:
    given = given_rows({"ordinal": Integer(), "recipient_id": BigInteger(), "list_id": Uuid()})
    is_mail = and_(
        mail_readers.c.org_id == ORG_ID, mail_readers.c.recipient_id == given.c.recipient_id
    )
    is_contact = and_(end_users.c.org_id == ORG_ID, end_users.c.id == mail_readers.c.end_user_id)
    addressed = [
        select(
            given.c.ordinal,
            end_users.c.id.label("contact_id"),
            address.label("address"),
            cast(given.c.list_id, Text).label("list"),
            given.c.list_id,
        ).select_from(given.join(mail_readers, is_mail).join(end_users, is_contact))
        for address in (end_users.c.address, func.lower(mail_readers.c.to_address))
    ]
    return leaving(union(*addressed).cte("found"), suppressions.c.unsubscribed_at)
