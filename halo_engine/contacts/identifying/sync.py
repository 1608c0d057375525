"""Sync contacts from an integration, such as a CRM or a help desk (contract §2)."""

from dataclasses import replace
from typing import Annotated, Final

from pydantic import BeforeValidator

from halo_engine.contacts.batches import Batch, RefusedEntry, entries_of, read_each, refused_too
from halo_engine.contacts.calls import Call, PersonCall, SentAt
from halo_engine.contacts.sending_order import sending_time
from halo_engine.contacts.writing.address_locks import hold_addresses
from halo_engine.contacts.writing.matching import write_one_by_one
from halo_engine.contacts.writing.reading import ReadPerson, read_person, warnings_of
from halo_engine.contacts.writing.registry import not_registered
from halo_engine.contacts.writing.sources import (
    CSV,
    IDENTIFY,
    INTEGRATION,
    LEAD_FORM,
    STRIPE,
    TEAMMATE,
    UPDATE,
)
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.fields.catalogue import check_name
from halo_engine.work import Work

_OTHER_DOORS: Final = frozenset(
    source.name for source in (IDENTIFY, UPDATE, LEAD_FORM, TEAMMATE, STRIPE, CSV)
)


def _check_source(value: object) -> str:
    name = check_name("source", value)
    if name in _OTHER_DOORS:
        problem = f"{shown(name)} is another source's; allowed is the integration's own name"
        raise bad_input("source", problem, "bad_source")
    return name


class SyncedContact(PersonCall):
    """A contact of the integration, by ``user_id``, else by ``email``, and traits to merge."""


class SyncCall(Call):
    """A batch of contacts, each a ``SyncedContact``; ``source`` is the integration's name."""

    source: Annotated[str, BeforeValidator(_check_source)]
    contacts: Annotated[Batch, entries_of(SyncedContact)]
    sent_at: SentAt = None


class SyncAnswer(Answer):
    """The result: each contact is counted once, or is among the ``errors``."""

    created: int
    updated: int
    errors: tuple[RefusedEntry, ...]
    warnings: tuple[str, ...]


def sync(work: Work, call: SyncCall) -> SyncAnswer:
    """Write an integration's contacts; series react, ``last_seen`` stays (contract §2).

    A contact is matched by ``user_id``, else by email; a lead that comes with a ``user_id`` becomes
    that user. A bad contact is reported as an error, and the others are written.
    """
    sent_at = sending_time(work.org, call.sent_at)

    def read(contact: SyncedContact) -> ReadPerson:
        given = {} if contact.email is None else {"email": contact.email}
        traits = {**(contact.traits or {}), **given}
        return read_person(work.org, contact.user_id, traits, sent_at=sent_at)

    readings, errors = read_each(call.contacts, SyncedContact, "contacts", read)
    source = replace(INTEGRATION, name=call.source)
    hold_addresses(work, (each.person.columns.get("email") for each in readings))
    outcomes = write_one_by_one(work, source, [each.person for each in readings])
    return SyncAnswer(
        created=outcomes.created,
        updated=outcomes.updated,
        errors=refused_too(errors, outcomes.refusals, "contacts"),
        warnings=(*warnings_of(readings), *not_registered(sorted(outcomes.left_out))),
    )
