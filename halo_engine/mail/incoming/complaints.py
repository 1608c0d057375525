"""Complaints: somebody called a mail spam, and gets no more (contract §2, §3)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Text, Uuid, and_, cast, null, select

from halo_engine.contacts.consent.membership import leaving
from halo_engine.contacts.consent.suppression import ComplaintCall, found_addresses, noted_addresses
from halo_engine.contacts.finding import Noted, only
from halo_engine.contacts.parameters import ORG_ID
from halo_engine.domain.errors import Refusal
from halo_engine.sql.prepared import prepared
from halo_engine.tables import end_users, suppressions
from halo_engine.work import Work


def complain(work: Work, call: ComplaintCall) -> Noted:
    """Unsubscribe a contact from everything, and store that it complained.

    Subscribing again does not lift a complaint. A complaint about a mail suppresses the address it
    was sent to, and the one that the contact has now. Raises 404 for an unknown contact or mail,
    400 for a contact without an address.
    """
    return only(_complain_all, work, call)


def _complain_all(work: Work, calls: Sequence[ComplaintCall]) -> list[Noted | Refusal]:
    return noted_addresses(work, _complaining(), calls)


@prepared("suppress_complaining")
def _complaining() -> Select[Any]:
    named = found_addresses()
    is_contact = and_(end_users.c.org_id == ORG_ID, end_users.c.id == named.c.contact_id)
    now_has = select(named.c.ordinal, named.c.contact_id, end_users.c.address).select_from(
        named.join(end_users, is_contact)
    )
    both = select(named).union(now_has.where(end_users.c.address.is_not(None))).cte("both")
    everything = select(
        both, cast(null(), Text).label("list"), cast(null(), Uuid).label("list_id")
    ).cte("leaving")
    return leaving(everything, suppressions.c.unsubscribed_at, suppressions.c.complained_at)
