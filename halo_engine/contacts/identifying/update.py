"""Update / backfill: batches of users from a customer's backend, silently (contract §2)."""

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from halo_engine.contacts.batches import Batch, RefusedEntry, entries_of, read_each, refused_too
from halo_engine.contacts.calls import Call, Identifier, SentAt
from halo_engine.contacts.identifying.verification import verify_update_scope
from halo_engine.contacts.sending_order import sending_time
from halo_engine.contacts.writing.people import Person
from halo_engine.contacts.writing.reading import ReadPerson, read_person, warnings_of
from halo_engine.contacts.writing.registry import not_registered
from halo_engine.contacts.writing.sources import UPDATE
from halo_engine.contacts.writing.upsert import write_contacts
from halo_engine.domain.answer import Answer
from halo_engine.work import Work


class UpdatedUser(Call):
    """A user of a batch, and traits to merge."""

    user_id: Identifier
    traits: dict[str, Any] | None = None


class UpdateCall(Call):
    """A batch of users, each an ``UpdatedUser``.

    ``update_only`` skips users that are not known instead of creating them.
    """

    users: Annotated[Batch, entries_of(UpdatedUser)]
    update_only: bool = False
    user_token: str | None = None
    sent_at: SentAt = None


class UpdateAnswer(Answer):
    """The result: each user is counted once, or is among the ``errors``."""

    created: int
    updated: int
    skipped: int
    errors: tuple[RefusedEntry, ...]
    warnings: tuple[str, ...]


def update(work: Work, call: UpdateCall, *, is_proven: bool = False) -> UpdateAnswer:
    """Write a batch of users without bumping anybody or enrolling anyone (contract §2).

    A user who comes twice is merged in order. Raises 401 unless ``user_token`` allows updates, or
    the caller ``is_proven`` in another way. A bad user is reported as an error, and the others are
    written.
    """
    if not is_proven:
        verify_update_scope(work, call.user_token)
    answer, _ = write_batch(work, call)
    return answer


def write_batch(work: Work, call: UpdateCall) -> tuple[UpdateAnswer, Collection[UUID]]:
    """Write a proven batch; return the answer, and the contacts that it is about."""
    sent_at = sending_time(work.org, call.sent_at)

    def read(user: UpdatedUser) -> ReadPerson:
        return read_person(work.org, user.user_id, user.traits, sent_at=sent_at)

    readings, errors = read_each(call.users, UpdatedUser, "users", read)
    people: dict[str | None, Person] = {}
    for person in (reading.person for reading in readings):
        known = people.get(person.external_id)
        people[person.external_id] = known.then(person) if known else person
    source = replace(UPDATE, creates=not call.update_only)
    written = {
        each.external_id: each for each in write_contacts(work, source, list(people.values()))
    }
    outcomes = [written.get(reading.person.external_id) for reading in readings]
    refusals = [None if each is None else each.refusal for each in outcomes]
    created = sum(each.created for each in written.values() if each.refusal is None)
    skipped = outcomes.count(None)
    refused = len(refusals) - refusals.count(None)
    left_out = next((each.left_out for each in written.values()), None)
    answer = UpdateAnswer(
        created=created,
        updated=len(readings) - created - skipped - refused,
        skipped=skipped,
        errors=refused_too(errors, refusals, "users"),
        warnings=(*warnings_of(readings), *not_registered(left_out)),
    )
    return answer, [each.id for each in written.values()]
