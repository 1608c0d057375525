"""A Stripe customer turns out to be a user: one contact, in whatever order events come (§2)."""

from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, insert, update

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.lists import SubscribeCall, subscribe
from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.contacts.events.sessions import link_sessions
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.contacts.identifying.sync import SyncCall, sync
from halo_engine.contacts.stripe import absorption
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall, stripe_subscription
from halo_engine.contacts.stripe.sync import StripeWebhookCall, stripe_webhook
from halo_engine.domain.errors import validated
from halo_engine.domain.series.signals import EVERYTHING
from halo_engine.pipeline.react import react
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    end_users,
    event_counts,
    events,
    messages,
    metadata,
    subscription_members,
    waiting_entries,
)
from halo_engine.work import Work
from tests.contacts.racing import at_once
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    add_contact,
    add_message,
    add_run,
    add_series,
    committed_organization,
    committing,
    rows,
    written_signals,
)

AT = int(NOW.timestamp())
WHO = ("external_id", "email", "stripe_customer_id", "stripe_subscription_status")

#: All that Stripe tells of a new customer; the user is named by one of them alone.
CUSTOMER = {"id": "cus_1", "email": "ann@a.example", "metadata": {}}
SUBSCRIPTION = {"id": "sub_1", "customer": "cus_1", "status": "active"}
INVOICE = {"id": "in_1", "customer": "cus_1", "customer_email": "ann@a.example", "amount_paid": 5}
NAMED = {"user_id": "ann"}


def take_event(work: Work, type_: str, data: dict[str, Any], id_: str = "evt") -> UUID | None:
    """Take an event of Stripe's; return whom it is about."""
    event = {"id": id_, "type": type_, "created": AT, "data": {"object": data}}
    return stripe_webhook(work, validated(StripeWebhookCall, {"event": event}, "webhook")).id


def created_lead(work: Work) -> UUID:
    """Have Stripe tell of a customer whose user it does not name."""
    lead = take_event(work, "customer.created", CUSTOMER, "evt_lead")
    assert lead is not None
    return lead


def named_as_ann(work: Work) -> UUID | None:
    """Have Stripe tell that the customer is Ann."""
    return take_event(work, "customer.subscription.updated", {**SUBSCRIPTION, "metadata": NAMED})


@pytest.mark.parametrize(
    "named",
    [
        ("customer.created", {**CUSTOMER, "metadata": NAMED}),
        ("customer.subscription.created", {**SUBSCRIPTION, "metadata": NAMED}),
        ("invoice.paid", {**INVOICE, "metadata": NAMED}),
        ("invoice.paid", {**INVOICE, "parent": {"subscription_details": {"metadata": NAMED}}}),
        ("invoice.paid", {**INVOICE, "subscription_details": {"metadata": NAMED}}),
    ],
    ids=["customer", "subscription", "invoice", "invoice's parent", "invoice's subscription"],
)
@pytest.mark.parametrize("ann_is_known", [False, True])
def test_a_user_is_recognised_whenever_and_wherever_stripe_names_it(
    work: Work, named: tuple[str, dict[str, Any]], ann_is_known: bool
) -> None:
    """Every order of the events ends with one user, with the address and the subscription."""
    unnamed: dict[str, dict[str, Any]] = {
        "customer.created": CUSTOMER,
        "customer.subscription.created": SUBSCRIPTION,
        "invoice.paid": INVOICE,
    }
    for first, *later in permutations(unnamed):
        # Of a customer's id alone nobody is known yet: a task tries again, and so comes last.
        is_nobody = first == "customer.subscription.created" != named[0]
        order = (*later, first) if is_nobody else (first, *later)
        savepoint = work.connection.begin_nested()
        if ann_is_known:
            add_contact(work, "ann")
        for type_ in order:
            take_event(work, type_, {**unnamed, named[0]: named[1]}[type_], id_=type_)
        email = None if ann_is_known and order[0] == named[0] else "ann@a.example"
        assert rows(work, end_users, *WHO) == [("ann", email, "cus_1", "active")], order
        counted = [("stripe.invoice_paid", 1), ("stripe.subscription_created", 1)]
        assert rows(work, event_counts, "name", "count") == counted
        savepoint.rollback()


def test_a_lead_becomes_a_user_that_was_unknown(work: Work) -> None:
    """The lead becomes the user and keeps its row; the promotion counts as changed traits."""
    lead = created_lead(work)
    assert named_as_ann(work) == lead
    assert rows(work, end_users, *WHO) == [("ann", "ann@a.example", "cus_1", "active")]
    changed = ["stripe:subscription_status", "external_id", "contact_type"]
    assert written_signals(work)[1:] == [("promoted", lead, changed)]


def test_the_lead_of_a_form_becomes_the_user_too(work: Work) -> None:
    """A form's lead is found by the customer's address, as identify finds it."""
    lead = add_contact(work, None, email="ann@a.example")
    customer = {**CUSTOMER, "metadata": NAMED}
    assert take_event(work, "customer.created", customer) == lead
    assert rows(work, end_users, "external_id") == [("ann",)]


def test_another_user_of_the_address_is_not_the_one_that_stripe_names(work: Work) -> None:
    """If users share an address, the one that Stripe names is meant."""
    add_contact(work, "ben", email="ann@a.example")
    take_event(work, "customer.created", {**CUSTOMER, "metadata": NAMED})
    assert rows(work, end_users, "external_id", "stripe_customer_id") == [
        ("ben", None),
        ("ann", "cus_1"),
    ]


def test_a_known_user_gets_all_that_was_the_leads(work: Work) -> None:
    """A known user keeps its values and gets the lead's others, its events, lists and mails."""
    create_list(work, "news")
    series = add_series(work, "welcome", "hello")
    lead = created_lead(work)
    call = {"email": "ann@a.example", "trial_end": "2026-07-01"}
    stripe_subscription(work, validated(StripeSubscriptionCall, call, "subscription"))
    ann = identify(work, IdentifyCall(user_id="ann", traits={"name": "Ann", "plan": "pro"})).id
    for whose in (lead, ann):
        track_login(work, whose)
    subscribe(work, SubscribeCall(contact="ann@a.example", list="news"))
    add_run(work, lead, series)
    add_message(work, lead, series, "hello")
    assert named_as_ann(work) == ann
    assert rows(work, end_users, "id", "name", *WHO) == [
        (ann, "Ann", "ann", "ann@a.example", "cus_1", "active")
    ]
    assert rows(work, event_counts, "end_user_id", "name", "count")[0] == (ann, "login", 2)
    for table in (subscription_members, automation_enrollments, automation_recipients, messages):
        assert rows(work, table, "end_user_id") == [(ann,)]
    assert {whose for (whose,) in rows(work, events, "end_user_id")} == {ann}
    assert ("changed", ann, [EVERYTHING]) in written_signals(work)
    assert {whose for _, whose, _ in written_signals(work)} == {ann}


def test_a_user_gets_as_much_of_the_lead_as_there_is_room_for(work: Work) -> None:
    """Both documents together keep the bound of 400,000 bytes: the smallest fields come first."""
    lead = created_lead(work)
    large = {"letter": "x" * 150_000, "note": "y" * 40_000}
    small = {"plan": "pro", "role": "owner"}
    values = {"custom_fields": {**small, **large}, "context": {"page": "z" * 9_000}}
    work.connection.execute(update(end_users).where(end_users.c.id == lead).values(values))
    own = {"plan": "free", "pad": "p" * 300_000}
    add_contact(work, "ann", custom_fields=own, context={"device": "d" * 50_000})
    named_as_ann(work)
    [(custom, context)] = rows(work, end_users, "custom_fields", "context")
    assert custom == {**own, "role": "owner", "note": large["note"]}
    assert context == {"device": "d" * 50_000, "page": "z" * 9_000}


def test_a_late_identify_changes_nothing_newer_that_came_from_the_lead(work: Work) -> None:
    """The merge keeps when each field was sent, so a late identify changes nothing newer."""
    created_lead(work)
    for minute, traits in ((3, {"plan": "pro"}), (5, {"seats": 9})):
        crm = {"email": "ann@a.example", "traits": traits}
        sync(work, SyncCall(source="crm", contacts=[crm], sent_at=minutes_ago(minute)))
    ann = identify(work, IdentifyCall(user_id="ann", traits={"seats": 1}, sent_at=minutes_ago(3)))
    assert named_as_ann(work) == ann.id
    late = {"plan": "late", "seats": 0, "tier": "late"}
    identify(work, IdentifyCall(user_id="ann", traits=late, sent_at=minutes_ago(4)))
    assert rows(work, end_users, "custom_fields") == [
        ({"plan": "pro", "seats": 1, "tier": "late"},)
    ]


def minutes_ago(minutes: int) -> str:
    """Return the instant so many minutes before ``NOW``."""
    return (NOW - timedelta(minutes=minutes)).isoformat()


def track_login(work: Work, contact: UUID) -> None:
    """Note that the contact logged in."""
    session = f"session of {contact}"
    track(work, TrackCall(session_id=session, event="login"))
    link_sessions(work, {session: contact})


@pytest.mark.parametrize(
    ("leads", "anns", "stays"),
    [
        # The run that is under way stays; of two, the one that began first.
        ({}, {"ended_at": NOW, "exit_reason": "manual"}, "lead"),
        ({"ended_at": NOW, "exit_reason": "manual"}, {}, "ann"),
        ({"created_at": EARLIER}, {"created_at": NOW}, "lead"),
        ({"created_at": NOW}, {"created_at": EARLIER}, "ann"),
    ],
)
def test_nobody_is_in_a_series_twice(
    work: Work, leads: dict[str, Any], anns: dict[str, Any], stays: str
) -> None:
    """If both were in a series, one run stays, with the mails of both."""
    series = add_series(work, "welcome", "hello")
    lead, ann = created_lead(work), add_contact(work, "ann")
    row_of = {}
    for name, contact, values in (("lead", lead, leads), ("ann", ann, anns)):
        add_run(work, contact, series, **values)
        row_of[name] = rows(work, automation_recipients, "id", "end_user_id")[-1][0]
        add_message(work, contact, series, "hello")
    assert named_as_ann(work) == ann
    assert rows(work, automation_recipients, "id", "end_user_id") == [(row_of[stays], ann)]
    assert rows(work, messages, "end_user_id", "enrollment_number") == [(ann, 1)] * 2


def test_the_run_takes_the_seat_of_the_users_company(work: Work) -> None:
    """A lead has no company, so its run takes the seat when the merge's signal is handled."""
    series = add_series(work, "welcome", "hello", settings={"one_per_company": True})
    lead, _ = created_lead(work), add_contact(work, "ann")
    acme = identify_company(work, IdentifyCompanyCall(id="acme", user_id="ann")).id
    add_run(work, lead, series)
    named_as_ann(work)
    assert rows(work, automation_enrollments, "company_seat") == [(None,)]
    while react(work, 100):
        pass
    assert rows(work, automation_enrollments, "company_seat", "ended_at") == [(acme, None)]


@pytest.mark.parametrize("later", ["lead", "user"])
def test_of_two_who_wait_for_data_the_later_trigger_stays(work: Work, later: str) -> None:
    """Whichever of the two it was that the trigger came for (§23)."""
    series = add_series(work, "welcome", "hello")
    lead, user = created_lead(work), add_contact(work, "ann")
    for contact, is_later in ((lead, later == "lead"), (user, later == "user")):
        fired_at = NOW - timedelta(minutes=1 if is_later else 2)
        waits = {"org_id": work.org_id, "automation_id": series, "end_user_id": contact}
        work.connection.execute(
            insert(waiting_entries).values(**waits, fired_at=fired_at, arrival=1)
        )
    named_as_ann(work)
    assert rows(work, waiting_entries, "end_user_id", "fired_at") == [
        (user, NOW - timedelta(minutes=1))
    ]


def test_two_events_that_name_the_user_at_once_make_one_contact(shared_database: Engine) -> None:
    """Of two events at once the second waits for the first, and finds the user."""
    for _ in range(8):
        org = committed_organization(shared_database, "ann")
        transact = committing(shared_database, org)
        transact(created_lead)
        answers = at_once(shared_database, org, named_as_ann, named_as_ann)
        assert len(set(answers)) == 1
        users = transact(lambda work: rows(work, end_users, "external_id", "stripe_customer_id"))
        assert users == [("ann", "cus_1")]


def test_every_table_that_names_a_contact_has_a_rule() -> None:
    """Each table that names a contact has a rule for the merge; otherwise its rows would go with
    the lead.
    """
    naming = {table for table in metadata.sorted_tables if "end_user_id" in table.c}
    assert naming == {
        *absorption.MOVED,
        *absorption.TOLD,
        *absorption.COPIED,
        *absorption.JOINED,
    }
