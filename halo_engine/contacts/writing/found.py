"""Find and lock the contacts that people are, for the statement that writes them (§2)."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    Select,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.selectable import LateralFromClause
from sqlalchemy.types import TypeEngine

from halo_engine.contacts.parameters import (
    NOW,
    given_rows,
)
from halo_engine.contacts.writing.sources import BY_ADDRESS, Finds, Source
from halo_engine.sql.versions import row_version
from halo_engine.tables import end_users, organizations

#: What is given of a person's organisation as it is known.
_KNOWN: Final[Mapping[str, TypeEngine[Any]]] = {
    "org_id": Uuid(),
    "org_version": BigInteger(),
    "proven_until": Double(),
}


def given_people(*, as_known: bool) -> CTE:
    """Return the people as they were passed (``people.as_json``).

    With ``as_known`` those whose organisation is still as it is known, and whose proof holds.
    """
    return given_rows(
        {
            **(_KNOWN if as_known else {}),
            "ordinal": Integer(),
            "contact_id": Uuid(),
            "external_id": Text(),
            "signed_up_at": DateTime(timezone=True),
            "columns": JSONB(),
            "custom_fields": JSONB(),
            "context": JSONB(),
            "field_types": JSONB(),
            "fields": Text(),
            "sent_at": DateTime(timezone=True),
        },
        only=_is_as_known if as_known else None,
    )


def _is_as_known(given: TableValuedAlias) -> ColumnElement[bool]:
    is_known = row_version(organizations) == given.c.org_version
    is_proven = func.extract("epoch", NOW) < given.c.proven_until
    return and_(
        exists().where(organizations.c.id == given.c.org_id, is_known),
        or_(given.c.proven_until.is_(None), is_proven),
    )


def _matched(source: Source, given: CTE, org_id: ColumnElement[UUID]) -> CTE:
    """Return each person's contact, in order of id; with ``address`` if it was found by that."""
    known = end_users.alias("known")
    key = (
        known.c.id == given.c.contact_id
        if source.finds is Finds.ID
        else known.c.external_id == given.c.external_id
    )
    found = first_of(
        select(known.c.id, null().label("address")).where(known.c.org_id == org_id, key)
    )
    if source.finds in (Finds.ID, Finds.EXTERNAL_ID):
        return (
            select(given.c.ordinal, org_id.label("org_id"), found.c.id, found.c.address)
            .select_from(given.join(found, true()))
            .order_by(found.c.id)
            .cte("matched")
        )
    first = _first_of_address(source, given, org_id, is_unknown=found.c.id.is_(None))
    contact_id = func.coalesce(found.c.id, first.c.id)
    return (
        select(given.c.ordinal, org_id.label("org_id"), contact_id.label("id"), first.c.address)
        .select_from(given.outerjoin(found, true()).outerjoin(first, true()))
        .where(contact_id.is_not(None))
        .order_by(contact_id)
        .cte("matched")
    )


def _first_of_address(
    source: Source,
    given: CTE,
    org_id: ColumnElement[UUID],
    *,
    is_unknown: ColumnElement[bool],
) -> LateralFromClause:
    namesake = end_users.alias("namesake")
    found = select(namesake.c.id, namesake.c.address).where(
        is_unknown,
        namesake.c.org_id == org_id,
        namesake.c.address == func.lower(given.c.columns[constant("email")].astext),
    )
    if source.finds is Finds.EXTERNAL_ID_ELSE_LEAD:
        found = found.where(namesake.c.external_id.is_(None))
    return first_of(found.order_by(namesake.c.created_at, namesake.c.id))


def first_of(found: Select[Any]) -> LateralFromClause:
    """Return the first row found, for each row of the join.

    Each is an index look-up of its own, so that no plan made for a small table reads all of it.
    """
    return found.limit(literal_column("1", Integer)).lateral()


def locked_before(source: Source, given: CTE, org_id: ColumnElement[UUID]) -> CTE:
    """Lock the contacts found, in order of id, and read their latest version as whole rows.

    A contact may change while this waits for its lock: the lead is promoted, or gets another
    address. The row of a contact found by address is null then.
    """
    matched = _matched(source, given, org_id)
    contact = end_users.alias("contact")
    is_still_it = contact.c.address == matched.c.address
    if source.finds is Finds.EXTERNAL_ID_ELSE_LEAD:
        is_still_it = and_(is_still_it, contact.c.external_id.is_(None))
    locked = (
        select(contact.table_valued().label("stored"))
        .where(
            contact.c.org_id == matched.c.org_id,
            contact.c.id == matched.c.id,
            or_(matched.c.address.is_(None), is_still_it),
        )
        .with_for_update()
        .lateral("locked")
    )
    return (
        select(matched.c.ordinal, locked.c.stored)
        .select_from(matched.join(locked, true(), isouter=source.finds in BY_ADDRESS))
        .cte("before")
    )


def part(row: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    """Return a column of ``row``, which is a contact's whole row carried as one value."""
    return literal_column(f"({row}).{name}", end_users.c[name].type)


def constant(text: str) -> ColumnElement[str]:
    """Return a name as a literal in the statement: one of ours, never a caller's."""
    return literal_column(f"'{text}'", Text)
