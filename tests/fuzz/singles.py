"""Calls that come one by one: every other one is good, and has to go in."""

from typing import Any

import jwt
import pytest
from sqlalchemy import func, select

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.contacts.identifying.leads import (
    AddContactCall,
    CaptureLeadCall,
    add_contact,
    capture_lead,
)
from halo_engine.contacts.identifying.update import UpdateCall, update
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall, stripe_subscription
from halo_engine.contacts.stripe.sync import StripeWebhookCall, stripe_webhook
from halo_engine.domain.errors import Refusal
from halo_engine.tables import end_users
from halo_engine.work import OrgRef
from tests.fuzz.hostile import EMAILS, TEXTS, hostile_value, spoiled
from tests.fuzz.target import LEADS, SECRET, Target


def _traits(target: Target, number: int) -> dict[str, Any]:
    return {
        "email": f"p{number}@x.example",
        "name": target.canary,
        "plan": target.canary,
        "mrr": number,
        "signed_up_at": "2026-01-02",
    }


def _who(target: Target, number: int) -> str:
    return target.random.choice((f"p{number}", next(target.users)))


def _play(target: Target, model: Any, door: Any, call: dict[str, Any]) -> Any:
    """Make a good call, or spoil it; return the answer to a good one, which is no refusal."""
    if target.random.random() < 0.5:
        target.ask(model, door, spoiled(target.random, call))
        return None
    answer = target.ask(model, door, call)
    assert not isinstance(answer, Refusal), (call, answer)
    return answer


def play_identify(target: Target) -> None:
    """Identify somebody; the token may be another's, or none."""
    number = target.number()
    user_id = _who(target, number)
    call = {
        "user_id": user_id,
        "traits": _traits(target, number),
        "context": {"page": target.canary},
        "session_id": f"session {number}",
        "user_token": target.token(user_id=user_id),
    }
    if (answer := _play(target, IdentifyCall, identify, call)) is not None:
        assert answer.stored.traits["plan"] == target.canary


def play_anything_identified(target: Target) -> None:
    """Identify whoever it is: the token is good, so what is said is looked at."""
    target.number()
    user_id = hostile_value(target.random)
    token = target.token(user_id=user_id) if isinstance(user_id, str) else None
    traits = spoiled(target.random, {"plan": hostile_value(target.random), "nested": {"a": 1}})
    call = {"user_id": user_id, "user_token": token, "traits": traits}
    target.ask(IdentifyCall, identify, call)


def play_token(target: Target) -> None:
    """Identify with a token that proves nothing: a 401, whatever else is said."""
    number, random = target.number(), target.random
    claims = {
        "user_id": random.choice(("somebody else", 5, None, ["x"], "\ud800")),
        "exp": random.choice((0, -1, 2**63, "soon", None, True, 1.5, [])),
        "scope": random.choice(("users.update", "users", 5)),
    }
    tokens = (
        jwt.encode(claims, SECRET),
        jwt.encode({"user_id": f"p{number}", "exp": 5}, SECRET),
        jwt.encode({"user_id": f"p{number}"}, SECRET[::-1]),
        jwt.encode({"user_id": f"p{number}"}, "", algorithm="none"),
        jwt.encode({"user_id": f"p{number}"}, SECRET, algorithm="HS512"),
        "a.b.c",
        "..",
        None,
        random.choice(TEXTS),
    )
    token = random.choice(tokens)
    answer = target.ask(IdentifyCall, identify, {"user_id": f"p{number}", "user_token": token})
    assert isinstance(answer, Refusal)
    assert answer.status == 401
    call = {"users": [{"user_id": f"p{number}"}], "user_token": token}
    answer = target.ask(UpdateCall, update, call)
    assert isinstance(answer, Refusal)
    assert answer.status == 401


def play_company(target: Target) -> None:
    """Identify a company, and somebody in it."""
    number = target.number()
    traits = {"name": target.canary, "size": number, "mrr": 1.5, "renewal_date": "2027-01-01"}
    call = {"id": target.random.choice(("acme", f"c{number}")), "traits": traits}
    call["user_id"] = next(target.users)
    _play(target, IdentifyCompanyCall, identify_company, call)


def play_lead(target: Target) -> None:
    """Leave an email in the lead form."""
    number = target.number()
    email = target.random.choice((*LEADS, *[f"l{number}@x.example"] * len(LEADS)))
    call = {"email": email, "traits": {"name": target.canary, "source_page": "/"}}
    _play(target, CaptureLeadCall, capture_lead, call)


def play_teammate(target: Target) -> None:
    """Add a contact that is new."""
    number = target.number()
    call = {"user_id": f"t{number}", "email": f"t{number}@x.example", "traits": {"plan": "pro"}}
    if number % 10 == 0:
        answer = target.ask(AddContactCall, add_contact, {**call, "user_id": next(target.users)})
        assert answer.status == 409
    if (answer := _play(target, AddContactCall, add_contact, call)) is not None:
        assert answer.created


def play_plain_subscription(target: Target) -> None:
    """Keep a subscription that an application knows of."""
    number = target.number()
    call = {
        "user_id": _who(target, number),
        "status": "active",
        "plan": target.canary,
        "trial_end": "2026-06-15T00:00:00Z",
        "cancel_at_period_end": False,
    }
    _play(target, StripeSubscriptionCall, stripe_subscription, call)


def play_webhook(target: Target) -> None:
    """Take an event of Stripe's; it is the event, its data or the object that is spoiled."""
    number, random = target.number(), target.random
    user_id = _who(target, number)
    customer: str | dict[str, str] = f"cus_{number}"
    if random.random() < 0.5:
        # A lead who turns out to be the user.
        lead = f"w{number}@x.example"
        target.ask(CaptureLeadCall, capture_lead, {"email": lead})
        customer = {"id": f"cus_{number}", "email": lead}
    object_ = {
        "id": f"sub_{number}",
        "customer": customer,
        "status": "trialing",
        "items": {"data": [{"price": {"id": "p", "nickname": target.canary}}]},
        "trial_end": int(target.sandbox.now.timestamp()) + number,
        "cancel_at_period_end": False,
        "metadata": {"user_id": user_id},
    }
    if is_spoiled := random.random() < 0.5:
        object_ = spoiled(random, object_)
    event = {
        "id": f"evt_{number}",
        "type": "customer.subscription.trial_will_end",
        "created": int(target.sandbox.now.timestamp()) - number,
        "data": {"object": object_},
    }
    if is_spoiled and random.random() < 0.3:
        event = spoiled(random, event)
    answer = target.ask(StripeWebhookCall, stripe_webhook, {"event": event})
    if not is_spoiled:
        assert answer.event == "stripe.trial_will_end"


def play_erasure(target: Target) -> None:
    """Erase somebody who came a moment ago, or whoever that is."""
    number, user_id = target.number(), f"e{target.inputs}"
    if target.random.random() < 0.5:
        name = target.random.choice((hostile_value(target.random), f"nobody {number}"))
        target.ask(EraseContactCall, erase_contact, {"contact": name})
        return
    token = target.token(user_id=user_id)
    target.ask(IdentifyCall, identify, {"user_id": user_id, "user_token": token})
    answer = target.ask(EraseContactCall, erase_contact, {"contact": user_id})
    assert not isinstance(answer, Refusal)
    is_it = (end_users.c.org_id == target.org_id, end_users.c.external_id == user_id)
    assert target.read(select(func.count()).select_from(end_users).where(*is_it)) == [0]


def play_widget_key(target: Target) -> None:
    """Call with a key that names nobody: a 401, whatever it is; by an operator's key a 404."""
    target.number()
    key = target.random.choice((*TEXTS, *EMAILS))
    for ref, status in ((OrgRef(widget_key=key), 401), (OrgRef(key=key), 404)):
        with pytest.raises(Refusal) as raised:
            target.sandbox.engine.perform(ref, lambda work: work.org_id)
        target.hear(raised.value)
        assert raised.value.status == status


#: Each, and how many of a hundred calls it is.
SINGLES = (
    (play_identify, 24),
    (play_anything_identified, 16),
    (play_token, 8),
    (play_company, 6),
    (play_lead, 8),
    (play_teammate, 8),
    (play_plain_subscription, 8),
    (play_webhook, 14),
    (play_erasure, 4),
    (play_widget_key, 4),
)
