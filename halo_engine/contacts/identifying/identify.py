"""Identify a user: an app says which user is active in it (contract §2, Identify)."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

from halo_engine.contacts.calls import Call, Identifier, SentAt
from halo_engine.contacts.events.sessions import link_sessions
from halo_engine.contacts.identifying.answers import ContactAnswer, Stored
from halo_engine.contacts.identifying.verification import PROVEN_OTHERWISE, proof_of, verify_user
from halo_engine.contacts.sending_order import sending_time
from halo_engine.contacts.subjects import about_address, about_session, about_user, custom_fields
from halo_engine.contacts.writing.reading import ReadPerson, read_person
from halo_engine.contacts.writing.registry import left_out_of, not_registered, note_registered
from halo_engine.contacts.writing.sources import IDENTIFY
from halo_engine.contacts.writing.upsert import (
    Member,
    may_go_together,
    write_contacts,
    writing,
)
from halo_engine.contacts.writing.written import WrittenContact, read_written
from halo_engine.domain.errors import Refusal
from halo_engine.sets import OrgCalls, Outcome, Outcomes, SetForm, Subject, only
from halo_engine.sql.prepared import Rows
from halo_engine.work import Organization, RoundTrip, Work


class IdentifyCall(Call):
    """A user by the app's own id, traits and context to merge, and the anonymous session to join.

    With ``sent_at``, a field that a later call gave stays as it is.
    """

    user_id: Identifier
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    session_id: Identifier | None = None
    user_token: str | None = None
    sent_at: SentAt = None


class IdentifyAnswer(ContactAnswer):
    """The contact; ``stored`` only for a verified call, since the widget key is public."""

    stored: Stored | None = None


def identify(work: Work, call: IdentifyCall) -> IdentifyAnswer:
    """Create or update the user, note what changed, and bump ``last_seen`` (contract §2).

    A new ``user_id`` with a lead's email promotes the lead. Raises 401 where identity verification
    is on and ``user_token`` does not prove the user, 400 for traits that are refused; nothing is
    written then.
    """
    return only(IdentifyAnswer, _identify_all(work, [call]))


def _identify_all(
    work: Work, calls: Sequence[IdentifyCall], *, is_proven: bool = False
) -> list[Outcome]:
    outcomes = Outcomes(len(calls))
    readings: dict[int, ReadPerson] = {}
    for ordinal, call in enumerate(calls):
        with outcomes.of(ordinal):
            if not is_proven:
                verify_user(work, call.user_token, call.user_id)
            readings[ordinal] = _read(work.org, call)
    people = [each.person for each in readings.values()]
    verified = is_proven or work.org.identity_secret is not None
    written = write_contacts(work, IDENTIFY, people, with_stored=verified) if people else []
    linked: dict[str, UUID] = {}
    for (ordinal, reading), each in zip(readings.items(), written, strict=True):
        with outcomes.of(ordinal):
            outcomes[ordinal] = _answer(each, reading, is_verified=verified)
            # The organisation is only cached once this is committed.
            note_registered(work.org, reading.person.custom, each.left_out)
            session_id = calls[ordinal].session_id
            if session_id is not None:
                linked[session_id] = each.id
    first_seen = link_sessions(work, linked)
    return [_seen_since(each, first_seen) for each in outcomes.all]


def _seen_since(outcome: Outcome, first_seen: Mapping[UUID, datetime]) -> Outcome:
    if isinstance(outcome, IdentifyAnswer) and outcome.id in first_seen:
        return outcome.model_copy(update={"first_seen": first_seen[outcome.id]})
    return outcome


def identifying(
    call: IdentifyCall, org: Organization, now: datetime | None
) -> RoundTrip[IdentifyAnswer] | None:
    """Return ``identify`` in one round trip, for the cached ``org``; None for a call with a
    session, which needs more.

    Without ``now`` it uses the database's clock. None is returned for a call that the cached
    organisation refuses: its settings may have changed.
    """
    # The organisation's newest settings may allow what is refused here.
    trip = _identifying_all([OrgCalls(org, [call])], now)
    if trip is None:
        return None

    def read(rows: Sequence[Rows]) -> IdentifyAnswer | None:
        outcomes = trip.read(rows)
        return None if outcomes in (None, [None]) else only(IdentifyAnswer, outcomes)

    return RoundTrip(trip.calls, read)


class _Reading(NamedTuple):
    """A call that was read: where its outcome goes, and whether it is verified."""

    ordinal: int
    org: Organization
    reading: ReadPerson
    is_verified: bool
    proven_until: float


def _identifying_all(
    given: Sequence[OrgCalls], now: datetime | None, *, is_proven: bool = False
) -> RoundTrip[list[Outcome]] | None:
    """Return a set of calls in one round trip; None if one has a session.

    A call that is refused by what is known of its organisation has no outcome: that may have
    changed.
    """
    asked = [(org, call) for org, calls in given for call in calls]
    if any(call.session_id is not None for _, call in asked):
        return None
    readings: list[_Reading] = []
    for ordinal, (org, call) in enumerate(asked):
        with suppress(Refusal):
            proof = PROVEN_OTHERWISE if is_proven else proof_of(org, call.user_token, call.user_id)
            is_verified = is_proven or org.identity_secret is not None
            reading = _read(org, call)
            readings.append(_Reading(ordinal, org, reading, is_verified, proof.until))
    if not readings:
        return None
    with_stored = any(each.is_verified for each in readings)

    def read(rows: Sequence[Rows]) -> list[Outcome]:
        outcomes = Outcomes(len(asked))
        for written in read_written(rows[-1], with_stored=with_stored):
            ordinal, org, reading, is_verified, _ = readings[written.ordinal]
            with outcomes.of(ordinal):
                outcomes[ordinal] = _answer(written, reading, is_verified=is_verified)
                note_registered(org, reading.person.custom, written.left_out)
        return outcomes.all

    members = [Member(each.org, each.reading.person, each.proven_until) for each in readings]
    return RoundTrip(writing(IDENTIFY, members, now, with_stored=with_stored), read)


def _may_join(given: OrgCalls) -> bool:
    """Return whether calls may go in one round trip with those of other organisations."""
    names = {name for call in given.calls for name in custom_fields(call.traits)}
    return may_go_together(given.org, names) and all(
        call.session_id is None for call in given.calls
    )


def _read(org: Organization, call: IdentifyCall) -> ReadPerson:
    sent_at = sending_time(org, call.sent_at)
    return read_person(org, call.user_id, call.traits, call.context, sent_at=sent_at)


def _answer(written: WrittenContact, reading: ReadPerson, *, is_verified: bool) -> IdentifyAnswer:
    if (refusal := written.refusal) is not None:
        raise refusal
    stored = Stored.of(written) if is_verified else None
    left_out = left_out_of(reading.person.custom, written.left_out)
    warnings = (*reading.warnings, *not_registered(left_out))
    return IdentifyAnswer.of(written, warnings, stored=stored)


def _subjects(call: IdentifyCall) -> Iterable[Subject]:
    yield about_user(call.user_id)
    if call.session_id is not None:
        yield about_session(call.session_id)
    if call.traits:
        yield from about_address(call.traits.get("email"))


IDENTIFY_SET: Final = SetForm(
    _identify_all,
    _subjects,
    fields=lambda call: custom_fields(call.traits),
    in_one_trip=_identifying_all,
    joins=_may_join,
)
#: The same for callers who have proved in another way that they may speak for any user.
IDENTIFY_PROVEN_SET: Final = replace(
    IDENTIFY_SET,
    perform=partial(_identify_all, is_proven=True),
    in_one_trip=partial(_identifying_all, is_proven=True),
)
