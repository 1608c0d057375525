"""Update / backfill: batches of users from a customer's backend, in silence (contract §2)."""

from dataclasses import replace
from typing import Any

from halo_engine.contacts.batches import Batch, RefusedEntry, read_each, refused_too
from halo_engine.contacts.calls import Answer, Call, Identifier, SentAt
from halo_engine.contacts.doors import UPDATE
from halo_engine.contacts.people import Person
from halo_engine.contacts.reading import Reading, read_person, warnings_of
from halo_engine.contacts.registry import not_registered
from halo_engine.contacts.sending import sending_time
from halo_engine.contacts.upsert import write_contacts
from halo_engine.contacts.verification import verify_update_scope
from halo_engine.work import Work


class UpdatedUser(Call):
    """A user of a batch, and traits to merge."""

    user_id: Identifier
    traits: dict[str, Any] | None = None


class UpdateCall(Call):
    """A batch of users, each an ``UpdatedUser``.

    ``update_only`` skips users that are not known instead of creating them.
    """

    users: Batch
    update_only: bool = False
    user_token: str | None = None
    sent_at: SentAt = None


class UpdateAnswer(Answer):
    """What became of the users: each is counted once, or is among the ``errors``."""

    created: int
    updated: int
    skipped: int
    errors: tuple[RefusedEntry, ...]
    warnings: tuple[str, ...]


def update(work: Work, call: UpdateCall) -> UpdateAnswer:
    """Write a batch of users without bumping anybody or enrolling anyone (contract §2).

    A user who comes twice is merged in order. Raises 401 unless ``user_token`` allows updates; a
    bad user is an error of its own, and the others go in.
    """
    verify_update_scope(work, call.user_token)

    def read(user: UpdatedUser) -> Reading:
        return read_person(work.org, user.user_id, user.traits)

    readings, errors = read_each(call.users, UpdatedUser, "users", read)
    people: dict[str | None, Person] = {}
    for person in (reading.person for reading in readings):
        known = people.get(person.external_id)
        people[person.external_id] = known.then(person) if known else person
    door = replace(UPDATE, creates=not call.update_only)
    sent_at = sending_time(work.org, call.sent_at)
    written = {
        each.external_id: each
        for each in write_contacts(work, door, list(people.values()), sent_at=sent_at)
    }
    outcomes = [written.get(reading.person.external_id) for reading in readings]
    refusals = [None if each is None else each.refusal for each in outcomes]
    created = sum(each.created for each in written.values() if each.refusal is None)
    skipped = outcomes.count(None)
    refused = len(refusals) - refusals.count(None)
    left_out = next((each.left_out for each in written.values()), None)
    return UpdateAnswer(
        created=created,
        updated=len(readings) - created - skipped - refused,
        skipped=skipped,
        errors=refused_too(errors, refusals, "users"),
        warnings=(*warnings_of(readings), *not_registered(left_out)),
    )
