"""Two who create a contact with one address at one moment, where a door looks for it by address.

No unique index can refuse them: users may share an address, and a lead and a user differ in kind.
So whoever creates such a contact holds its address until the commit, and looks again when it does:
the second of the two then sees the first, loses the race, and finds that contact the next time.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Uuid,
    all_,
    any_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.contacts.doors import Finds
from halo_engine.contacts.parameters import ORG_ID
from halo_engine.database import LostRace
from halo_engine.prepared import Prepared
from halo_engine.series.locks import ADDRESS_LOCK
from halo_engine.tables import end_users
from halo_engine.work import Work

_CREATED: ColumnElement[Any] = bindparam("created", type_=ARRAY(Uuid()))


def hold_addresses(addresses: Select[Any]) -> ColumnElement[int]:
    """Hold each address until the transaction ends; the value says how many there were.

    ``addresses`` has one column, ``address``. Those whose hashes meet merely wait.
    """
    key = func.hashtext(func.concat(cast(ORG_ID, Text), addresses.subquery().c.address))
    keys = select(key.label("key")).distinct().order_by("key").cte("address_keys")
    held = select(
        cast(func.pg_advisory_xact_lock(ADDRESS_LOCK, keys.c.key), Text).label("nothing")
    ).cte("held_addresses")
    return select(func.count(held.c.nothing)).scalar_subquery()


def refuse_doubles(work: Work, finds: Finds, created: Collection[UUID]) -> None:
    """Lose the race if the door would have found somebody else for a contact of ``created``.

    Their addresses are held. Raises ``LostRace``: the transaction is run again.
    """
    values = {"work_org_id": work.org_id, "created": list(created)}
    if created and _DOUBLES[finds].rows(work.connection, values):
        raise LostRace


def _doubles(*, of_leads: bool) -> Select[Any]:
    new, other = end_users.alias("new"), end_users.alias("other")
    found = (
        select(other.c.id)
        .select_from(
            new.join(other, (other.c.org_id == new.c.org_id) & (other.c.address == new.c.address))
        )
        .where(new.c.org_id == ORG_ID, new.c.id == any_(_CREATED), other.c.id != all_(_CREATED))
        .limit(1)
    )
    return found.where(other.c.external_id.is_(None)) if of_leads else found


_DOUBLES: Final[Mapping[Finds, Prepared]] = {
    Finds.EXTERNAL_ID_ELSE_LEAD: Prepared(_doubles(of_leads=True)),
    Finds.EXTERNAL_ID_ELSE_ADDRESS: Prepared(_doubles(of_leads=False)),
}
#: How doors find contacts that look for them by address.
BY_ADDRESS: Final = frozenset(_DOUBLES)
