"""Keep two calls from creating the same contact twice, if their source finds by address.

No unique index can do that: users may share an address, with each other and with a lead. So a call
locks its address until the commit before it looks for the contact. A second call with that address
waits, and then finds the contact that the first one made.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Select, Text, Uuid, cast, func, select

from halo_engine.contacts.parameters import given_rows
from halo_engine.series.locks import ADDRESS_LOCK
from halo_engine.sql.prepared import BoundStatement, prepared
from halo_engine.work import Work


def holding_addresses(emails: Iterable[tuple[UUID, object]]) -> list[BoundStatement]:
    """Return the statement that locks these addresses, each of an organisation, until the
    transaction ends; none if all are None.

    It is a statement of its own, so that the next one sees what was committed while this one
    waited. Two addresses with the same hash merely wait for each other.
    """
    given = [
        {"org_id": str(org_id), "address": address}
        for org_id, address in emails
        if address is not None
    ]
    return [BoundStatement(_holding(), {"given_rows": given})] if given else []


def hold_addresses(work: Work, emails: Iterable[object]) -> None:
    """Lock these addresses until the transaction ends: before looking contacts up by them."""
    for call in holding_addresses((work.org_id, each) for each in emails):
        call.rows(work.connection)


@prepared("lock_addresses")
def _holding() -> Select[tuple[int]]:
    given = given_rows({"org_id": Uuid(), "address": Text()})
    key = func.hashtext(func.concat(cast(given.c.org_id, Text), func.lower(given.c.address)))
    keys = select(key.label("key")).distinct().order_by("key").cte("keys")
    held = cast(func.pg_advisory_xact_lock(ADDRESS_LOCK, keys.c.key), Text)
    return select(func.count(held))
