"""Identify a user: the door by which a live user's app says who it is (contract §2, Identify)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from halo_engine.contacts.answers import ContactAnswer, Stored
from halo_engine.contacts.calls import Call, Identifier, SentAt
from halo_engine.contacts.doors import IDENTIFY
from halo_engine.contacts.reading import Reading, read_person
from halo_engine.contacts.registry import not_registered, note_registered
from halo_engine.contacts.sending import sending_time
from halo_engine.contacts.sessions import link_session
from halo_engine.contacts.upsert import Written, read_written, write_contacts, writing
from halo_engine.contacts.verification import proof_of, verify_user
from halo_engine.prepared import Rows
from halo_engine.work import Organization, Trip, Work


class IdentifyCall(Call):
    """A user by the app's own id, traits and context to merge, and the session it was before.

    With ``sent_at``, what was said since the call was sent stays as it is.
    """

    user_id: Identifier
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    session_id: Identifier | None = None
    user_token: str | None = None
    sent_at: SentAt = None


class IdentifyAnswer(ContactAnswer):
    """The contact; what is ``stored`` only for a verified call, since the widget key is public."""

    stored: Stored | None = None


def identify(work: Work, call: IdentifyCall) -> IdentifyAnswer:
    """Create or update the user, note what changed, and bump ``last_seen`` (contract §2).

    A new ``user_id`` with a lead's email promotes the lead. Raises 401 where identity verification
    is on and ``user_token`` does not prove the user, 400 for traits that are refused; nothing is
    written then.
    """
    is_verified = verify_user(work, call.user_token, call.user_id)
    reading = read_person(work.org, call.user_id, call.traits, call.context)
    [written] = write_contacts(
        work,
        IDENTIFY,
        [reading.person],
        sent_at=sending_time(work.org, call.sent_at),
        with_stored=is_verified,
    )
    answer = _answer(written, reading, is_verified=is_verified)
    if call.session_id is None:
        return answer
    first_seen = link_session(work, call.session_id, written.id)
    if first_seen is None:
        return answer
    return answer.model_copy(update={"first_seen": first_seen})


def identifying(
    call: IdentifyCall, org: Organization, now: datetime | None
) -> Trip[IdentifyAnswer] | None:
    """Return ``identify`` in one round trip, for ``org`` as it is known; None for a call with a
    session, which takes more.

    Without ``now`` it takes place at the database's clock. Raises what ``identify`` does, but for
    an expired token, with which the trip comes to nothing.
    """
    if call.session_id is not None:
        return None
    proof = proof_of(org, call.user_token, call.user_id)
    reading = read_person(org, call.user_id, call.traits, call.context)

    def read(rows: Sequence[Rows]) -> IdentifyAnswer | None:
        for written in read_written(rows[-1], with_stored=proof.is_given):
            answer = _answer(written, reading, is_verified=proof.is_given)
            note_registered(org, reading.person.custom, written.left_out)
            return answer
        return None

    calls = writing(
        org,
        IDENTIFY,
        [reading.person],
        now,
        sent_at=sending_time(org, call.sent_at),
        with_stored=proof.is_given,
        proven_until=proof.until,
    )
    return Trip(calls, read)


def _answer(written: Written, reading: Reading, *, is_verified: bool) -> IdentifyAnswer:
    if (refusal := written.refusal) is not None:
        raise refusal
    stored = Stored.of(written) if is_verified else None
    warnings = (*reading.warnings, *not_registered(written.left_out))
    return IdentifyAnswer.of(written, warnings, stored=stored)
