"""Contacts as an integration knows them: a CRM, a help desk (contract §2)."""

from dataclasses import replace
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, model_validator

from halo_engine.contacts.batches import Batch, RefusedEntry, read_each, refused_too
from halo_engine.contacts.calls import Answer, Call, Email, Identifier, SentAt
from halo_engine.contacts.doors import (
    CSV,
    IDENTIFY,
    INTEGRATION,
    LEAD_FORM,
    STRIPE,
    TEAMMATE,
    UPDATE,
)
from halo_engine.contacts.doubles import hold_addresses
from halo_engine.contacts.matching import write_one_by_one
from halo_engine.contacts.reading import Reading, read_person, warnings_of
from halo_engine.contacts.registry import not_registered
from halo_engine.contacts.sending import sending_time
from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.fields import check_name
from halo_engine.work import Work

_OTHER_DOORS: Final = frozenset(
    door.source for door in (IDENTIFY, UPDATE, LEAD_FORM, TEAMMATE, STRIPE, CSV)
)


def _check_source(value: object) -> str:
    name = check_name("source", value)
    if name in _OTHER_DOORS:
        problem = f"{shown(name)} is another door's; allowed is the integration's own name"
        raise bad_input("source", problem, "bad_source")
    return name


class SyncedContact(Call):
    """A contact of the integration, by ``user_id``, else by ``email``, and traits to merge."""

    user_id: Identifier | None = None
    email: Email | None = None
    traits: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.user_id is None and self.email is None:
            raise bad_input("user_id", "is required, unless there is an email", "missing_key")
        return self


class SyncCall(Call):
    """A batch of contacts, each a ``SyncedContact``, and the integration's name, their source."""

    source: Annotated[str, BeforeValidator(_check_source)]
    contacts: Batch
    sent_at: SentAt = None


class SyncAnswer(Answer):
    """What became of the contacts: each is counted once, or is among the ``errors``."""

    created: int
    updated: int
    errors: tuple[RefusedEntry, ...]
    warnings: tuple[str, ...]


def sync(work: Work, call: SyncCall) -> SyncAnswer:
    """Write what an integration knows of contacts; series react, nobody was seen (contract §2).

    A contact is matched by ``user_id``, else by email; a lead that comes with a ``user_id`` becomes
    that user. A bad contact is an error of its own, and the others go in.
    """

    def read(contact: SyncedContact) -> Reading:
        given = {} if contact.email is None else {"email": contact.email}
        return read_person(work.org, contact.user_id, {**(contact.traits or {}), **given})

    readings, errors = read_each(call.contacts, SyncedContact, "contacts", read)
    door = replace(INTEGRATION, source=call.source)
    hold_addresses(work, (each.person.columns.get("email") for each in readings))
    sent_at = sending_time(work.org, call.sent_at)
    people = [each.person for each in readings]
    outcomes = write_one_by_one(work, door, people, sent_at=sent_at)
    return SyncAnswer(
        created=outcomes.created,
        updated=outcomes.updated,
        errors=refused_too(errors, outcomes.refusals, "contacts"),
        warnings=(*warnings_of(readings), *not_registered(sorted(outcomes.left_out))),
    )
