"""The doors of applications (contract §2). A task names the organisation by its widget key."""

from typing import Final

from halo_engine.contacts.companies.identify import (
    IDENTIFY_COMPANY_SET,
    IdentifyCompanyAnswer,
    IdentifyCompanyCall,
    identify_company,
)
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    Subscribed,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.suppression import BounceCall, ComplaintCall, bounce
from halo_engine.contacts.csv_import.importing import ImportCsvAnswer
from halo_engine.contacts.erasure.batches import (
    EraseContactsCall,
    ErasedContacts,
    erase_contacts,
)
from halo_engine.contacts.events.track import TRACK_SET, TrackAnswer, TrackCall, track
from halo_engine.contacts.finding import Noted
from halo_engine.contacts.identifying.answers import ContactAnswer
from halo_engine.contacts.identifying.identify import (
    IDENTIFY_SET,
    IdentifyAnswer,
    IdentifyCall,
    identify,
    identifying,
)
from halo_engine.contacts.identifying.leads import (
    CAPTURE_LEAD_SET,
    AddContactCall,
    CaptureLeadAnswer,
    CaptureLeadCall,
    add_contact,
    capture_lead,
)
from halo_engine.contacts.identifying.sync import SyncAnswer, SyncCall, sync
from halo_engine.contacts.identifying.update import UpdateAnswer
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall, stripe_subscription
from halo_engine.contacts.stripe.sync import (
    StripeSyncAnswer,
    StripeSyncCall,
    StripeWebhookAnswer,
    StripeWebhookCall,
    stripe_sync,
    stripe_webhook,
)
from halo_engine.domain.roles import Role
from halo_engine.doors.acts import Write
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import ONE_CONTACT, About, answered, nothing, the_user
from halo_engine.mail.incoming.complaints import complain
from halo_engine.mail.incoming.events import (
    MailCall,
    ReadMailCall,
    click_mail,
    open_mail,
    reply_to_mail,
)
from halo_engine.pipeline.batches.import_csv import ImportOrTryCall, import_or_try
from halo_engine.pipeline.batches.update_users import UpdateOrTryCall, update_or_try

#: The counts in an answer about many contacts.
_COUNTS: Final = ("created", "updated", "bad", "skipped")

_PUBLIC: Final[tuple[AnyDoor, ...]] = (
    Door(
        "identify",
        "Create or change a user; series react.",
        IdentifyCall,
        IdentifyAnswer,
        Role.INGEST,
        Write(identify, in_one_trip=identifying, as_set=IDENTIFY_SET),
        ONE_CONTACT,
    ),
    Door(
        "companies.identify",
        "Create or change a company, and move a user into it; series react.",
        IdentifyCompanyCall,
        IdentifyCompanyAnswer,
        Role.INGEST,
        Write(identify_company, as_set=IDENTIFY_COMPANY_SET),
    ),
    Door(
        "track",
        "Track an event of a user or a session; series react.",
        TrackCall,
        TrackAnswer,
        Role.INGEST,
        Write(track, as_set=TRACK_SET),
        About(the_user, says=("event",)),
    ),
    Door(
        "users.update",
        "Create or change a batch of users, which enrolls nobody; or say what that would do.",
        UpdateOrTryCall,
        UpdateAnswer,
        Role.INGEST,
        Write(update_or_try),
    ),
    Door(
        "leads.capture",
        "Make a lead of an email that was left in a form.",
        CaptureLeadCall,
        CaptureLeadAnswer,
        Role.INGEST,
        Write(capture_lead, as_set=CAPTURE_LEAD_SET),
    ),
)

#: Over HTTP these need an operator's key: the widget key is public.
_PRIVATE: Final[tuple[AnyDoor, ...]] = (
    Door(
        "contacts.add",
        "Add a contact by hand; series react.",
        AddContactCall,
        ContactAnswer,
        Role.EDITOR,
        Write(add_contact),
        ONE_CONTACT,
    ),
    Door(
        "contacts.sync",
        "Create or change a batch of contacts that an integration knows; series react.",
        SyncCall,
        SyncAnswer,
        Role.EDITOR,
        Write(sync),
        About(nothing, says=("source",), answers=_COUNTS),
    ),
    Door(
        "contacts.import_csv",
        "Import the text of a CSV file, or say what an import would do.",
        ImportOrTryCall,
        ImportCsvAnswer,
        Role.EDITOR,
        Write(import_or_try),
        About(nothing, answers=_COUNTS),
    ),
    Door(
        "contacts.erase",
        "Erase a contact and everything about it.",
        EraseContactCall,
        Noted,
        Role.ADMIN,
        Write(erase_contact),
        ONE_CONTACT,
    ),
    Door(
        "contacts.erase_many",
        "Erase up to 500 contacts and everything about them, or say in numbers what goes.",
        EraseContactsCall,
        ErasedContacts,
        Role.ADMIN,
        Write(erase_contacts),
        About(nothing, answers=("contacts",)),
    ),
    Door(
        "lists.subscribe",
        "Put a contact on a list, or ask it to confirm that.",
        SubscribeCall,
        Subscribed,
        Role.EDITOR,
        Write(subscribe),
        About(answered, says=("list", "confirmed")),
    ),
    Door(
        "lists.unsubscribe",
        "Take a contact off a list, or unsubscribe it from everything.",
        UnsubscribeCall,
        Noted,
        Role.EDITOR,
        Write(unsubscribe),
        About(answered, says=("list",)),
    ),
    Door(
        "stripe.subscription",
        "Keep what is known of a customer's subscription; series react.",
        StripeSubscriptionCall,
        ContactAnswer,
        Role.EDITOR,
        Write(stripe_subscription),
        ONE_CONTACT,
    ),
    Door(
        "stripe.sync",
        "Keep a list of subscriptions as Stripe's API gives them; series react.",
        StripeSyncCall,
        StripeSyncAnswer,
        Role.EDITOR,
        Write(stripe_sync),
        About(nothing, answers=_COUNTS),
    ),
    Door(
        "stripe.webhook",
        "Take an event that Stripe sent; series react.",
        StripeWebhookCall,
        StripeWebhookAnswer,
        Role.EDITOR,
        Write(stripe_webhook),
        ONE_CONTACT,
    ),
    Door(
        "mail.bounced",
        "Suppress an address to which mail came back for good.",
        BounceCall,
        Noted,
        Role.EDITOR,
        Write(bounce),
        ONE_CONTACT,
    ),
    Door(
        "mail.complained",
        "Unsubscribe a contact that complained from everything.",
        ComplaintCall,
        Noted,
        Role.EDITOR,
        Write(complain),
        ONE_CONTACT,
    ),
    Door(
        "mail.opened",
        "Note that a mail was opened.",
        ReadMailCall,
        Noted,
        Role.EDITOR,
        Write(open_mail),
        ONE_CONTACT,
    ),
    Door(
        "mail.clicked",
        "Note that a link in a mail was clicked.",
        ReadMailCall,
        Noted,
        Role.EDITOR,
        Write(click_mail),
        ONE_CONTACT,
    ),
    Door(
        "mail.replied",
        "Note that a mail was replied to.",
        MailCall,
        Noted,
        Role.EDITOR,
        Write(reply_to_mail),
        ONE_CONTACT,
    ),
)

DOORS: Final = (*_PUBLIC, *_PRIVATE)
