"""Writes contacts: how people are given to the statement, alone or with others' (contract §2)."""

import math
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from halo_engine.contacts.consent.address_hashes import hash_parameters
from halo_engine.contacts.writing.address_locks import holding_addresses
from halo_engine.contacts.writing.people import Person, as_json
from halo_engine.contacts.writing.registry import are_unsure, seen_types
from halo_engine.contacts.writing.sources import BY_ADDRESS, Source
from halo_engine.contacts.writing.statement import upsert_statement
from halo_engine.contacts.writing.written import WrittenContact, read_written
from halo_engine.database import LostRace
from halo_engine.sql.prepared import BoundStatement
from halo_engine.work import Organization, Work


def write_contacts(
    work: Work,
    source: Source,
    people: Sequence[Person],
    *,
    with_stored: bool = False,
) -> list[WrittenContact]:
    """Write ``people`` from ``source`` in one statement; the answer is in their order (§2).

    A late call changes only fields that no later call gave (``sending_order``). If the source
    creates no contacts, unknown people are left out of the answer. One that finds contacts by
    address locks the addresses first (``address_locks``). Raises ``LostRace`` when a contact found
    by address changed meanwhile: the transaction is run again.
    """
    members = [Member(work.org, each) for each in people]
    calls = _calls(source, work.org, members, work.now, with_stored=with_stored, as_known=False)
    *_, rows = [call.rows(work.connection) for call in calls]
    if source.creates and len(rows) < len(people):
        raise LostRace
    return read_written(rows, with_stored=with_stored)


class Member(NamedTuple):
    """A person of an organisation.

    If it is given as it is known, nothing is written once it has changed, or after
    ``proven_until``, in seconds since 1970.
    """

    org: Organization
    person: Person
    proven_until: float = math.inf


def may_go_together(org: Organization, custom: Collection[str]) -> bool:
    """Return whether people with these ``custom`` fields may be written with people of other
    organisations: nothing is to be registered, no suppression to be restored, no list to be joined.
    """
    if org.address_key is not None or org.has_default_lists:
        return False
    return org.known_fields.issuperset(custom)


def writing(
    source: Source,
    members: Sequence[Member],
    now: datetime | None,
    *,
    with_stored: bool = False,
) -> list[BoundStatement]:
    """Return the statements that write people of organisations as they are known;
    ``read_written`` reads the rows of the last one.

    If they are of several, ``may_go_together`` holds for each. Without ``now`` the statements read
    the database's clock. If the source creates contacts, a person without a row has lost a race,
    or the organisation has changed.
    """
    org = members[0].org
    return _calls(source, org, members, now, with_stored=with_stored, as_known=True)


def _calls(
    source: Source,
    org: Organization,
    members: Sequence[Member],
    now: datetime | None,
    *,
    with_stored: bool,
    as_known: bool,
) -> list[BoundStatement]:
    """``org`` is that of all members, unless they ``may_go_together``: then it is not asked for."""
    registers = any(are_unsure(each.org, each.person.custom) for each in members)
    values: dict[str, Any] = {
        "org_id": org.id,
        "now": now,
        "given_rows": [
            _as_json(ordinal, member, registers=registers, as_known=as_known)
            for ordinal, member in enumerate(members)
        ],
    }
    if org.address_key is not None:
        values |= hash_parameters(org.address_key)
    statement = upsert_statement(
        source,
        with_stored,
        with_hashes=org.address_key is not None,
        with_lists=source.creates and org.has_default_lists,
        as_known=as_known,
        registers=registers,
        dated=any(each.person.sent_at is not None for each in members),
    )
    emails = [
        (each.org.id, each.person.columns.get("email"))
        for each in members
        if source.finds in BY_ADDRESS
    ]
    return [*holding_addresses(emails), BoundStatement(statement, values)]


def _as_json(ordinal: int, member: Member, *, registers: bool, as_known: bool) -> dict[str, object]:
    org, person, until = member
    row = as_json(ordinal, person)
    if registers:
        row["field_types"] = seen_types({**person.custom, **person.registered_by}, org.zone)
    if as_known:
        row["org_id"] = str(org.id)
        row["org_version"] = org.version
        row["proven_until"] = until if math.isfinite(until) else None
    return row
