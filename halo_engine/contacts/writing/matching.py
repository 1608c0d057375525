"""Match people to contacts, one after the other: by external ID, else by address (§2).

An external ID decides if there is one. A new external ID turns the lead of the address into that
user; without such a lead it makes a new user, even if other users have the address. Without an
external ID the address decides.

One statement looks up the whole set, this module merges it as if each person came alone, and
another statement writes it. So a file may name a contact twice, by id and by email, and still
creates no duplicate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, Text, func, or_, select, true

from halo_engine.contacts.parameters import ORG_ID, given_rows, values_of
from halo_engine.contacts.writing.found import first_of
from halo_engine.contacts.writing.locks import locked_contacts
from halo_engine.contacts.writing.people import Person
from halo_engine.contacts.writing.sources import Source
from halo_engine.contacts.writing.upsert import write_contacts
from halo_engine.database import LostRace
from halo_engine.domain.errors import Refusal
from halo_engine.sql.prepared import prepared
from halo_engine.tables import end_users
from halo_engine.work import Work

#: The columns that are read of a contact: those it is matched by, and those that order by creation.
_READ = ("id", "external_id", "address", "created_at")


@dataclass(slots=True, eq=False)
class _Contact:
    """A contact that people were matched to; ``person`` is the merge of them."""

    external_id: str | None
    address: str | None
    created: tuple[datetime, int | UUID]
    id: UUID | None = None
    person: Person | None = None


@dataclass(slots=True)
class PersonOutcomes:
    """The outcome of each person, in order: the contact, whether it is new, and a refusal if any.

    ``left_out`` are custom fields that were not registered.
    """

    ids: list[UUID] = field(default_factory=list)
    were_new: list[bool] = field(default_factory=list)
    refusals: list[Refusal | None] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)

    @property
    def created(self) -> int:
        """How many people created a contact."""
        return sum(
            is_new and refusal is None
            for is_new, refusal in zip(self.were_new, self.refusals, strict=True)
        )

    @property
    def updated(self) -> int:
        """How many people were matched to a contact that existed, changed or not."""
        return self.refusals.count(None) - self.created


def write_one_by_one(work: Work, source: Source, people: Sequence[Person]) -> PersonOutcomes:
    """Write people as if each came alone, in two statements; return the outcomes.

    The source finds by id. Two more statements are needed for a person whose address an earlier one
    of the set has just given up, or takes by a call that may be late. People who are the same
    contact are refused together.
    """
    outcomes = PersonOutcomes()
    while len(outcomes.were_new) < len(people):
        rest = people[len(outcomes.were_new) :]
        matched = _MatchedContacts(work, source, rest)
        persons = [each.person for each in matched.contacts if each.person]
        rows = write_contacts(work, source, persons)
        written = dict(zip(matched.contacts, rows, strict=True))
        outcomes.ids += [written[each].id for each in matched.taken]
        outcomes.were_new += matched.were_new
        outcomes.refusals += [written[each].refusal for each in matched.taken]
        for each in written.values():
            outcomes.left_out.update(each.left_out or ())
    return outcomes


class _MatchedContacts:
    """The contacts that people are matched to, in the order in which they are named first."""

    def __init__(self, work: Work, source: Source, people: Sequence[Person]) -> None:
        self._work = work
        self._source = source
        self._may_be_late = any(each.sent_at is not None for each in people)
        self._by_external_id: dict[str, _Contact] = {}
        self._by_address: dict[str, list[_Contact]] = {}
        #: Addresses that were given up, or may not be taken: their contacts are looked up again.
        self._unsure: set[str] = set()
        self.contacts: list[_Contact] = []
        self.taken: list[_Contact] = []
        self.were_new: list[bool] = []
        for person, address in zip(people, self._look_up(people), strict=True):
            if address in self._unsure and person.external_id not in self._by_external_id:
                return
            self._take(person, address)

    def _look_up(self, people: Sequence[Person]) -> list[str | None]:
        """Lock the contacts that may match; return the addresses. May raise ``LostRace``."""
        given = [
            {
                "ordinal": ordinal,
                "external_id": each.external_id,
                "email": each.columns.get("email"),
            }
            for ordinal, each in enumerate(people)
        ]
        addresses: list[str | None] = []
        known: dict[UUID, _Contact] = {}
        found = _lookup().rows(self._work.connection, values_of(self._work, given))
        for person, row in zip(people, found, strict=True):
            addresses.append(row["given_address"])
            if row["namesake_id"] is not None and not _is_namesake(person, row):
                # A contact was deleted or changed while this waited for its lock: another one may
                # match.
                raise LostRace
            for prefix in ("by_id", "by_address"):
                id_, external_id, address, created_at = (row[f"{prefix}_{name}"] for name in _READ)
                if id_ is not None:
                    known[id_] = _Contact(external_id, address, (created_at, id_), id_)
        for contact in known.values():
            self._enter(contact)
        return addresses

    def _take(self, person: Person, address: str | None) -> None:
        contact = self._find(person, address)
        is_new = contact is None
        if contact is None:
            created = (self._work.now, len(self.contacts))
            contact = _Contact(person.external_id, address, created)
            self._enter(contact)
        if contact.person is None:
            self.contacts.append(contact)
            contact.person = replace(person, contact_id=contact.id)
        else:
            contact.person = contact.person.then(person.limited_to(self._source.merges))
        if not is_new:
            self._update(contact, person, address)
        self.taken.append(contact)
        self.were_new.append(is_new)

    def _find(self, person: Person, address: str | None) -> _Contact | None:
        if person.external_id in self._by_external_id:
            return self._by_external_id[person.external_id]
        namesakes = self._by_address.get(address or "", ())
        if person.external_id is not None:
            namesakes = [each for each in namesakes if each.external_id is None]
        return min(namesakes, key=_in_order_of_creation, default=None)

    def _enter(self, contact: _Contact) -> None:
        if contact.external_id is not None:
            self._by_external_id[contact.external_id] = contact
        if contact.address is not None:
            self._by_address.setdefault(contact.address, []).append(contact)

    def _update(self, contact: _Contact, person: Person, address: str | None) -> None:
        """Predict the external ID and address that the contact will have after the write."""
        if self._source.promotes and contact.external_id is None and person.external_id is not None:
            contact.external_id = person.external_id
            self._by_external_id[person.external_id] = contact
        if "email" not in self._source.merges or "email" not in person.columns:
            return
        if address != contact.address:
            if contact.address is not None:
                self._by_address[contact.address].remove(contact)
                self._unsure.add(contact.address)
            if address is not None:
                if self._may_be_late:
                    # The contact keeps its address if a later call gave it.
                    self._unsure.add(address)
                self._by_address.setdefault(address, []).append(contact)
            contact.address = address


def _is_namesake(person: Person, row: Mapping[str, Any]) -> bool:
    """Return whether the contact found by address is still one that the person may be."""
    is_free = person.external_id is None or row["by_address_external_id"] is None
    return row["by_address_address"] == row["given_address"] and is_free


def _in_order_of_creation(contact: _Contact) -> tuple[datetime, bool, Any]:
    """Contacts that are stored come before those that are yet to be made."""
    created_at, ordinal = contact.created
    return created_at, contact.id is None, ordinal


@prepared("match_contacts")
def _lookup() -> Select[Any]:
    """Return the statement that finds, for each person, contacts by external ID and by address."""
    given = given_rows({"ordinal": Integer(), "external_id": Text(), "email": Text()})
    known, namesake = end_users.alias("known"), end_users.alias("namesake")
    address = func.lower(given.c.email)
    by_id = first_of(
        select(known.c.id).where(
            known.c.org_id == ORG_ID, known.c.external_id == given.c.external_id
        )
    )
    by_address = first_of(
        select(namesake.c.id)
        .where(
            namesake.c.org_id == ORG_ID,
            namesake.c.address == address,
            or_(given.c.external_id.is_(None), namesake.c.external_id.is_(None)),
        )
        .order_by(namesake.c.created_at, namesake.c.id)
    )
    found = (
        select(
            given.c.ordinal,
            address.label("given_address"),
            by_id.c.id.label("known_id"),
            by_address.c.id.label("namesake_id"),
        )
        .select_from(given.outerjoin(by_id, true()).outerjoin(by_address, true()))
        .cte("found")
    )
    ids = select(found.c.known_id.label("id")).union(select(found.c.namesake_id)).subquery("ids")
    locked = locked_contacts(ids, _READ)
    mine, theirs = locked.alias("mine"), locked.alias("theirs")
    return (
        select(
            found.c.given_address,
            found.c.namesake_id,
            *[mine.c[name].label(f"by_id_{name}") for name in _READ],
            *[theirs.c[name].label(f"by_address_{name}") for name in _READ],
        )
        .select_from(
            found.outerjoin(mine, mine.c.id == found.c.known_id).outerjoin(
                theirs, theirs.c.id == found.c.namesake_id
            )
        )
        .order_by(found.c.ordinal)
    )
