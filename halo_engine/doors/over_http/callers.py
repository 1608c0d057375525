"""Applications' doors over HTTP, by the public widget key and by a backend's ``ingest`` key.

The widget key is public: it stands in a customer's web pages. So a call with it must also prove its
user if identity verification is on, and its answer never tells whether an email is known. An
``ingest`` key is a backend's own, so its calls need no such proof (contract §12).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal

from halo_engine.contacts.calls import Call
from halo_engine.contacts.companies.identify import IDENTIFY_COMPANY_SET, IdentifyCompanyCall
from halo_engine.contacts.events.track import TRACK_SET, TrackCall
from halo_engine.contacts.identifying.identify import (
    IDENTIFY_PROVEN_SET,
    IDENTIFY_SET,
    IdentifyCall,
)
from halo_engine.contacts.identifying.leads import CAPTURE_LEAD_SET, CaptureLeadCall
from halo_engine.contacts.identifying.verification import verify_user_or_update
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal
from halo_engine.pipeline.batches.update_users import update_or_try
from halo_engine.sets import Outcome, Outcomes, SetForm
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class CallersDoor:
    """A door as one kind of caller uses it: its call, its answer, and how it is done as a set."""

    call: type[Call]
    answer: type[Answer] | None
    form: SetForm


class PublicTrackCall(TrackCall):
    """An event by the widget key; ``user_token`` proves its ``user_id``."""

    user_token: str | None = None


class PublicCompanyCall(IdentifyCompanyCall):
    """A company by the widget key; ``user_token`` proves its ``user_id``, or allows updates."""

    user_token: str | None = None


class Accepted(Answer):
    """The answer to the public: the lead was taken, whether its email was known or not."""

    accepted: Literal[True] = True


def verified(form: SetForm, needs_proof: Callable[[Any], bool]) -> SetForm:
    """Return a form that refuses calls without proof if identity verification is on."""

    def perform(work: Work, calls: Sequence[Any]) -> Sequence[Outcome]:
        outcomes = Outcomes(len(calls))
        sound: list[int] = []
        for ordinal, call in enumerate(calls):
            with outcomes.of(ordinal):
                if needs_proof(call):
                    verify_user_or_update(work, call.user_token, call.user_id)
                sound.append(ordinal)
        done = form.perform(work, [calls[ordinal] for ordinal in sound]) if sound else []
        for ordinal, outcome in zip(sound, done, strict=True):
            outcomes[ordinal] = outcome
        return outcomes.all

    return replace(form, perform=perform, in_one_trip=None)


def _silent(form: SetForm) -> SetForm:
    """Return a form with the same answer to every call that is not refused."""

    def perform(work: Work, calls: Sequence[Any]) -> Sequence[Outcome]:
        return [
            outcome if isinstance(outcome, Refusal) else Accepted()
            for outcome in form.perform(work, calls)
        ]

    return replace(form, perform=perform)


#: Writes a batch of users for a backend, which needs no ``user_token`` (contract §2).
update_proven: Final = partial(update_or_try, is_proven=True)

#: Doors by the publishable widget key, as sets.
PUBLIC: Final[Mapping[str, CallersDoor]] = {
    "identify": CallersDoor(IdentifyCall, None, IDENTIFY_SET),
    "companies.identify": CallersDoor(
        PublicCompanyCall, None, verified(IDENTIFY_COMPANY_SET, lambda _: True)
    ),
    "track": CallersDoor(
        PublicTrackCall, None, verified(TRACK_SET, lambda call: call.user_id is not None)
    ),
    "leads.capture": CallersDoor(CaptureLeadCall, Accepted, _silent(CAPTURE_LEAD_SET)),
}
#: The same doors by an ingest key.
PROVEN: Final[Mapping[str, CallersDoor]] = {
    "identify": CallersDoor(IdentifyCall, None, IDENTIFY_PROVEN_SET),
    "companies.identify": CallersDoor(IdentifyCompanyCall, None, IDENTIFY_COMPANY_SET),
    "track": CallersDoor(TrackCall, None, TRACK_SET),
    "leads.capture": CallersDoor(CaptureLeadCall, None, CAPTURE_LEAD_SET),
}
