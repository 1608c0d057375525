"""Calls with one address at one moment, at doors that take contacts by the batch (decision 4)."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Engine

from halo_engine.contacts.csv_import.importing import ImportCsvCall, import_csv
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.contacts.identifying.leads import CaptureLeadCall, capture_lead
from halo_engine.contacts.identifying.sync import SyncCall, sync
from halo_engine.contacts.stripe.sync import StripeWebhookCall, stripe_webhook
from halo_engine.opening import open_work
from halo_engine.tables import end_users
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    committed_organization,
    committing,
    rows,
    while_open,
)

Door = Callable[[Work], object]

EMAIL = "Ann@a.example"


def left(work: Work) -> object:
    """Leave the email in the lead form."""
    return capture_lead(work, CaptureLeadCall(email=EMAIL.lower()))


def synced(work: Work, **known_by: str) -> object:
    """Take a contact of that email from an integration."""
    return sync(work, SyncCall(source="crm", contacts=[{"email": EMAIL, **known_by}]))


def billed(work: Work, **known_by: str) -> object:
    """Take a customer of that email from Stripe's webhook."""
    customer = {"id": "cus_1", "email": EMAIL, "metadata": known_by}
    event = {
        "id": "evt_1",
        "type": "customer.created",
        "created": int(NOW.timestamp()),
        "data": {"object": customer},
    }
    return stripe_webhook(work, StripeWebhookCall(event=event))


def imported(work: Work) -> object:
    """Import a file with that email."""
    return import_csv(work, ImportCsvCall(text=f"E,T\n{EMAIL},big\n", mapping={"E": "email"}))


@pytest.mark.parametrize(
    "door",
    [partial(synced, user_id="ann"), partial(billed, user_id="ann")],
    ids=["sync", "Stripe"],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_batch_and_the_lead_form_make_one_contact(
    database: Engine, door: Door, is_first: bool
) -> None:
    """A batch and a lead form with one email make one contact: the second waits for the first."""
    org = committed_organization(database)
    first, second = (door, left) if is_first else (left, door)
    while_open(database, org, first, lambda: committing(database, org)(second))
    assert len(users(database, org)) == 1


@pytest.mark.parametrize("door", [synced, imported, billed])
def test_a_batch_finds_who_has_the_email_next(database: Engine, door: Door) -> None:
    """If the first of two contacts gives up their shared email while a batch waits, the batch finds
    the second.
    """
    org = committed_organization(database)
    with database.begin() as connection:
        for user in ("ann", "ben"):
            add_contact(open_work(connection, org, NOW), user, email=EMAIL)
    renamed = IdentifyCall(user_id="ann", traits={"email": "new@a.example"})
    while_open(
        database,
        org,
        lambda work: identify(work, renamed),
        lambda: committing(database, org)(door),
    )
    assert users(database, org) == ["ann", "ben"]


def users(database: Engine, org: OrgRef) -> list[str | None]:
    """Return the external IDs of the organisation's contacts, in order of creation."""
    with database.connect() as connection:
        found = rows(open_work(connection, org, NOW), end_users, "external_id")
    return [user for (user,) in found]
