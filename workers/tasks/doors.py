"""The doors of contract §2 as tasks, each under the name by which applications call it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from halo_engine.contacts.calls import Call, Identifier, SentAt
from halo_engine.contacts.companies import IdentifyCompanyCall, identify_company
from halo_engine.contacts.complaints import complain
from halo_engine.contacts.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.identify import IdentifyCall, identify, identifying
from halo_engine.contacts.leads import (
    AddContactCall,
    CaptureLeadCall,
    add_contact,
    capture_lead,
)
from halo_engine.contacts.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.mail_events import MailCall, click_mail, open_mail, reply_to_mail
from halo_engine.contacts.stripe import StripeSubscriptionCall, stripe_subscription
from halo_engine.contacts.stripe_sync import (
    StripeSyncCall,
    StripeWebhookCall,
    stripe_sync,
    stripe_webhook,
)
from halo_engine.contacts.suppression import BounceCall, ComplaintCall, bounce
from halo_engine.contacts.sync import SyncCall, sync
from halo_engine.contacts.track import TrackCall, track
from halo_engine.contacts.update import UpdateCall, update
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.instants import format_instant
from halo_engine.pipeline.import_csv import ImportOrTryCall, import_or_try
from halo_engine.work import Organization, OrgRef, Trip, Work
from workers.app import app
from workers.engine import engine
from workers.engine_task import EngineTask
from workers.orders import sending_time

#: How often a task that met an unknown contact tries again: about a minute in all (contract §2).
_OVERTAKEN_RETRIES = 12
_OVERTAKEN_PAUSE_SECONDS = 5


class _Knock(Call):
    """What every door's call carries besides its own fields: the organisation's widget key, and
    when the call was sent, which some doors use.
    """

    widget_key: Identifier
    sent_at: SentAt = None


class _Door(NamedTuple):
    """A door: what it is called with, what it does, and how it does that in one round trip."""

    call: type[Call]
    perform: Callable[[Work, Any], BaseModel]
    by_trip: Callable[[Any, Organization, datetime | None], Trip[BaseModel] | None] | None = None


def _task(name: str, door: _Door) -> None:
    """Make the task form of a door; the organisation is named by its widget key (contract §2)."""

    @app.task(name=name, bind=True)
    def run(task: EngineTask, /, **fields: Any) -> Any:
        knock = {key: fields.pop(key) for key in _Knock.model_fields if key in fields}
        knocking = validated(_Knock, knock, name)
        sent_at = sending_time(task.request, knocking.sent_at)
        dated = {"sent_at": sent_at} if "sent_at" in door.call.model_fields else {}
        asked = validated(door.call, {**fields, **dated}, name)
        try:
            answered = engine().perform(
                OrgRef(widget_key=knocking.widget_key),
                lambda work: door.perform(work, asked),
                by_trip=door.by_trip and partial(door.by_trip, asked),
            )
        except Refusal as refusal:
            # Tasks overtake each other: the identify that creates the contact may be on its way.
            overtaken = refusal.code == "unknown_contact"
            if overtaken and task.request.retries < _OVERTAKEN_RETRIES:
                again = {**knock, **fields, "sent_at": sent_at or format_instant(datetime.now(UTC))}
                raise task.retry(
                    kwargs=again,
                    countdown=_OVERTAKEN_PAUSE_SECONDS,
                    max_retries=_OVERTAKEN_RETRIES,
                ) from None
            raise
        return answered.model_dump(mode="json")


#: The doors of contract §2, each under the name by which applications call it.
DOORS: Final[Mapping[str, _Door]] = {
    "halo.identify": _Door(IdentifyCall, identify, identifying),
    "halo.companies.identify": _Door(IdentifyCompanyCall, identify_company),
    "halo.track": _Door(TrackCall, track),
    "halo.users.update": _Door(UpdateCall, update),
    "halo.contacts.import_csv": _Door(ImportOrTryCall, import_or_try),
    "halo.contacts.add": _Door(AddContactCall, add_contact),
    "halo.contacts.sync": _Door(SyncCall, sync),
    "halo.contacts.erase": _Door(EraseContactCall, erase_contact),
    "halo.leads.capture": _Door(CaptureLeadCall, capture_lead),
    "halo.stripe.subscription": _Door(StripeSubscriptionCall, stripe_subscription),
    "halo.stripe.sync": _Door(StripeSyncCall, stripe_sync),
    "halo.stripe.webhook": _Door(StripeWebhookCall, stripe_webhook),
    "halo.lists.subscribe": _Door(SubscribeCall, subscribe),
    "halo.lists.unsubscribe": _Door(UnsubscribeCall, unsubscribe),
    "halo.mail.bounced": _Door(BounceCall, bounce),
    "halo.mail.complained": _Door(ComplaintCall, complain),
    "halo.mail.opened": _Door(MailCall, open_mail),
    "halo.mail.clicked": _Door(MailCall, click_mail),
    "halo.mail.replied": _Door(MailCall, reply_to_mail),
}
for _name, _door in DOORS.items():
    _task(_name, _door)
