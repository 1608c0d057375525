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

from halo_engine.contacts.doors import BY_ADDRESS, Finds
from halo_engine.contacts.parameters import ORG_ID
from halo_engine.contacts.people import Person
from halo_engine.prepared import Call, Prepared
from halo_engine.series.locks import ADDRESS_LOCK


def holding_addresses(org_id: UUID, finds: Finds, people: Iterable[Person]) -> list[Call]:
    """Return the call that holds the people's addresses until the transaction ends, if any is to be
    held.

    A statement of its own: the next one sees what was committed while this one waited. Addresses
    whose hashes meet merely wait.
    """
    addresses = [email for each in people if (email := each.columns.get("email")) is not None]
    if finds not in BY_ADDRESS or not addresses:
        return []
    return [Call(_HOLD, {"work_org_id": org_id, "held_addresses": addresses})]


def _hold() -> Select[tuple[int]]:
    address = func.unnest(bindparam("held_addresses", type_=ARRAY(Text()))).column_valued("address")
    key = func.hashtext(func.concat(cast(ORG_ID, Text), func.lower(address)))
    keys = select(key.label("key")).distinct().order_by("key").cte("keys")
    held = cast(func.pg_advisory_xact_lock(ADDRESS_LOCK, keys.c.key), Text)
    return select(func.count(held))


_HOLD: Final = Prepared(_hold())
