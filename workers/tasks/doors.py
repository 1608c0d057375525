"""The doors of contract §2 as tasks, each under the name by which applications call it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.companies import IdentifyCompanyCall, identify_company
from halo_engine.contacts.csv_import import ImportCsvCall, import_csv
from halo_engine.contacts.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.identify import IdentifyCall, identify
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
from halo_engine.contacts.suppression import BounceCall, bounce
from halo_engine.contacts.sync import SyncCall, sync
from halo_engine.contacts.track import TrackCall, track
from halo_engine.contacts.update import UpdateCall, update
from halo_engine.domain.errors import Refusal, validated
from halo_engine.work import OrgRef, Work
from workers.app import app
from workers.engine import engine
from workers.engine_task import EngineTask

#: How often a task that met an unknown contact tries again: about a minute in all (contract §2).
_OVERTAKEN_RETRIES = 12
_OVERTAKEN_PAUSE_SECONDS = 5


class _Knock(Call):
    """What every call of a door names beside what it says: the organisation, by its widget key."""

    widget_key: Identifier


def _door(name: str, call: type[Call], door: Callable[[Work, Any], BaseModel]) -> None:
    """Make the task form of a door; the organisation is named by its widget key (contract §2)."""

    @app.task(name=name, bind=True)
    def run(task: EngineTask, /, **fields: Any) -> Any:
        knocking = validated(_Knock, {"widget_key": fields.pop("widget_key", None)}, name)
        asked = validated(call, fields, name)
        try:
            answered = engine().perform(
                OrgRef(widget_key=knocking.widget_key), lambda work: door(work, asked)
            )
        except Refusal as refusal:
            # Tasks overtake each other: the identify that creates the contact may be on its way.
            overtaken = refusal.code == "unknown_contact"
            if overtaken and task.request.retries < _OVERTAKEN_RETRIES:
                raise task.retry(
                    countdown=_OVERTAKEN_PAUSE_SECONDS, max_retries=_OVERTAKEN_RETRIES
                ) from None
            raise
        return answered.model_dump(mode="json")


#: The doors of contract §2, each under the name by which applications call it.
DOORS: Final[Mapping[str, tuple[type[Call], Callable[[Work, Any], BaseModel]]]] = {
    "halo.identify": (IdentifyCall, identify),
    "halo.companies.identify": (IdentifyCompanyCall, identify_company),
    "halo.track": (TrackCall, track),
    "halo.users.update": (UpdateCall, update),
    "halo.contacts.import_csv": (ImportCsvCall, import_csv),
    "halo.contacts.add": (AddContactCall, add_contact),
    "halo.contacts.sync": (SyncCall, sync),
    "halo.contacts.erase": (EraseContactCall, erase_contact),
    "halo.leads.capture": (CaptureLeadCall, capture_lead),
    "halo.stripe.subscription": (StripeSubscriptionCall, stripe_subscription),
    "halo.stripe.sync": (StripeSyncCall, stripe_sync),
    "halo.stripe.webhook": (StripeWebhookCall, stripe_webhook),
    "halo.lists.subscribe": (SubscribeCall, subscribe),
    "halo.lists.unsubscribe": (UnsubscribeCall, unsubscribe),
    "halo.mail.bounced": (BounceCall, bounce),
    "halo.mail.opened": (MailCall, open_mail),
    "halo.mail.clicked": (MailCall, click_mail),
    "halo.mail.replied": (MailCall, reply_to_mail),
}
for _name, (_call, _function) in DOORS.items():
    _door(_name, _call, _function)
