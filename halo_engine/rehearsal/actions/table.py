"""The actions of a timeline, by name."""

from typing import Any, Final

from pydantic import Field

from halo_engine.contacts.calls import Call
from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.subscriptions import SaveListCall, save_list
from halo_engine.contacts.consent.suppression import ComplaintCall
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.leads import (
    AddContactCall,
    CaptureLeadCall,
    add_contact,
    capture_lead,
)
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall, stripe_subscription
from halo_engine.domain.errors import bad_input, shown, validated
from halo_engine.mail.incoming.complaints import complain
from halo_engine.mail.incoming.events import MailCall, click_mail, open_mail, reply_to_mail
from halo_engine.rehearsal.actions.batches import import_file, update
from halo_engine.rehearsal.actions.confirming import ConfirmCall, follow_confirmation
from halo_engine.rehearsal.actions.contacts import (
    bounce_address,
    identify_user,
    lift_suppression,
    remove_contact,
)
from halo_engine.rehearsal.actions.doors import Action, at_door, operation
from halo_engine.rehearsal.actions.mail_settings import MailSettingsCall, change_mail_settings
from halo_engine.rehearsal.actions.mails import read_by, receive_mail
from halo_engine.rehearsal.actions.series import plan_save, release, save, stop
from halo_engine.rehearsal.calendar import move_clock, target_of
from halo_engine.rehearsal.sandbox import Sandbox
from halo_engine.series import lifecycle


class UnknownActionError(Exception):
    """A name that is no action: the file is wrong, and no door refused anything."""


def play(sandbox: Sandbox, name: str, value: Any) -> str | None:
    """Play an action and settle; return how its answer differs from the ``expect`` beside it.

    Raises the door's Refusal, or UnknownActionError.
    """
    if name == "at":
        move_clock(sandbox, target_of(sandbox, value))
        return None
    if name == "repeat":
        return _repeat(sandbox, value)
    if name not in ACTIONS:
        known = ", ".join(("at", "repeat", "expect", *ACTIONS))
        raise UnknownActionError(f"{shown(name)} is no action; allowed are {known}")
    problem = ACTIONS[name](sandbox, value)
    sandbox.settle()
    return problem


class _Repeat(Call):
    times: int = Field(ge=1, le=1000)
    action: dict[str, Any] = Field(min_length=1, max_length=1)


def _repeat(sandbox: Sandbox, value: Any) -> str | None:
    """Play an action several times, like a duplicated task."""
    repeated = validated(_Repeat, value, "repeat")
    [(name, action)] = repeated.action.items()
    problems = [play(sandbox, name, action) for _ in range(repeated.times)]
    return next(filter(None, problems), None)


def _restart(_sandbox: Sandbox, value: Any) -> None:
    """Do nothing: each action makes a new engine, so no memory is kept anyway."""
    if value not in ({}, None):
        raise bad_input("restart", "takes nothing: {}")


ACTIONS: Final[dict[str, Action]] = {
    "identify": identify_user,
    "identify_company": at_door(IdentifyCompanyCall, identify_company, "identify_company"),
    "track": at_door(TrackCall, track, "track"),
    "update": update,
    "import_csv": import_file,
    "capture_lead": at_door(CaptureLeadCall, capture_lead, "capture_lead"),
    "add_contact": at_door(AddContactCall, add_contact, "add_contact"),
    "stripe_subscription": at_door(
        StripeSubscriptionCall, stripe_subscription, "stripe_subscription"
    ),
    "subscribe": at_door(SubscribeCall, subscribe, "subscribe"),
    "save_list": at_door(SaveListCall, save_list, "save_list"),
    "confirm": at_door(ConfirmCall, follow_confirmation, "confirm"),
    "change_org": at_door(MailSettingsCall, change_mail_settings, "change_org"),
    "unsubscribe": at_door(UnsubscribeCall, unsubscribe, "unsubscribe"),
    "bounce": bounce_address,
    "complain": at_door(ComplaintCall, complain, "complain"),
    "unsuppress": lift_suppression,
    "open": read_by(open_mail, "open"),
    "click": read_by(click_mail, "click"),
    "reply": at_door(MailCall, reply_to_mail, "reply"),
    "receive": receive_mail,
    "remove": remove_contact,
    "erase": at_door(EraseContactCall, erase_contact, "erase"),
    "activate": operation(lifecycle.activate, "activate"),
    "pause": operation(lifecycle.pause, "pause"),
    "resume": operation(lifecycle.resume, "resume"),
    "stop": stop,
    "release": release,
    "save": save,
    "plan": plan_save,
    "restart": _restart,
}
