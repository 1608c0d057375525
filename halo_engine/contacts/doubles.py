"""Two who create a contact with one address at one moment, where a door looks for it by address.

No unique index can refuse them: users may share an address, and a lead and a user differ in kind.
So whoever comes to such a door with an address holds it until the commit, and looks for the contact
only then: the second of the two waits, and finds whom the first one made.
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
    """Return the call that holds these addresses until the transaction ends; none if all of them
    are None.

    A statement of its own: the next one sees what was committed while this one waited. Addresses
    whose hashes meet merely wait.
    """
    addresses = [each for each in emails if each is not None]
    if not addresses:
        return []
    return [Call(_HOLD, {"work_org_id": org_id, "held_addresses": addresses})]


def hold_addresses(work: Work, emails: Iterable[object]) -> None:
    """Hold these addresses until the transaction ends: before contacts are looked for by them."""
    for call in holding_addresses(work.org_id, emails):
        call.rows(work.connection)


def _hold() -> Select[tuple[int]]:
    address = func.unnest(bindparam("held_addresses", type_=ARRAY(Text()))).column_valued("address")
    key = func.hashtext(func.concat(cast(ORG_ID, Text), func.lower(address)))
    keys = select(key.label("key")).distinct().order_by("key").cte("keys")
    held = cast(func.pg_advisory_xact_lock(ADDRESS_LOCK, keys.c.key), Text)
    return select(func.count(held))


_HOLD: Final = Prepared(_hold())
