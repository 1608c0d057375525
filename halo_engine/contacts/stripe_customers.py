"""Whose contact a Stripe customer is, and which of its subscriptions counts (contract §2).

A set is looked up in one statement, decided here as if each came alone, and written in another. See
``docs/decisions/0008-stripe.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    FromClause,
    Integer,
    Row,
    Select,
    Text,
    and_,
    func,
    literal,
    select,
    true,
    union_all,
)

from halo_engine.contacts.absorption import absorb_leads
from halo_engine.contacts.doors import STRIPE_COLUMNS, STRIPE_LINKS, STRIPE_OBJECTS
from halo_engine.contacts.doubles import hold_addresses
from halo_engine.contacts.merge import first_of
from halo_engine.contacts.parameters import ORG_ID, given_rows, values_of
from halo_engine.contacts.people import Person
from halo_engine.contacts.upsert import Written, write_contacts
from halo_engine.database import LostRace
from halo_engine.domain.errors import Refusal, not_found
from halo_engine.domain.traits import ColumnValue
from halo_engine.tables import end_users
from halo_engine.work import Work

#: Statuses of subscriptions that nothing more will come of.
_OVER: Final = frozenset({"canceled", "incomplete_expired"})
_STATUS: Final = "stripe_subscription_status"
_ADDRESS: Final = "address"
_KEPT: Final = (*STRIPE_COLUMNS, *STRIPE_LINKS)
_READ: Final = ("id", "external_id", "source", "address", "created_at", *_KEPT)


@dataclass(frozen=True, slots=True)
class Told:
    """What Stripe said of a customer, and when; of a subscription, if it was about one."""

    customer: str
    user_id: str | None
    email: str | None
    said_at: datetime
    subscription: str | None = None
    columns: Mapping[str, ColumnValue] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Contact:
    """A contact that customers were matched to; ``said`` are the columns to write.

    ``kept`` is what is stored of its subscription, with ``said`` laid over. If the contact was made
    by Stripe and ``lacks_address``, it gets the customer's.
    """

    external_id: str | None
    created: tuple[datetime, int | UUID]
    kept: dict[str, Any]
    lacks_address: bool
    id: UUID | None = None
    said: dict[str, ColumnValue] = field(default_factory=dict)

    def take(self, told: Told) -> None:
        """Note the customer, if it is new, and the subscription, if it counts.

        A subscription that the application wrote itself gives way to anything that Stripe says.
        """
        if self.kept["stripe_customer_id"] is None:
            self._note({"stripe_customer_id": told.customer})
        if self.lacks_address and told.email is not None:
            self._note({"email": told.email})
            self.lacks_address = False
        if told.subscription is not None and self._counts(told):
            self._note(told.columns)
            self._note({"stripe_subscription_id": told.subscription})
            self._note({"stripe_said_at": told.said_at})

    def told(self) -> Told:
        """Return what is kept of its customer, as Stripe told it."""
        email = self.said.get("email")
        return Told(
            customer=self.kept["stripe_customer_id"],
            user_id=None,
            email=email if isinstance(email, str) else None,
            said_at=self.kept["stripe_said_at"],
            subscription=self.kept["stripe_subscription_id"],
            columns={name: self.kept[name] for name in STRIPE_COLUMNS},
        )

    def _note(self, columns: Mapping[str, ColumnValue]) -> None:
        self.said |= columns
        self.kept |= columns

    def _counts(self, told: Told) -> bool:
        said_at = self.kept["stripe_said_at"]
        is_latest = said_at is None or told.said_at >= said_at
        if self.kept["stripe_subscription_id"] in (None, told.subscription):
            return is_latest
        was_over = self.kept[_STATUS] in _OVER
        if told.columns.get(_STATUS) in _OVER:
            return was_over and is_latest
        return was_over or is_latest


def write_customers(work: Work, all_told: Sequence[Told]) -> list[Written | Refusal]:
    """Write what Stripe told, in that order, in three statements; the outcomes are in it too.

    An unknown customer with a user ID or an email becomes a contact; without either it is a 404. A
    customer's lead becomes the user that Stripe names, or is merged into it if it is known.
    """
    hold_addresses(work, (each.email for each in all_told))
    roll = _Roll(work, all_told)
    absorb_leads(work, roll.user_of)
    people = [Person(each.external_id, each.said, contact_id=each.id) for each in roll.contacts]
    written = write_contacts(work, STRIPE_OBJECTS, people) if people else []
    by_contact = dict(zip(roll.contacts, written, strict=True))
    return [each if isinstance(each, Refusal) else by_contact[each] for each in roll.taken]


class _Roll:
    """The contacts that customers are matched to, in the order in which they are named first."""

    def __init__(self, work: Work, all_told: Sequence[Told]) -> None:
        self._work = work
        self._by_customer: dict[str, _Contact] = {}
        self._by_external_id: dict[str, _Contact] = {}
        self._by_address: dict[str, list[_Contact]] = {}
        self._absorbed: dict[_Contact, _Contact] = {}
        #: In order; a dict finds them faster than a list.
        self.contacts: dict[_Contact, None] = {}
        addresses = self._look_up(all_told)
        taken = [
            self._take(told, address) for told, address in zip(all_told, addresses, strict=True)
        ]
        self.taken = [
            each if isinstance(each, Refusal) else self._absorbed.get(each, each) for each in taken
        ]

    @property
    def user_of(self) -> Mapping[UUID, UUID]:
        """Return the stored leads to merge, each with its user."""
        return {lead.id: user.id for lead, user in self._absorbed.items() if lead.id and user.id}

    def _look_up(self, all_told: Sequence[Told]) -> list[str | None]:
        """Lock the contacts that may match; return the addresses. May raise ``LostRace``."""
        given = [
            {
                "place": place,
                "customer": each.customer,
                "external_id": each.user_id,
                "email": each.email,
            }
            for place, each in enumerate(all_told)
        ]
        addresses: dict[int, str | None] = {}
        known: dict[UUID, tuple[str | None, _Contact]] = {}
        for row in self._work.connection.execute(_lookup(), values_of(self._work, given)):
            addresses[row.place] = row.given_address
            if row.found_by == _ADDRESS and row.address != row.given_address:
                # It was deleted or changed while this waited for it: another one may match.
                raise LostRace
            if row.id is not None and row.id not in known:
                known[row.id] = (row.address, _stored(row))
        for address, contact in known.values():
            self._enter(contact, address)
        return [addresses[place] for place in range(len(all_told))]

    def _take(self, told: Told, address: str | None) -> _Contact | Refusal:
        contact = self._find(told, address)
        if contact is None:
            if told.user_id is None and told.email is None:
                return not_found("contact", told.customer)
            contact = self._new(told)
            self._enter(contact, address)
        contact = self._identified(contact, told.user_id)
        self.contacts.setdefault(contact)
        contact.take(told)
        self._by_customer.setdefault(told.customer, contact)
        return contact

    def _find(self, told: Told, address: str | None) -> _Contact | None:
        known = self._by_customer.get(told.customer) or self._by_external_id.get(told.user_id or "")
        if known is not None:
            return known
        namesakes = self._by_address.get(address or "", ())
        # Users may share an address: another one is not the user that Stripe names.
        found = [each for each in namesakes if not (told.user_id and each.external_id)]
        return min(found, key=_in_order_of_creation, default=None)

    def _identified(self, contact: _Contact, user_id: str | None) -> _Contact:
        """Return the user that a lead turns out to be: itself, or one that is known already."""
        if user_id is None or contact.external_id is not None:
            return contact
        user = self._by_external_id.get(user_id)
        if user is None:
            contact.external_id = user_id
            self._by_external_id[user_id] = contact
            return contact
        self._absorb(contact, user)
        return user

    def _absorb(self, lead: _Contact, user: _Contact) -> None:
        self.contacts.pop(lead, None)
        self._absorbed[lead] = user
        user.take(lead.told())
        for contacts in (self._by_customer, self._by_external_id):
            contacts |= {key: user for key, each in contacts.items() if each is lead}
        for namesakes in self._by_address.values():
            namesakes[:] = [each for each in namesakes if each is not lead]

    def _new(self, told: Told) -> _Contact:
        created = (self._work.now, len(self.contacts))
        return _Contact(told.user_id, created, dict.fromkeys(_KEPT), lacks_address=True)

    def _enter(self, contact: _Contact, address: str | None) -> None:
        customer = contact.kept["stripe_customer_id"]
        if customer is not None:
            self._by_customer[customer] = contact
        if contact.external_id is not None:
            self._by_external_id[contact.external_id] = contact
        if address is not None:
            self._by_address.setdefault(address, []).append(contact)


def _stored(row: Row[Any]) -> _Contact:
    return _Contact(
        row.external_id,
        (row.created_at, row.id),
        {name: getattr(row, name) for name in _KEPT},
        lacks_address=row.address is None and row.source == STRIPE_OBJECTS.source,
        id=row.id,
    )


def _in_order_of_creation(contact: _Contact) -> tuple[datetime, bool, Any]:
    """Contacts that are stored come before those that are yet to be made."""
    created_at, place = contact.created
    return created_at, contact.id is None, place


@lru_cache(maxsize=1)
def _lookup() -> Select[Any]:
    """Return the statement that finds, for each customer, up to three contacts, and locks them."""
    given = given_rows(
        {"place": Integer(), "customer": Text(), "external_id": Text(), "email": Text()}
    )
    address = func.lower(given.c.email)
    candidates = union_all(
        *[
            _candidates(given, column, value)
            for column, value in (
                ("stripe_customer_id", given.c.customer),
                ("external_id", given.c.external_id),
                (_ADDRESS, address),
            )
        ]
    ).cte("candidates")
    ids = select(candidates.c.id).distinct().subquery("ids")
    ids_in_order = select(ids).order_by(ids.c.id).subquery("ids_in_order")
    stored = end_users.alias("stored")
    lock = (
        select(*[stored.c[name] for name in _READ])
        .where(stored.c.org_id == ORG_ID, stored.c.id == ids_in_order.c.id)
        .with_for_update()
        .lateral("lock")
    )
    locked = select(lock).select_from(ids_in_order.join(lock, true())).cte("locked")
    return (
        select(
            given.c.place,
            address.label("given_address"),
            candidates.c.found_by,
            *[locked.c[name] for name in _READ],
        )
        .select_from(
            given.outerjoin(candidates, candidates.c.place == given.c.place).outerjoin(
                locked, locked.c.id == candidates.c.id
            )
        )
        .order_by(given.c.place)
    )


def _candidates(given: FromClause, column: str, value: Any) -> Select[Any]:
    contact = end_users.alias(f"by_{column}")
    first = first_of(
        select(contact.c.id)
        .where(and_(contact.c.org_id == ORG_ID, contact.c[column] == value))
        .order_by(contact.c.created_at, contact.c.id)
    )
    return select(given.c.place, first.c.id, literal(column, Text()).label("found_by")).select_from(
        given.join(first, true())
    )
