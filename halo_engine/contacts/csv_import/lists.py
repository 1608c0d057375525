"""Lists that the rows of a CSV file join and leave, and opt-outs (contract §2, CSV import).

Two statements for a page write what changes, silently. An import puts no contact on a list that has
unsubscribed from everything: only the contact itself can lift that.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CTE, Integer, Select, Text, Uuid, and_, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.consent.membership import leaving
from halo_engine.contacts.consent.pending import no_longer_pending
from halo_engine.contacts.csv_import.page import ListChanges
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.contacts.silent import tell
from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.series.triggers import LIST_KEY
from halo_engine.sql.prepared import Prepared, prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users, subscription_members, subscriptions, suppressions
from halo_engine.work import Work

OPTED_OUT: Final = "lists: who has unsubscribed from everything is put on none"

_MOST_LISTS_NAMED: Final = 20


@dataclass(slots=True)
class _Wishes:
    """The result of all rows of a contact: the last row decides on each list; opt-outs stay."""

    lists: dict[tuple[UUID, str], bool] = field(default_factory=dict)
    none: dict[UUID, None] = field(default_factory=dict)

    def add(self, contact_id: UUID, changes: ListChanges) -> None:
        """Add the contact's next row."""
        if changes.opts_out:
            self.none[contact_id] = None
        self.lists |= {(contact_id, key): True for key in changes.joins}
        self.lists |= {(contact_id, key): False for key in changes.leaves}

    def joins(self) -> list[tuple[UUID, str | None]]:
        """Return the contacts that join a list, each with its key."""
        wished = (each for each, joins in self.lists.items() if joins)
        return [(contact, key) for contact, key in wished if contact not in self.none]

    def leaves(self) -> list[tuple[UUID, str | None]]:
        """Return the contacts that leave a list, each with its key, or leave everything (None)."""
        left: list[tuple[UUID, str | None]] = [(contact, None) for contact in self.none]
        return left + [each for each, joins in self.lists.items() if not joins]


def check_lists(work: Work, keys: Collection[str]) -> None:
    """Raise a 400 for a key in a mapping that no list has."""
    if not keys:
        return
    found = list(work.connection.scalars(_read_list_keys(work)))
    for key in keys:
        if key not in found:
            named = ", ".join(found[:_MOST_LISTS_NAMED]) or "none yet (halo list create KEY)"
            problem = f"there is no list {shown(key)}; allowed are {named}"
            raise bad_input("mapping", problem, "bad_mapping")


@statement("read_list_keys")
def _read_list_keys(work: Work) -> Select[Any]:
    table = subscriptions
    return select(table.c.key).where(table.c.org_id == work.org_id).order_by(table.c.key)


def change_lists(work: Work, changes: Iterable[tuple[UUID, ListChanges]]) -> list[str]:
    """Write the changes of lists, in the order of the rows; return warnings."""
    wishes = _Wishes()
    for contact_id, each in changes:
        wishes.add(contact_id, each)
    _run(work, _leaving(), wishes.leaves())
    joins = wishes.joins()
    kept_out = _run(work, _joining(), joins)
    return [OPTED_OUT] if kept_out else []


def _run(work: Work, statement: Prepared, wished: list[tuple[UUID, str | None]]) -> int:
    if not wished:
        return 0
    given = [
        {"ordinal": ordinal, "contact_id": str(contact_id), "list": key}
        for ordinal, (contact_id, key) in enumerate(wished)
    ]
    return len(statement.rows(work.connection, values_of(work, given)))


def _given_contacts() -> Select[Any]:
    """Return the given rows with addresses and lists' ids, as ``lists.leaving`` needs them."""
    given = given_rows({"ordinal": Integer(), "contact_id": Uuid(), "list": Text()})
    is_contact = and_(end_users.c.org_id == ORG_ID, end_users.c.id == given.c.contact_id)
    is_list = and_(subscriptions.c.org_id == ORG_ID, subscriptions.c.key == given.c.list)
    return select(given, end_users.c.address, subscriptions.c.id.label("list_id")).select_from(
        given.join(end_users, is_contact).outerjoin(subscriptions, is_list)
    )


def _is_unsubscribed(address: Any) -> Any:
    table = suppressions
    return exists().where(
        table.c.org_id == ORG_ID, table.c.address == address, table.c.unsubscribed_at.is_not(None)
    )


@prepared("unsubscribe_imported")
def _leaving() -> Select[Any]:
    """Return the statement that unsubscribes contacts, leaving out those it would not change."""
    named = _given_contacts().cte("named_rows")
    members = subscription_members
    is_member = exists().where(
        members.c.org_id == ORG_ID,
        members.c.end_user_id == named.c.contact_id,
        or_(named.c.list.is_(None), members.c.subscription_id == named.c.list_id),
    )
    still_gets_mail = and_(named.c.list.is_(None), ~_is_unsubscribed(named.c.address))
    changes = select(named).where(or_(is_member, still_gets_mail)).cte("found")
    return leaving(changes, suppressions.c.unsubscribed_at, silently=True)


@prepared("subscribe_imported")
def _joining() -> Select[Any]:
    """Return the statement that adds contacts to lists; its rows are those that it keeps out."""
    found = _given_contacts().cte("found")
    is_kept_out = func.coalesce(_is_unsubscribed(found.c.address), False)
    joined_rows = select(found).where(~is_kept_out).cte("joined_rows")
    joined = _joined(joined_rows)
    marked = select(
        literal(0).label("ordinal"), joined.c.end_user_id.label("contact_id")
    ).distinct()
    return (
        select(found.c.ordinal)
        .where(is_kept_out)
        .add_cte(
            no_longer_pending(joined_rows, leaves=False),
            tell(marked.cte("concerned"), LIST_KEY),
        )
    )


def _joined(found: CTE) -> CTE:
    rows = (
        select(ORG_ID, found.c.contact_id, found.c.list_id, NOW)
        .where(found.c.list_id.is_not(None))
        .order_by(found.c.contact_id, found.c.list_id)
    )
    columns = ["org_id", "end_user_id", "subscription_id", "subscribed_at"]
    joining = insert(subscription_members).from_select(columns, rows).on_conflict_do_nothing()
    return joining.returning(subscription_members.c.end_user_id).cte("joined")
