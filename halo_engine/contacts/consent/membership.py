"""Put contacts on lists and take them off: what the statements of all doors share (§2, §16)."""

from typing import Any

from sqlalchemy import CTE, Column, Select, and_, delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.consent.lifting import lifting
from halo_engine.contacts.consent.list_order import leaves_too_late, noting, wanted_mail_since
from halo_engine.contacts.consent.pending import no_longer_pending
from halo_engine.contacts.consent.suppression import namesakes, suppress
from halo_engine.contacts.parameters import NOW, ORG_ID
from halo_engine.contacts.silent import tell, tell_of_lists
from halo_engine.domain.series.triggers import LIST_KEY, SUPPRESSION_KEY
from halo_engine.tables import former_members, subscription_members


def joining(found: CTE, sound: CTE, noted: CTE | None = None) -> Select[Any]:
    """Return the statement that puts each row of ``sound`` on its list, and selects ``found``.

    It lifts the unsubscription of the ``address``. ``sound`` has ``ordinal``, ``contact_id``,
    ``address`` and ``list_id``. ``noted`` are the rows whose order is noted, if they are others.
    """
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
        .returning(subscription_members.c.end_user_id, subscription_members.c.subscription_id)
        .cte("joined")
    )
    concerned = select(sound.c.ordinal, sound.c.contact_id).distinct().cte("concerned")
    return select(found).add_cte(
        joined,
        no_longer_pending(sound, leaves=False),
        *lifting(sound),
        noting(sound if noted is None else noted, joins=True),
        tell_of_lists(concerned, joined, LIST_KEY, SUPPRESSION_KEY),
    )


def leaving(found: CTE, *causes: Column[Any], silently: bool = False) -> Select[Any]:
    """Return the statement that unsubscribes each row from its list, or from everything.

    ``found`` has ``ordinal``, ``contact_id``, ``address``, ``list`` and ``list_id``; and for calls
    that may be late ``sent_at``, and what is noted of the contact. The addresses of contacts that
    leave everything are suppressed for ``causes``. ``silently``: nobody enters what names a list.
    """
    may_be_late = "sent_at" in found.c
    keys = LIST_KEY, SUPPRESSION_KEY
    goes = or_(found.c.list.is_(None), found.c.list_id.is_not(None))
    if may_be_late:
        goes = and_(goes, ~leaves_too_late(found, found.c.list_id))
    sound = select(found).where(goes).cte("sound")
    members = subscription_members
    leaves = or_(sound.c.list.is_(None), members.c.subscription_id == sound.c.list_id)
    everything = select(sound).where(sound.c.list.is_(None))
    if may_be_late:
        leaves = and_(leaves, ~leaves_too_late(sound, members.c.subscription_id))
        everything = everything.where(~wanted_mail_since(sound))
    left = (
        delete(members)
        .where(members.c.org_id == ORG_ID, members.c.end_user_id == sound.c.contact_id, leaves)
        .returning(members.c.end_user_id, members.c.subscription_id)
        .cte("left_lists")
    )
    left_all = everything.cte("everything")
    concerned = (
        select(sound.c.ordinal, sound.c.contact_id).union(namesakes(left_all)).cte("concerned")
    )
    return select(found).add_cte(
        left,
        _remembered(left),
        no_longer_pending(sound, leaves=True),
        suppress(left_all, *causes),
        noting(sound, joins=False),
        tell(concerned, *keys) if silently else tell_of_lists(concerned, left, *keys),
    )


def _remembered(left: CTE) -> CTE:
    """Note when members left which lists: they may want to join them again (contract §16)."""
    rows = select(ORG_ID, left.c.end_user_id, left.c.subscription_id, NOW).order_by(
        left.c.end_user_id, left.c.subscription_id
    )
    columns = ["org_id", "end_user_id", "subscription_id", "left_at"]
    noted = insert(former_members).from_select(columns, rows)
    return noted.on_conflict_do_update(
        index_elements=columns[:3], set_={"left_at": noted.excluded.left_at}
    ).cte("remembered")
