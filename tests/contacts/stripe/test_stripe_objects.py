"""Stripe's own objects: subscriptions in lists and webhooks, and what they are tracked as (§2)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from halo_engine.answers.operations.status import status
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall, stripe_subscription
from halo_engine.contacts.stripe.sync import (
    StripeSyncAnswer,
    StripeSyncCall,
    StripeWebhookAnswer,
    StripeWebhookCall,
    stripe_sync,
    stripe_webhook,
)
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.series.signals import EVERYTHING
from halo_engine.tables import end_users, event_counts, events, signals, stripe_passed_over
from halo_engine.work import Work
from tests.contacts.racing import at_once
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    add_contact,
    committed_organization,
    rows,
    statements,
    written_signals,
)

AT = int(NOW.timestamp())
COLUMNS = (
    "stripe_subscription_status",
    "stripe_plan",
    "stripe_trial_end",
    "stripe_current_period_end",
    "stripe_cancel_at_period_end",
)
CREATED = "customer.subscription.created"
LINKS = ("stripe_customer_id", "stripe_subscription_id", "stripe_said_at")

#: A subscription as Stripe's documentation shows it, shortened by what has no meaning here.
DOCUMENTED: dict[str, Any] = {
    "id": "sub_1MowQVLkdIwHu7ixeRlqHVzs",
    "object": "subscription",
    "application": None,
    "billing_cycle_anchor": 1679609767,
    "cancel_at": None,
    "cancel_at_period_end": False,
    "collection_method": "charge_automatically",
    "created": 1679609767,
    "currency": "usd",
    "current_period_end": 1682288167,
    "current_period_start": 1679609767,
    "customer": "cus_Na6dX7aXxi11N4",
    "items": {
        "object": "list",
        "data": [
            {
                "id": "si_Na6dzxczY5fwHx",
                "object": "subscription_item",
                "price": {
                    "id": "price_1MowQULkdIwHu7ixraBm864M",
                    "object": "price",
                    "nickname": None,
                    "recurring": {"interval": "month", "interval_count": 1},
                    "unit_amount": 1000,
                },
                "quantity": 1,
            }
        ],
        "has_more": False,
    },
    "livemode": False,
    "metadata": {"user_id": "ann"},
    "status": "active",
    "trial_end": None,
}


def subscription(**changes: Any) -> dict[str, Any]:
    """Return a subscription of Ann's with these differences."""
    return {**DOCUMENTED, **changes}


def synced(work: Work, *subscriptions: Any, **call: Any) -> StripeSyncAnswer:
    """Take a list of subscriptions."""
    data = {"subscriptions": list(subscriptions), **call}
    return stripe_sync(work, validated(StripeSyncCall, data, "sync"))


def received(
    work: Work, type_: str, data: Any, created: int = AT, id_: str | None = None
) -> StripeWebhookAnswer:
    """Take an event of a webhook."""
    event = {
        "id": id_ or f"evt_{type_}_{created}",
        "object": "event",
        "api_version": "2023-10-16",
        "created": created,
        "data": {"object": data, "previous_attributes": {}},
        "type": type_,
    }
    call = validated(StripeWebhookCall, {"event": event}, "webhook")
    return stripe_webhook(work, call)


def updated(work: Work, created: int = AT, **changes: Any) -> UUID | None:
    """Take an update of a subscription; return whose."""
    return received(work, "customer.subscription.updated", subscription(**changes), created).id


# What a subscription says.


def test_a_subscription_is_read_as_stripe_documents_it(work: Work) -> None:
    """Dates are seconds since 1970, the first price names the plan, metadata the user."""
    answer = received(work, "customer.subscription.created", DOCUMENTED)
    assert answer.created
    period_end = datetime(2023, 4, 23, 22, 16, 7, tzinfo=UTC)
    plan = "price_1MowQULkdIwHu7ixraBm864M"
    assert rows(work, end_users, "external_id", "source", *COLUMNS) == [
        ("ann", "stripe", "active", plan, None, period_end, False)
    ]
    assert rows(work, end_users, *LINKS) == [
        ("cus_Na6dX7aXxi11N4", "sub_1MowQVLkdIwHu7ixeRlqHVzs", NOW)
    ]


@pytest.mark.parametrize(
    ("changes", "plan"),
    [
        ({"items": {"data": [{"price": {"id": "price_1", "nickname": "Pro"}}]}}, "Pro"),
        ({"items": {"data": [{"plan": {"id": "plan_1", "nickname": "Old"}}]}}, "Old"),
        ({"items": {"data": []}, "plan": {"id": "plan_2"}}, "plan_2"),
        ({"items": {"data": [{"price": "price_1"}]}}, "price_1"),
        ({"items": None}, None),
        ({"items": {"data": [{"price": None}, {"price": {"id": "price_1"}}]}}, "price_1"),
    ],
)
def test_a_plan_has_a_name_or_an_id(work: Work, changes: dict[str, Any], plan: str) -> None:
    """Of the first item's price, else its plan, else the subscription's, as older versions say."""
    updated(work, **changes)
    assert rows(work, end_users, "stripe_plan") == [(plan,)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"id": "b", "lookup_key": "a"}, {"id": "a", "lookup_key": "b"}),
        ({"id": "b", "lookup_key": "z"}, {"id": "a", "nickname": "A"}),
        ({"id": "b", "nickname": "A"}, {"id": "a", "nickname": "B"}),
        ({"id": "b", "nickname": "A"}, {"id": "a"}),
        ({"id": "a"}, {"id": "b"}),
        ({"id": "b", "type": "recurring"}, {"id": "a", "lookup_key": "a", "type": "one_time"}),
    ],
)
def test_of_several_items_one_is_the_plan_in_whatever_order_they_come(
    work: Work, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """The plan is that of the first item: recurring first, then by lookup key, nickname and id. Its
    period counts too.
    """
    items = [
        {"price": first, "current_period_end": AT},
        {"price": second, "current_period_end": AT + 60},
    ]
    for n, data in enumerate((items, items[::-1])):
        several = subscription(id=f"sub_{n}", customer=f"cus_{n}", items={"data": data})
        several["metadata"] = {"user_id": f"user_{n}"}
        del several["current_period_end"]
        synced(work, several)
    expected = (first.get("nickname", first["id"]), NOW)
    assert rows(work, end_users, "stripe_plan", "stripe_current_period_end") == [expected] * 2


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        # Flexible billing sets the date alone, classic billing both.
        ({"cancel_at_period_end": False, "cancel_at": AT}, True),
        ({"cancel_at_period_end": True, "cancel_at": AT}, True),
        ({"cancel_at_period_end": True, "cancel_at": None}, True),
        ({"cancel_at_period_end": False, "cancel_at": None}, False),
        ({"cancel_at_period_end": None, "cancel_at": None}, False),
    ],
)
def test_a_subscription_is_set_to_end_if_either_field_says_so(
    work: Work, said: dict[str, Any], holds: bool
) -> None:
    """A subscription is set to end if either of Stripe's two fields says so."""
    updated(work, **said)
    assert rows(work, end_users, "stripe_cancel_at_period_end") == [(holds,)]


def test_the_period_may_be_the_items(work: Work) -> None:
    """The current period's end is read from the item if the subscription has none."""
    newer = subscription(items={"data": [{"current_period_end": AT}]})
    del newer["current_period_end"]
    synced(work, newer)
    assert rows(work, end_users, "stripe_current_period_end") == [(NOW,)]


def test_what_is_left_out_stays(work: Work) -> None:
    """A null empties a column, and a missing key keeps it."""
    updated(work, trial_end=AT, cancel_at_period_end=True)
    short = {"id": DOCUMENTED["id"], "customer": DOCUMENTED["customer"], "trial_end": None}
    synced(work, short)
    names = ("stripe_trial_end", "stripe_cancel_at_period_end", "stripe_subscription_status")
    assert rows(work, end_users, *names) == [(None, True, "active")]


# Whose it is.


def test_a_known_customer_stays_the_same_contact(work: Work) -> None:
    """A known customer's id decides, whatever the metadata says now."""
    ann = updated(work)
    add_contact(work, "ben")
    assert updated(work, metadata={"user_id": "ben"}, status="past_due") == ann
    assert updated(work, metadata={}, status="active") == ann


def test_a_customer_is_first_found_by_user_id_else_by_email(work: Work) -> None:
    """A new customer is found by the metadata's user id, else by email, also on an expanded
    customer.
    """
    ann = add_contact(work, "ann", email="both@a.example", created_at=NOW)
    lea = add_contact(work, None, email="Both@a.example")
    customer = {"id": "cus_1", "email": "both@A.example", "metadata": {"user_id": "ann"}}
    assert updated(work, id="sub_1", customer=customer, metadata={}) == ann
    other = {"id": "cus_2", "email": "both@A.example"}
    assert updated(work, id="sub_2", customer=other, metadata={}) == lea
    assert rows(work, end_users, "external_id", "stripe_customer_id") == [
        ("ann", "cus_1"),
        (None, "cus_2"),
    ]


def test_an_unknown_customer_becomes_a_contact(work: Work) -> None:
    """The metadata makes a user, an email a lead; the creation has a signal, and redelivery changes
    nothing.
    """
    customer = {"id": "cus_1", "email": "lea@a.example"}
    lea = updated(work, customer=customer, metadata=None)
    assert rows(work, end_users, "contact_type", "source", "email", "last_seen") == [
        ("lead", "stripe", "lea@a.example", NOW)
    ]
    assert written_signals(work) == [("created", lea, [EVERYTHING])]


def test_a_customer_of_whom_only_the_id_is_known_is_nobody_yet(work: Work) -> None:
    """A customer known by id alone is a 404, which the task retries: the event that names it may
    follow.
    """
    with pytest.raises(Refusal) as raised:
        updated(work, metadata={})
    assert (raised.value.status, raised.value.code) == (404, "unknown_contact")
    who = {"id": DOCUMENTED["customer"], "object": "customer", "email": "lea@a.example"}
    lea = received(work, "customer.created", who)
    assert (lea.created, lea.event) == (True, None)
    assert updated(work, metadata={}) == lea.id


def test_a_known_contact_is_linked_once(work: Work) -> None:
    """A second customer of a user is found by the metadata, and the first link stays."""
    ann = add_contact(work, "ann")
    updated(work)
    assert updated(work, customer="cus_2", id="sub_2") == ann
    assert rows(work, end_users, "stripe_customer_id") == [(DOCUMENTED["customer"],)]


def test_two_organisations_may_have_one_customer(work: Work, other_work: Work) -> None:
    """Two organisations may each link the same customer id."""
    assert updated(work) != updated(other_work)


# What series are told.


def test_changes_are_told_as_changed_traits(work: Work) -> None:
    """A change writes a signal with the changed fields, without links, and ``last_seen`` stays."""
    ann = add_contact(work, "ann", stripe_plan="Pro")
    updated(work, items={"data": [{"price": {"id": "p", "nickname": "Pro"}}]}, status="trialing")
    changed = ["stripe:subscription_status", "stripe:current_period_end"]
    assert written_signals(work) == [("changed", ann, [*changed, "stripe:cancel_at_period_end"])]
    assert rows(work, end_users, "last_seen") == [(EARLIER,)]


def test_the_same_again_tells_nothing(work: Work) -> None:
    """A later webhook that says the same is noted, and writes no signal."""
    for created in (AT - 5, AT - 5, AT):
        updated(work, created)
    assert len(written_signals(work)) == 1
    assert rows(work, end_users, "stripe_said_at") == [(NOW,)]


# Which word is the last.


def test_an_event_that_was_overtaken_changes_nothing(work: Work) -> None:
    """An older event changes nothing that a newer one said; within a second the arrival decides."""
    updated(work, AT - 5, status="past_due")
    updated(work, AT - 9, status="trialing")
    assert rows(work, end_users, COLUMNS[0]) == [("past_due",)]
    updated(work, AT - 5, status="active")
    assert rows(work, end_users, COLUMNS[0]) == [("active",)]


@pytest.mark.parametrize("order", list(permutations(("created", "updated", "deleted"))))
def test_within_a_second_a_subscription_begins_first_and_ends_last(
    work: Work, order: Sequence[str]
) -> None:
    """In whatever order Stripe tells of it."""
    statuses = {"created": "incomplete", "updated": "active", "deleted": "canceled"}
    told = [each for each in order if each != "deleted"]
    for each in told:
        received(work, f"customer.subscription.{each}", subscription(status=statuses[each]), AT - 5)
    assert rows(work, end_users, COLUMNS[0]) == [("active",)]
    for each in order:
        received(work, f"customer.subscription.{each}", subscription(status=statuses[each]), AT - 4)
    assert rows(work, end_users, COLUMNS[0]) == [("canceled",)]


@pytest.mark.parametrize(
    ("first", "second", "after", "kept"),
    [
        # Both live, or both over: the later word.
        ("active", "trialing", 1, "second"),
        ("active", "trialing", -1, "first"),
        ("canceled", "incomplete_expired", 1, "second"),
        ("canceled", "incomplete_expired", -1, "first"),
        # One is over: the live one.
        ("active", "canceled", 1, "first"),
        ("canceled", "active", -1, "second"),
    ],
)
def test_of_two_subscriptions_the_live_one_counts(
    work: Work, first: str, second: str, after: int, kept: str
) -> None:
    """The end of an old subscription does not hide the live one."""
    updated(work, AT - 10, id="first", status=first)
    updated(work, AT - 10 + after, id="second", status=second)
    assert rows(work, end_users, "stripe_subscription_id") == [(kept,)]


def test_a_list_is_as_old_as_it_says(work: Work) -> None:
    """A list counts from ``as_of``, so later events win; without it, from now."""
    updated(work, AT - 5, status="past_due")
    synced(work, subscription(status="active"), as_of="2026-06-01T08:59:50Z")
    assert rows(work, end_users, COLUMNS[0]) == [("past_due",)]
    synced(work, subscription(status="active"))
    assert rows(work, end_users, COLUMNS[0]) == [("active",)]
    with pytest.raises(Refusal, match="as_of: ‘2026-06-01T09:00:01Z’ is in the future; "):
        synced(work, subscription(), as_of="2026-06-01T09:00:01Z")


def test_what_an_application_keeps_by_itself_gives_way(work: Work) -> None:
    """Stripe's own objects replace what the plain door stored; afterwards that door may change it
    again.
    """
    call = {"user_id": "ann", "status": "trialing"}
    stripe_subscription(work, validated(StripeSubscriptionCall, call, "subscription"))
    updated(work, AT - 100)
    assert rows(work, end_users, COLUMNS[0]) == [("active",)]


# Events.


def test_a_trial_that_will_end_is_an_event_of_the_contact(work: Work) -> None:
    """The end of a trial is an event at Stripe's instant that triggers series; ``last_seen``
    stays.
    """
    ann = add_contact(work, "ann")
    ending = subscription(status="trialing", trial_end=AT + 3 * 86_400)
    answer = received(work, "customer.subscription.trial_will_end", ending, AT - 60, "evt_1")
    assert (answer.id, answer.event) == (ann, "stripe.trial_will_end")
    happened_at = NOW - timedelta(minutes=1)
    assert rows(work, events, "end_user_id", "name", "happened_at", "live", "properties") == [
        (ann, "stripe.trial_will_end", happened_at, True, {"stripe_event": "evt_1"})
    ]
    assert rows(work, signals, "kind", "event_name", "happened_at")[1:] == [
        ("event", "stripe.trial_will_end", happened_at)
    ]
    assert rows(work, end_users, "last_seen", "stripe_trial_end") == [
        (EARLIER, NOW + timedelta(days=3))
    ]


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        ("customer.subscription.created", "stripe.subscription_created"),
        ("customer.subscription.deleted", "stripe.subscription_deleted"),
        ("customer.subscription.paused", "stripe.subscription_paused"),
        ("customer.subscription.resumed", "stripe.subscription_resumed"),
        ("customer.subscription.updated", None),
        ("customer.updated", None),
        ("invoice.paid", "stripe.invoice_paid"),
        ("invoice.payment_failed", "stripe.payment_failed"),
    ],
)
def test_types_are_tracked_under_names(work: Work, type_: str, name: str | None) -> None:
    """What happened is an event with a name of its own; a mere update only changes fields."""
    customer = {"id": "cus_1", "email": "lea@a.example"}
    data = {"id": "x_1", "customer": customer, "customer_email": "lea@a.example"}
    answer = received(work, type_, customer if type_ == "customer.updated" else data)
    assert (answer.created, answer.event) == (True, name)
    assert rows(work, event_counts, "name") == ([(name,)] if name else [])


def test_an_invoice_is_of_whom_it_was_sent_to(work: Work) -> None:
    """An invoice belongs to its customer's id, else to its email, and leaves the subscription
    alone.
    """
    lea = add_contact(work, None, email="lea@a.example", stripe_plan="Pro")
    invoice = {"id": "in_1", "customer": "cus_1", "customer_email": "lea@a.example"}
    assert received(work, "invoice.paid", invoice).id == lea
    del invoice["customer_email"]
    assert received(work, "invoice.payment_failed", invoice).id == lea
    assert rows(work, end_users, "stripe_plan") == [("Pro",)]


@pytest.mark.parametrize(
    ("paid", "name", "properties"),
    [
        ({"amount_paid": 4900}, "stripe.invoice_paid", {"amount_paid": 4900}),
        ({"amount_paid": 0}, "stripe.invoice_settled", {"amount_paid": 0}),
        ({}, "stripe.invoice_paid", {}),
    ],
)
def test_an_invoice_of_zero_is_settled_and_not_paid(
    work: Work, paid: dict[str, Any], name: str, properties: dict[str, Any]
) -> None:
    """An invoice of zero is tracked as settled, with its amount as a property."""
    answer = received(work, "invoice.paid", {"id": "in_1", "customer": ANN, **paid}, id_="evt_1")
    assert answer.event == name
    assert rows(work, events, "name", "properties") == [
        (name, {"stripe_event": "evt_1", **properties})
    ]


def test_an_event_that_comes_twice_is_tracked_once(work: Work) -> None:
    """Stripe's event id is the key: a second delivery gets the same answer and writes nothing."""
    answers = [received(work, "invoice.paid", {**DOCUMENTED, "customer": ANN}) for _ in range(2)]
    assert answers[1] == answers[0].model_copy(update={"created": False})
    assert rows(work, event_counts, "count") == [(1,)]


ANN = {"id": "cus_1", "metadata": {"user_id": "ann"}}


def test_an_old_event_is_history(work: Work) -> None:
    """An event more than a day old is counted and triggers nothing."""
    received(work, "invoice.paid", {"id": "in_1", "customer": ANN}, AT - 2 * 86_400)
    assert rows(work, events, "live") == [(False,)]
    assert [kind for kind, *_ in written_signals(work)] == ["created"]


def test_a_clock_that_is_ahead_is_now(work: Work) -> None:
    """A timestamp slightly ahead of our clock means now."""
    received(work, "invoice.paid", {"id": "in_1", "customer": ANN}, AT + 1)
    assert rows(work, events, "happened_at") == [(NOW,)]


def test_an_event_without_a_customer_is_skipped_and_counted(work: Work) -> None:
    """An event without an object, or without a customer, is skipped and counted."""
    thin = {
        "id": "evt_1",
        "object": "v2.core.event",
        "type": "v1.customer.subscription.updated",
        "created": "2026-02-15T00:27:45.330Z",
        "related_object": {"id": "sub_1", "type": "subscription", "url": "/v1/subscriptions/sub_1"},
    }
    assert stripe_webhook(work, StripeWebhookCall(event=thin)).passed_over == "thin_event"
    nobodys = subscription(customer=None, customer_account="acct_1")
    for type_ in ("customer.subscription.updated", "invoice.paid"):
        assert received(work, type_, nobodys).passed_over == "no_customer"
    del nobodys["customer"]
    assert synced(work, nobodys, DOCUMENTED).passed_over == 1
    assert rows(work, stripe_passed_over, "why", "count", "latest_at") == [
        ("no_customer", 3, NOW),
        ("thin_event", 1, NOW),
    ]
    assert status(work).stripe_passed_over == {"no_customer": 3, "thin_event": 1}
    assert rows(work, end_users, "external_id") == [("ann",)]


@pytest.mark.parametrize("name", ["email", "customer_email"])
def test_an_empty_address_is_none(work: Work, name: str) -> None:
    """Old customers have one; their invoices and changes are taken all the same."""
    synced(work, DOCUMENTED)
    type_ = "customer.updated" if name == "email" else "invoice.payment_failed"
    about: dict[str, Any] = {"id": "in_1", "customer": DOCUMENTED["customer"], name: ""}
    if name == "email":
        about["id"] = about.pop("customer")
    assert received(work, type_, about).created is False
    assert rows(work, end_users, "external_id", "email") == [("ann", None)]


#: What Stripe keeps for an address although it is none: it checks none of them.
NO_ADDRESS = "ann at a.example"
WITHOUT_IT = (
    f"email: ‘{NO_ADDRESS}’ is not an email address; allowed is one such as ann@acme.com; "
    "the customer is taken without it"
)


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("customer.updated", {"id": "cus_1", "email": NO_ADDRESS, "metadata": {"user_id": "ann"}}),
        (
            "customer.subscription.updated",
            subscription(customer={"id": "cus_1", "email": NO_ADDRESS}),
        ),
        (
            "invoice.paid",
            {
                "id": "in_1",
                "customer": "cus_1",
                "customer_email": NO_ADDRESS,
                "metadata": {"user_id": "ann"},
            },
        ),
    ],
)
def test_an_address_that_is_none_is_left_out(work: Work, type_: str, data: dict[str, Any]) -> None:
    """The rest of the event counts: Stripe would send what is refused for three days, then drop it.
    The answer says what was left out.
    """
    answer = received(work, type_, data)
    assert (answer.created, answer.warnings) == (True, (WITHOUT_IT,))
    assert rows(work, end_users, "external_id", "email", "stripe_customer_id") == [
        ("ann", None, "cus_1")
    ]


def test_an_address_that_is_none_names_nobody(work: Work) -> None:
    """A customer of whom nothing else is known is unknown, as one without an address."""
    with pytest.raises(Refusal) as raised:
        received(work, "customer.created", {"id": "cus_1", "email": NO_ADDRESS})
    assert (raised.value.status, raised.value.code) == (404, "unknown_contact")


def test_an_invoice_may_have_a_better_address_than_its_customer(work: Work) -> None:
    """Of the two addresses the first usable one counts."""
    customer = {"id": "cus_1", "email": NO_ADDRESS}
    invoice = {"id": "in_1", "customer": customer, "customer_email": "ann@a.example"}
    assert received(work, "invoice.paid", invoice).warnings == (WITHOUT_IT,)
    assert rows(work, end_users, "email") == [("ann@a.example",)]


def test_a_list_warns_of_addresses_that_are_none(work: Work) -> None:
    """The subscription is taken; each warning is said once."""
    customer = {"id": "cus_1", "email": NO_ADDRESS}
    answer = synced(work, subscription(customer=customer), subscription(customer=customer))
    assert (answer.created, answer.updated, answer.errors) == (1, 1, ())
    assert answer.warnings == (WITHOUT_IT,)


def test_an_unread_type_is_accepted(work: Work) -> None:
    """A type that we do not read is accepted and leaves nothing."""
    assert received(work, "charge.succeeded", {"id": "ch_1"}) == StripeWebhookAnswer()
    assert rows(work, end_users, "id") == []


# Lists.


def test_a_list_is_taken_one_by_one(work: Work) -> None:
    """Subscriptions of one customer are one contact; bad ones are errors, and the others are
    written.
    """
    answer = synced(
        work,
        subscription(id="sub_1", status="canceled"),
        subscription(id="sub_2", customer="cus_2", metadata={"user_id": "ben"}),
        subscription(id="sub_3", status="active"),
        subscription(customer="cus_3", metadata={}),
        subscription(customer=5),
        subscription(id="sub_4", customer={"id": "cus_4", "email": "Lea@a.example"}, metadata={}),
        subscription(id="sub_5", customer={"id": "cus_5", "email": "LEA@a.example"}, metadata={}),
    )
    assert (answer.created, answer.updated) == (3, 2)
    assert [(each.index, each.status, each.code) for each in answer.errors] == [
        (3, 404, "unknown_contact"),
        (4, 400, "bad_input"),
    ]
    names = ("external_id", "email", "stripe_customer_id", "stripe_subscription_id")
    assert rows(work, end_users, *names) == [
        ("ann", None, DOCUMENTED["customer"], "sub_3"),
        ("ben", None, "cus_2", "sub_2"),
        (None, "Lea@a.example", "cus_4", "sub_5"),
    ]


@pytest.mark.parametrize("size", [1, 500])
def test_a_list_takes_two_statements(work: Work, size: int) -> None:
    """A list takes two statements for one or 500, new or known, also at the twelfth run."""
    for n in range(12):
        each = [
            subscription(id=f"s{i}", customer=f"c{i}", metadata={"user_id": f"{i}"}, status=f"{n}")
            for i in range(size)
        ]
        with statements(work.connection) as seen:
            answer = synced(work, *each)
        assert len(seen) == 2
        assert (answer.created, answer.updated) == ((size, 0) if n == 0 else (0, size))


def test_a_webhook_takes_three_statements(work: Work) -> None:
    """A webhook takes three statements: customer, contact, event; also at the twelfth run."""
    for n in range(12):
        with statements(work.connection) as seen:
            received(work, "customer.subscription.deleted", DOCUMENTED, AT - n)
        assert len(seen) == 3


def test_two_webhooks_of_a_new_customer_at_once_make_one_contact(shared_database: Engine) -> None:
    """Two first webhooks at once meet in a unique index, and the second finds the first one's
    contact.
    """
    org = committed_organization(shared_database)
    for n in range(8):
        data = subscription(id=f"sub_{n}", customer=f"cus_{n}", metadata={"user_id": f"u{n}"})
        twice = [partial(received, data=data, id_=f"evt_{n}_{i}", type_=CREATED) for i in range(2)]
        answers = at_once(shared_database, org, *twice)
        assert sorted(each.created for each in answers) == [False, True]
        assert len({each.id for each in answers}) == 1


# Refusals.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": None}, "event.data.object.id: "),
        ({"customer": 5}, "event.data.object.customer: "),
        ({"status": 5}, "event.data.object.status: "),
        ({"status": "a\0b"}, "event.data.object: status: ‘a\\x00b’ cannot be stored; "),
        ({"trial_end": "2026-01-01"}, "event.data.object.trial_end: "),
        ({"trial_end": 10**18}, "event.data.object.trial_end: "),
        ({"trial_end": True}, "event.data.object.trial_end: "),
        ({"metadata": {"user_id": " "}}, "event.data.object: user_id: ‘ ’ is refused; "),
        ({"customer": {"id": "c", "email": 5}}, "event.data.object.customer.email: "),
    ],
)
def test_a_bad_subscription_is_refused(work: Work, changes: dict[str, Any], message: str) -> None:
    """A bad subscription is refused by the place of its fault, and nothing is written."""
    with pytest.raises(Refusal) as raised:
        updated(work, **changes)
    assert raised.value.status == 400
    assert raised.value.message.startswith(message)
    assert rows(work, end_users, "id") == []


@pytest.mark.parametrize("event", [{}, {"id": "evt_1"}, {"id": "e", "type": "t", "created": -1}])
def test_a_bad_event_is_refused(work: Work, event: dict[str, Any]) -> None:
    """An event has an id, a type, an instant, and an object."""
    with pytest.raises(Refusal) as raised:
        stripe_webhook(work, StripeWebhookCall(event=event))
    assert raised.value.status == 400
    assert raised.value.message.startswith("event.")
