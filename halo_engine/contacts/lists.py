"""Who is on which list, and who wants no mail at all: subscribe and unsubscribe (contract §2)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    case,
    cast,
    delete,
    func,
    null,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.finding import Noted, named_contacts, only
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.contacts.silent import LIST_KEY, SUPPRESSION_KEY, tell
from halo_engine.contacts.suppression import namesakes, suppress
from halo_engine.domain.errors import Refusal, not_found
from halo_engine.tables import (
    end_users,
    messages,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.work import Work


class SubscribeCall(Call):
    """A contact, by ``user_id``, or by email where it has none, and the key of a list."""

    contact: Identifier
    list: Identifier


class UnsubscribeCall(Call):
    """A contact, and the key of the list that it leaves; without one it leaves everything."""

    contact: Identifier
    list: Identifier | None = None


def subscribe(work: Work, call: SubscribeCall) -> Noted:
    """Put a contact on a list; an unsubscription is lifted, nothing else is (contract §2, §3).

    Raises 404 for an unknown contact or list; nothing is written then.
    """
    return only(subscribe_all, work, call)


def unsubscribe(work: Work, call: UnsubscribeCall) -> Noted:
    """Take a contact off a list; or off every list, and suppress its address (contract §2, §3).

    Raises 404 for an unknown contact or list; nothing is written then.
    """
    return only(unsubscribe_all, work, call)


def leave_by_mail(work: Work, recipient_id: int, list_id: UUID | None) -> UUID | None:
    """Unsubscribe the contact of a mail from a list, or from everything (None); return its id.

    From everything means the address that the mail went to, and the one that the contact has now.
    If the mail is gone with its contact, nothing is written and None is returned.
    """
    list_ = None if list_id is None else str(list_id)
    given = [{"place": 0, "recipient_id": recipient_id, "list_id": list_}]
    left = work.connection.execute(_leaving_by_mail(), values_of(work, given)).first()
    return None if left is None else left.contact_id


def subscribe_all(work: Work, calls: Sequence[SubscribeCall]) -> list[Noted | Refusal]:
    """Subscribe a set, in one statement; an unknown name does not spoil the others."""
    return _run(work, _subscribing(), calls)


def unsubscribe_all(work: Work, calls: Sequence[UnsubscribeCall]) -> list[Noted | Refusal]:
    """Unsubscribe a set, in one statement; an unknown name does not spoil the others."""
    return _run(work, _unsubscribing(), calls)


def _run(
    work: Work, statement: Select[Any], calls: Sequence[SubscribeCall | UnsubscribeCall]
) -> list[Noted | Refusal]:
    given = [{"place": place, **call.model_dump()} for place, call in enumerate(calls)]
    found = {row.place: row for row in work.connection.execute(statement, values_of(work, given))}
    outcomes: list[Noted | Refusal] = []
    for place, call in enumerate(calls):
        if place not in found:
            outcomes.append(not_found("contact", call.contact))
        elif call.list is not None and found[place].list_id is None:
            outcomes.append(not_found("list", call.list))
        else:
            outcomes.append(Noted(id=found[place].contact_id))
    return outcomes


def _found() -> CTE:
    """Return the contacts found, each with its list's id, NULL for an unknown list and for none."""
    given = given_rows({"place": Integer(), "contact": Text(), "list": Text()})
    named = named_contacts(given)
    is_list = and_(subscriptions.c.org_id == ORG_ID, subscriptions.c.key == given.c.list)
    return (
        select(named, given.c.list, subscriptions.c.id.label("list_id"))
        .select_from(
            named.join(given, given.c.place == named.c.place).outerjoin(subscriptions, is_list)
        )
        .cte("found")
    )


@lru_cache(maxsize=1)
def _subscribing() -> Select[Any]:
    found = _found()
    sound = select(found).where(found.c.list_id.is_not(None)).cte("sound")
    rows = (
        select(ORG_ID, sound.c.contact_id, sound.c.list_id, NOW)
        .distinct()
        .order_by(sound.c.contact_id, sound.c.list_id)
    )
    columns = ["org_id", "end_user_id", "subscription_id", "subscribed_at"]
    joined = (
        insert(subscription_members)
        .from_select(columns, rows)
        .on_conflict_do_nothing()
        .cte("joined")
    )
    return select(found).add_cte(joined, *_lift(sound), tell(sound, LIST_KEY, SUPPRESSION_KEY))


def _lift(sound: FromClause) -> tuple[CTE, CTE]:
    """Lift the addresses' unsubscription; other causes stay, as they are once the row is locked."""
    table = suppressions
    others = func.coalesce(table.c.bounced_at, table.c.complained_at)
    held = (
        select(table.c.address, others.label("other"))
        .where(
            table.c.org_id == ORG_ID,
            table.c.address.in_(select(sound.c.address)),
            table.c.unsubscribed_at.is_not(None),
        )
        .order_by(table.c.address)
        .with_for_update()
        .cte("held")
    )
    is_held = and_(table.c.org_id == ORG_ID, table.c.address == held.c.address)
    gone = delete(table).where(is_held, held.c.other.is_(None))
    # Constraints are checked against the version in the snapshot, which may have no other cause
    # yet, before PostgreSQL turns to the one that was waited for.
    lifted = case((others.is_(None), table.c.unsubscribed_at), else_=null())
    kept = update(table).where(is_held, held.c.other.is_not(None))
    return gone.cte("gone"), kept.values(unsubscribed_at=lifted).cte("kept")


@lru_cache(maxsize=1)
def _unsubscribing() -> Select[Any]:
    return leaving(_found(), suppressions.c.unsubscribed_at)


@lru_cache(maxsize=1)
def _leaving_by_mail() -> Select[Any]:
    given = given_rows({"place": Integer(), "recipient_id": BigInteger(), "list_id": Uuid()})
    is_mail = and_(messages.c.org_id == ORG_ID, messages.c.recipient_id == given.c.recipient_id)
    is_contact = and_(end_users.c.org_id == ORG_ID, end_users.c.id == messages.c.end_user_id)
    addressed = [
        select(
            given.c.place,
            end_users.c.id.label("contact_id"),
            address.label("address"),
            cast(given.c.list_id, Text).label("list"),
            given.c.list_id,
        ).select_from(given.join(messages, is_mail).join(end_users, is_contact))
        for address in (end_users.c.address, func.lower(messages.c.to_address))
    ]
    return leaving(union(*addressed).cte("found"), suppressions.c.unsubscribed_at)


def leaving(found: CTE, *causes: Column[Any]) -> Select[Any]:
    """Return the statement that unsubscribes each row from its list, or from everything.

    ``found`` has ``place``, ``contact_id``, ``address``, ``list`` and ``list_id``. The addresses of
    contacts that leave everything are suppressed for ``causes``.
    """
    sound = (
        select(found).where(or_(found.c.list.is_(None), found.c.list_id.is_not(None))).cte("sound")
    )
    members = subscription_members
    left = (
        delete(members)
        .where(
            members.c.org_id == ORG_ID,
            members.c.end_user_id == sound.c.contact_id,
            or_(sound.c.list.is_(None), members.c.subscription_id == sound.c.list_id),
        )
        .cte("left_lists")
    )
    everything = select(sound).where(sound.c.list.is_(None)).cte("everything")
    concerned = (
        select(sound.c.place, sound.c.contact_id).union(namesakes(everything)).cte("concerned")
    )
    return select(found).add_cte(
        left,
        suppress(everything, *causes),
        tell(concerned, LIST_KEY, SUPPRESSION_KEY),
    )
