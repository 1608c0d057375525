"""Keeps two calls from creating one contact twice when a door finds contacts by address.

No unique index can do that: users may share an address, with each other and with a lead. So a call
locks its address until the commit before it looks for the contact. A second call with that address
waits, and then finds the contact that the first one made.
"""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import Select, Text, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.contacts.parameters import ORG_ID
from halo_engine.prepared import Call, Prepared
from halo_engine.series.locks import ADDRESS_LOCK
from halo_engine.work import Work


def holding_addresses(org_id: UUID, emails: Iterable[object]) -> list[Call]:
    """Return the call that locks these addresses until the transaction ends; none if all are None.

    It is a statement of its own, so the next one sees what was committed while this one waited. Two
    addresses with one hash wait for each other without need, and that is all.
    """
    addresses = [each for each in emails if each is not None]
    if not addresses:
        return []
    return [Call(_HOLD, {"work_org_id": org_id, "held_addresses": addresses})]


def hold_addresses(work: Work, emails: Iterable[object]) -> None:
    """Lock these addresses until the transaction ends: before looking contacts up by them."""
    for call in holding_addresses(work.org_id, emails):
        call.rows(work.connection)


def _hold() -> Select[tuple[int]]:
    address = func.unnest(bindparam("held_addresses", type_=ARRAY(Text()))).column_valued("address")
    key = func.hashtext(func.concat(cast(ORG_ID, Text), func.lower(address)))
    keys = select(key.label("key")).distinct().order_by("key").cte("keys")
    held = cast(func.pg_advisory_xact_lock(ADDRESS_LOCK, keys.c.key), Text)
    return select(func.count(held))


_HOLD: Final = Prepared(_hold())
