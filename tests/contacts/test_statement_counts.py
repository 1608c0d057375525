"""A batch of 500 takes as many statements as a batch of one, at every door that takes batches."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe_all,
    unsubscribe_all,
)
from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.contacts.consent.suppression import BounceCall, bounce_all
from halo_engine.contacts.csv_import.importing import ImportCsvCall, import_csv
from halo_engine.contacts.events.track import TrackCall, track_all
from halo_engine.contacts.identifying.sync import SyncCall, sync
from halo_engine.contacts.identifying.update import UpdateCall, update
from halo_engine.contacts.stripe.sync import StripeSyncCall, stripe_sync
from halo_engine.mail.incoming.events import MailCall, MailEvent, note_all
from halo_engine.rehearsal.tokens import signed
from halo_engine.work import Work
from tests.contacts.sandbox import add_contact, add_message, add_series, statements

SECRET = "a secret of thirty-two bytes or more"

Names = Sequence[str]


def backfilled(work: Work, names: Names) -> None:
    """Backfill these users."""
    token = signed({"scope": "users.update"}, SECRET, work.now, timedelta(minutes=5))
    users = [{"user_id": name, "traits": {"email": f"{name}@x.example"}} for name in names]
    update(work, UpdateCall(users=users, user_token=token))


def synced(work: Work, names: Names) -> None:
    """Take them from an integration."""
    contacts = [{"user_id": name, "traits": {"plan": "pro"}} for name in names]
    sync(work, SyncCall(source="crm", contacts=contacts))


def imported(work: Work, names: Names) -> None:
    """Import them, a line each."""
    text = "".join(f"{name},free\n" for name in names)
    mapping = {"ID": "external_id", "Plan": "plan"}
    import_csv(work, ImportCsvCall(text=f"ID,Plan\n{text}", mapping=mapping))


def subscribed_at_stripe(work: Work, names: Names) -> None:
    """Take a subscription of each."""
    subscriptions = [
        {"id": f"sub {name}", "customer": f"cus {name}", "metadata": {"user_id": name}}
        for name in names
    ]
    stripe_sync(work, StripeSyncCall(subscriptions=subscriptions))


def tracked(work: Work, names: Names) -> None:
    """Track an event of each, twice under one key: the second time the answers are looked up."""
    calls = [TrackCall(event="paid", user_id=name, idempotency_key=name) for name in names]
    track_all(work, calls)
    track_all(work, calls)


def subscribed(work: Work, names: Names) -> None:
    """Put them on a list, and take them off everything."""
    subscribe_all(work, [SubscribeCall(contact=name, list="news") for name in names])
    unsubscribe_all(work, [UnsubscribeCall(contact=name) for name in names])


def bounced(work: Work, names: Names) -> None:
    """Bounce their addresses."""
    bounce_all(work, [BounceCall(contact=name) for name in names])


def noted(event: MailEvent, work: Work, names: Names) -> None:
    """Note what became of a mail to each."""
    note_all(event, work, [MailCall(message_id=f"<{name}>") for name in names])


#: What is done, and in how many statements. The first four make contacts.
DOORS: dict[str, tuple[Callable[[Work, Names], Any], int]] = {
    "update": (backfilled, 1),
    "sync": (synced, 2),
    # How a custom field is registered, whom the rows name, and all that is written.
    "CSV import": (imported, 3),
    "Stripe": (subscribed_at_stripe, 2),
    "track, and again": (tracked, 1 + 2),
    "subscribe, unsubscribe": (subscribed, 1 + 2),
    "bounce": (bounced, 1),
    "open": (partial(noted, MailEvent.OPENED), 1),
    "reply": (partial(noted, MailEvent.REPLIED), 1),
}


@pytest.mark.parametrize("door", DOORS)
def test_500_take_the_statements_of_one(work: Work, door: str) -> None:
    """Known contacts, and new ones where the door creates them, take the same statements by one or
    by 500.
    """
    work = replace(work, org=replace(work.org, identity_secret=SECRET))
    create_list(work, "news")
    series_id = add_series(work, "letters", "hi")
    for name in (known := [f"known {n}" for n in range(501)]):
        contact_id = add_contact(work, name, email=f"{name}@x.example")
        if door in ("open", "reply"):
            add_message(work, contact_id, series_id, "hi", message_id=f"<{name}>")
    act, expected = DOORS[door]
    batches = [known[:1], known[1:]]
    if door in [*DOORS][:4]:
        batches += [["new 0"], [f"new {n}" for n in range(1, 501)]]
    for batch in batches:
        with statements(work.connection) as seen:
            act(work, batch)
        assert len(seen) == expected
