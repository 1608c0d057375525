"""Track events: refuse what is wrong, tell history from live events, and repeat answers (§2)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from halo_engine.contacts.calls import Call, EventName, Identifier, JsonObject, SentAt
from halo_engine.contacts.events.idempotency import answer_as_before, fingerprint, kept_answers
from halo_engine.contacts.events.keeping import left_out_of, not_kept
from halo_engine.contacts.events.rows import CheckedEvent, write_events
from halo_engine.contacts.sending_order import sending_time
from halo_engine.contacts.subjects import about_key, about_session, about_user
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal, bad_input, not_found, shown
from halo_engine.domain.times.instants import format_instant, parse_instant
from halo_engine.domain.values import compact_size
from halo_engine.sets import SetForm, Subject, only
from halo_engine.work import Work

#: Bounds of an event's properties (contract §2, Bounds); keys of inner objects are not counted.
LARGEST_PROPERTIES: Final = 32_000
MOST_PROPERTIES: Final = 1_000
#: Two clocks may differ so much: a timestamp that is this far ahead means now (contract §2).
CLOCKS_DIFFER: Final = timedelta(minutes=5)


def _check_bounds(properties: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    field = str(info.field_name)
    if len(properties) > MOST_PROPERTIES:
        problem = f"{len(properties)} keys are too many; allowed are {MOST_PROPERTIES}"
        raise bad_input(field, problem, "too_many")
    if properties and (size := compact_size(properties)) > LARGEST_PROPERTIES:
        problem = f"{size} bytes as compact JSON are too many; allowed are {LARGEST_PROPERTIES}"
        raise bad_input(field, problem, "too_large")
    return properties


class TrackCall(Call):
    """An event of a user, or of a session whose user is not known yet (contract §2, Events).

    With both, the event is the user's, and the session is stored with it. The sending time of the
    call makes no difference.
    """

    event: EventName
    user_id: Identifier | None = None
    session_id: Identifier | None = None
    properties: Annotated[JsonObject, AfterValidator(_check_bounds)] = Field(default_factory=dict)
    timestamp: str | None = None
    idempotency_key: Identifier | None = None
    sent_at: SentAt = None

    @model_validator(mode="after")
    def _is_somebodys(self) -> Self:
        if self.user_id is None and self.session_id is None:
            raise bad_input("user_id", "is required, unless there is a session_id", "missing_key")
        return self


class TrackAnswer(Answer):
    """What was tracked, and the instant at which it counts as having happened."""

    event: str
    timestamp: str
    warnings: tuple[str, ...] = ()


def track(work: Work, call: TrackCall) -> TrackAnswer:
    """Write an event; series react if it is a known contact's and not history (contract §2).

    Raises 400 for a timestamp that is too far ahead, 404 for an unknown ``user_id``, 409 for an
    idempotency key that was used with another body; with the same body it answers as the first time
    and writes nothing.
    """
    return only(TrackAnswer, track_all(work, [call]))


def track_all(work: Work, calls: Sequence[TrackCall]) -> list[TrackAnswer | Refusal]:
    """Write a set of events, in the order given; a refused call is left out alone.

    One statement, and a second one when an idempotency key was used before.
    """
    outcomes: dict[int, TrackAnswer | Refusal] = {}
    sound: dict[int, CheckedEvent] = {}
    for ordinal, call in enumerate(calls):
        try:
            sound[ordinal] = _checked_event(work, call)
        except Refusal as refusal:
            outcomes[ordinal] = refusal
    for ordinal in write_events(work, sound):
        outcomes[ordinal] = TrackAnswer.model_validate(sound[ordinal].answer)
    unwritten = {n: each for n, each in sound.items() if n not in outcomes}
    return [each for _, each in sorted({**outcomes, **_explained(work, unwritten)}.items())]


def _checked_event(work: Work, call: TrackCall) -> CheckedEvent:
    happened_at = _instant(work, call.timestamp)
    sending_time(work.org, call.sent_at)
    left_out = left_out_of(call.properties)
    answer = TrackAnswer(
        event=call.event, timestamp=format_instant(happened_at), warnings=not_kept(left_out)
    )
    return CheckedEvent(
        name=call.event,
        user_id=call.user_id,
        session_id=call.session_id,
        properties=call.properties,
        happened_at=happened_at,
        key=call.idempotency_key,
        fingerprint=fingerprint("track", call),
        answer=answer.model_dump(mode="json"),
        left_out=left_out,
    )


def _instant(work: Work, timestamp: str | None) -> datetime:
    """Return when the event happened: now, where the timestamp is ahead of our clock."""
    if timestamp is None:
        return work.now
    happened_at = parse_instant(timestamp, work.org.zone)
    if happened_at - work.now > CLOCKS_DIFFER:
        minutes = CLOCKS_DIFFER // timedelta(minutes=1)
        problem = f"{shown(timestamp)} is in the future; allowed is up to {minutes} minutes ahead"
        raise bad_input("timestamp", problem, "future_timestamp")
    return min(happened_at, work.now)


def _explained(
    work: Work, unwritten: Mapping[int, CheckedEvent]
) -> dict[int, TrackAnswer | Refusal]:
    """Say why valid events were not written: a key that was used before, else an unknown user."""
    keys = {key for each in unwritten.values() if (key := each.key) is not None}
    kept = kept_answers(work, keys) if keys else {}
    return {n: _explanation(each, kept) for n, each in unwritten.items()}


def _explanation(
    event: CheckedEvent, kept: Mapping[str, tuple[str, dict[str, Any]]]
) -> TrackAnswer | Refusal:
    key = event.key
    if key is None or key not in kept:
        return not_found("contact", str(event.user_id))
    try:
        answer = answer_as_before(key, event.fingerprint, kept[key])
    except Refusal as refusal:
        return refusal
    return TrackAnswer.model_validate(answer)


def _keys(call: TrackCall) -> Iterable[Subject]:
    if call.idempotency_key is not None:
        yield about_key(call.idempotency_key)


def _people(call: TrackCall) -> Iterable[Subject]:
    if call.user_id is not None:
        yield about_user(call.user_id)
    if call.session_id is not None:
        yield about_session(call.session_id)


#: Events are written in the order given, also those of one contact.
TRACK_SET: Final = SetForm(track_all, _keys, shared=_people)
