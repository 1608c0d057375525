"""The door for many calls of applications at once, done as sets (decision 36)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict

from halo_engine.contacts.batches import Batch, entries_of
from halo_engine.contacts.calls import Call, SentAt
from halo_engine.contacts.companies.identify import IdentifyCompanyAnswer
from halo_engine.contacts.events.track import TrackAnswer
from halo_engine.contacts.identifying.identify import IdentifyAnswer
from halo_engine.contacts.identifying.leads import CaptureLeadAnswer
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal, located, validated
from halo_engine.domain.roles import Role
from halo_engine.doors import applications
from halo_engine.doors.acts import Write
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.sets import SetCall, SetForm, perform_calls
from halo_engine.work import Work


def _forms() -> Mapping[str, tuple[AnyDoor, SetForm]]:
    return {
        door.name: (door, door.act.as_set)
        for door in applications.DOORS
        if isinstance(door.act, Write) and door.act.as_set is not None
    }


#: The doors whose calls may be in a batch.
_FORMS: Final = _forms()


class _Named(Call):
    """The fields of a batched call beside its door's own."""

    model_config = ConfigDict(extra="allow")

    door: Literal["identify", "track", "companies.identify", "leads.capture"]


class BatchCall(Call):
    """At most 500 calls, each an object with its ``door`` and that door's own fields.

    A call without a ``sent_at`` was sent when the batch was.
    """

    calls: Annotated[Batch, entries_of(_Named)]
    sent_at: SentAt = None


class RefusedCall(Answer):
    """A call that was refused: ``status``, ``code`` and ``message``."""

    refused: dict[str, Any]


class BatchAnswer(Answer):
    """What became of each call, in the order of the calls."""

    answers: tuple[
        IdentifyAnswer | TrackAnswer | IdentifyCompanyAnswer | CaptureLeadAnswer | RefusedCall, ...
    ]


def perform_batch(work: Work, call: BatchCall) -> BatchAnswer:
    """Do the calls in one transaction; a bad one is refused alone (contract §2).

    The result is as if they had come one by one in this order.
    """
    outcomes: dict[int, Any] = {}
    calls: dict[int, SetCall] = {}
    for ordinal, entry in enumerate(call.calls):
        try:
            calls[ordinal] = _read(entry, f"calls[{ordinal}]", call.sent_at)
        except Refusal as refusal:
            outcomes[ordinal] = refusal
    done = perform_calls(work, [*calls.values()], work.org.known_fields)
    outcomes.update(zip(calls, done, strict=True))
    return BatchAnswer(
        answers=tuple(_as_answer(outcomes[ordinal]) for ordinal in range(len(call.calls)))
    )


def _read(entry: object, where: str, sent_at: str | None) -> SetCall:
    named = validated(_Named, entry, where)
    door, form = _FORMS[named.door]
    fields = {**(named.model_extra or {})}
    if sent_at is not None and "sent_at" in door.call.model_fields:
        fields.setdefault("sent_at", sent_at)
    with located(where):
        return SetCall(form, door.read(fields))


def _as_answer(outcome: Any) -> Any:
    return RefusedCall(refused=outcome.as_dict()) if isinstance(outcome, Refusal) else outcome


DOORS: Final = (
    Door(
        "batch",
        "Do up to 500 calls at once: identify, track, companies and leads; an answer each.",
        BatchCall,
        BatchAnswer,
        Role.INGEST,
        Write(perform_batch),
    ),
)
