"""The statement that finds the contacts that Stripe's customers may be (contract §2)."""

from typing import Any, Final

from sqlalchemy import (
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    func,
    literal,
    select,
    true,
    union_all,
)

from halo_engine.contacts.parameters import ORG_ID, given_rows
from halo_engine.contacts.stripe.customer_contacts import KEPT
from halo_engine.contacts.writing.found import first_of
from halo_engine.contacts.writing.locks import locked_contacts
from halo_engine.sql.prepared import prepared
from halo_engine.tables import end_users

#: Says in ``found_by`` that a contact was found by its address.
BY_ADDRESS: Final = "address"
_READ: Final = ("id", "external_id", "source", "address", "created_at", *KEPT)


@prepared("match_customers")
def match_customers() -> Select[Any]:
    """Return the statement that finds, for each customer, up to three contacts, and locks them."""
    given = given_rows(
        {"ordinal": Integer(), "customer": Text(), "external_id": Text(), "email": Text()}
    )
    address = func.lower(given.c.email)
    candidates = union_all(
        *[
            _candidates(given, column, value)
            for column, value in (
                ("stripe_customer_id", given.c.customer),
                ("external_id", given.c.external_id),
                (BY_ADDRESS, address),
            )
        ]
    ).cte("candidates")
    ids = select(candidates.c.id).distinct().subquery("ids")
    locked = locked_contacts(ids, _READ)
    return (
        select(
            given.c.ordinal,
            address.label("given_address"),
            candidates.c.found_by,
            *[locked.c[name] for name in _READ],
        )
        .select_from(
            given.outerjoin(candidates, candidates.c.ordinal == given.c.ordinal).outerjoin(
                locked, locked.c.id == candidates.c.id
            )
        )
        .order_by(given.c.ordinal)
    )


def _candidates(given: FromClause, column: str, value: Any) -> Select[Any]:
    contact = end_users.alias(f"by_{column}")
    first = first_of(
        select(contact.c.id)
        .where(and_(contact.c.org_id == ORG_ID, contact.c[column] == value))
        .order_by(contact.c.created_at, contact.c.id)
    )
    return select(
        given.c.ordinal, first.c.id, literal(column, Text()).label("found_by")
    ).select_from(given.join(first, true()))
