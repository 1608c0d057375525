"""Find which contact a Stripe customer is, and which of its subscriptions counts (contract §2).

One statement looks a set up, this module decides as if each came alone, and another statement
writes. See ``docs/decisions/0008-stripe.md``.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from halo_engine.contacts.parameters import values_of
from halo_engine.contacts.stripe.absorption import absorb_leads
from halo_engine.contacts.stripe.customer_contacts import KEPT, CustomerContact, CustomerFacts
from halo_engine.contacts.stripe.customer_lookup import BY_ADDRESS, match_customers
from halo_engine.contacts.writing.address_locks import hold_addresses
from halo_engine.contacts.writing.people import Person
from halo_engine.contacts.writing.sources import STRIPE_OBJECTS
from halo_engine.contacts.writing.upsert import write_contacts
from halo_engine.contacts.writing.written import WrittenContact
from halo_engine.database import LostRace
from halo_engine.domain.errors import Refusal, not_found
from halo_engine.work import Work


def write_customers(
    work: Work, all_facts: Sequence[CustomerFacts]
) -> list[WrittenContact | Refusal]:
    """Write what Stripe said, in that order, in three statements; return the outcomes in order.

    An unknown customer with a user ID or an email becomes a contact; without either it is a 404. A
    customer's lead becomes the user that Stripe names, or is merged into it if it is known.
    """
    hold_addresses(work, (each.email for each in all_facts))
    matched = _MatchedContacts(work, all_facts)
    absorb_leads(work, matched.user_of)
    people = [Person(each.external_id, each.said, contact_id=each.id) for each in matched.contacts]
    written = write_contacts(work, STRIPE_OBJECTS, people) if people else []
    by_contact = dict(zip(matched.contacts, written, strict=True))
    return [each if isinstance(each, Refusal) else by_contact[each] for each in matched.taken]


class _MatchedContacts:
    """The contacts that customers are matched to, in the order in which they are named first."""

    def __init__(self, work: Work, all_facts: Sequence[CustomerFacts]) -> None:
        self._work = work
        self._by_customer: dict[str, CustomerContact] = {}
        self._by_external_id: dict[str, CustomerContact] = {}
        self._by_address: dict[str, list[CustomerContact]] = {}
        self._absorbed: dict[CustomerContact, CustomerContact] = {}
        #: In order; a dict finds them faster than a list.
        self.contacts: dict[CustomerContact, None] = {}
        addresses = self._look_up(all_facts)
        taken = [
            self._take(facts, address) for facts, address in zip(all_facts, addresses, strict=True)
        ]
        self.taken = [
            each if isinstance(each, Refusal) else self._absorbed.get(each, each) for each in taken
        ]

    @property
    def user_of(self) -> Mapping[UUID, UUID]:
        """Return the stored leads to merge, each with its user."""
        return {lead.id: user.id for lead, user in self._absorbed.items() if lead.id and user.id}

    def _look_up(self, all_facts: Sequence[CustomerFacts]) -> list[str | None]:
        """Lock the contacts that may match; return the addresses. May raise ``LostRace``."""
        given = [
            {
                "ordinal": ordinal,
                "customer": each.customer,
                "external_id": each.user_id,
                "email": each.email,
            }
            for ordinal, each in enumerate(all_facts)
        ]
        addresses: dict[int, str | None] = {}
        known: dict[UUID, tuple[str | None, CustomerContact]] = {}
        for row in match_customers().rows(self._work.connection, values_of(self._work, given)):
            addresses[row["ordinal"]] = row["given_address"]
            if row["found_by"] == BY_ADDRESS and row["address"] != row["given_address"]:
                # A contact was deleted or changed while this waited for its lock: another one may
                # match.
                raise LostRace
            if row["id"] is not None and row["id"] not in known:
                known[row["id"]] = (row["address"], CustomerContact.of(row))
        for address, contact in known.values():
            self._enter(contact, address)
        return [addresses[ordinal] for ordinal in range(len(all_facts))]

    def _take(self, facts: CustomerFacts, address: str | None) -> CustomerContact | Refusal:
        contact = self._find(facts, address)
        if contact is None:
            if facts.user_id is None and facts.email is None:
                return not_found("contact", facts.customer)
            contact = self._new(facts)
            self._enter(contact, address)
        contact = self._identified(contact, facts.user_id)
        self.contacts.setdefault(contact)
        contact.take(facts)
        self._by_customer.setdefault(facts.customer, contact)
        return contact

    def _find(self, facts: CustomerFacts, address: str | None) -> CustomerContact | None:
        known = self._by_customer.get(facts.customer) or self._by_external_id.get(
            facts.user_id or ""
        )
        if known is not None:
            return known
        namesakes = self._by_address.get(address or "", ())
        # Users may share an address: a user with another ID is not the one that Stripe names.
        found = [each for each in namesakes if not (facts.user_id and each.external_id)]
        return min(found, key=CustomerContact.in_order_of_creation, default=None)

    def _identified(self, contact: CustomerContact, user_id: str | None) -> CustomerContact:
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

    def _absorb(self, lead: CustomerContact, user: CustomerContact) -> None:
        self.contacts.pop(lead, None)
        self._absorbed[lead] = user
        user.take(lead.facts())
        for contacts in (self._by_customer, self._by_external_id):
            contacts |= {key: user for key, each in contacts.items() if each is lead}
        for namesakes in self._by_address.values():
            namesakes[:] = [each for each in namesakes if each is not lead]

    def _new(self, facts: CustomerFacts) -> CustomerContact:
        created = (self._work.now, len(self.contacts))
        return CustomerContact(facts.user_id, created, dict.fromkeys(KEPT), lacks_address=True)

    def _enter(self, contact: CustomerContact, address: str | None) -> None:
        customer = contact.kept["stripe_customer_id"]
        if customer is not None:
            self._by_customer[customer] = contact
        if contact.external_id is not None:
            self._by_external_id[contact.external_id] = contact
        if address is not None:
            self._by_address.setdefault(address, []).append(contact)
