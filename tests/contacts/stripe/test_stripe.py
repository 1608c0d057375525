"""Stripe subscriptions and other integrations' contacts (contract §2, the doors' table)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from halo_engine.contacts.identifying.answers import ContactAnswer
from halo_engine.contacts.identifying.sync import SyncAnswer, SyncCall, sync
from halo_engine.contacts.stripe.subscription import StripeSubscriptionCall, stripe_subscription
from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.series.signals import EVERYTHING
from halo_engine.tables import audience_fields, end_users
from halo_engine.work import Work
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    add_contact,
    refused,
    rows,
    statements,
    written_signals,
)

STRIPE = (
    "stripe_subscription_status",
    "stripe_plan",
    "stripe_trial_end",
    "stripe_current_period_end",
    "stripe_cancel_at_period_end",
)


def subscribed(work: Work, **call: Any) -> ContactAnswer:
    """Take a subscription from Stripe."""
    return stripe_subscription(work, validated(StripeSubscriptionCall, call, "subscription"))


# Stripe: creates (`stripe`), bumps nobody, created → `user_created` and as changed traits.


def test_an_unknown_customer_becomes_a_user(work: Work) -> None:
    """A customer with a ``user_id`` is created as a user, with what Stripe says of it."""
    answer = subscribed(
        work,
        user_id="ann",
        email="ann@a.example",
        status="trialing",
        plan="pro",
        trial_end="2026-06-15T00:00:00Z",
        current_period_end="2026-07-01",
        cancel_at_period_end=False,
    )
    assert answer.created
    names = ("external_id", "source", "email", "first_seen", "last_seen")
    assert rows(work, end_users, *names) == [("ann", "stripe", "ann@a.example", NOW, NOW)]
    instants = (datetime(2026, 6, 15, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    assert rows(work, end_users, *STRIPE) == [("trialing", "pro", *instants, False)]
    assert written_signals(work) == [("created", answer.id, [EVERYTHING])]


def test_an_unknown_customer_becomes_a_lead(work: Work) -> None:
    """A customer who is known by email alone is created as a lead."""
    assert subscribed(work, email="lea@a.example", status="active").contact_type == "lead"


def test_a_known_customer_is_changed(work: Work) -> None:
    """Given values change, ``null`` included; missing ones stay, and ``last_seen`` does not
    move.
    """
    ann = add_contact(work, "ann", email="a@a.example", stripe_plan="pro", stripe_trial_end=NOW)
    answer = subscribed(work, user_id="ann", email="b@a.example", status="active", trial_end=None)
    assert (answer.id, answer.last_seen) == (ann, EARLIER)
    assert rows(work, end_users, "email", *STRIPE) == [
        ("a@a.example", "active", "pro", None, None, None)
    ]
    changed = ["stripe:subscription_status", "stripe:trial_end"]
    assert written_signals(work) == [("changed", ann, changed)]


def test_the_same_subscription_again_changes_nothing(work: Work) -> None:
    """A webhook that is delivered again writes neither a row nor a signal."""
    subscribed(work, user_id="ann", status="active")
    with work.connection.begin_nested():
        before = rows(work, end_users, "updated_at", *STRIPE)
        subscribed(work, user_id="ann", status="active")
    assert rows(work, end_users, "updated_at", *STRIPE) == before
    assert len(written_signals(work)) == 1


def test_a_customer_is_found_by_email(work: Work) -> None:
    """Without an ID a customer is found by email, in any case: the first contact with it; a lead
    stays one.
    """
    lead = add_contact(work, None, email="Ann@a.example")
    add_contact(work, "other", email="ann@a.example")
    answer = subscribed(work, email="ann@A.example", status="past_due")
    assert (answer.id, answer.created, answer.user_id) == (lead, False, None)


def test_a_lead_becomes_the_user_that_stripe_names(work: Work) -> None:
    """A new ID turns the lead of the address into that user, whose email stays as it was."""
    add_contact(work, "other", email="ann@a.example")
    lead = add_contact(work, None, email="Ann@a.example")
    answer = subscribed(work, user_id="ann", email="ann@A.example", status="past_due")
    assert (answer.id, answer.created, answer.user_id) == (lead, False, "ann")
    assert ("ann", "Ann@a.example") in rows(work, end_users, "external_id", "email")
    assert [kind for kind, *_ in written_signals(work)] == ["promoted"]


def test_users_may_share_an_address_with_a_customer(work: Work) -> None:
    """A new ID makes a user of its own; another user of the address is not its customer."""
    other = add_contact(work, "other", email="ann@a.example")
    answer = subscribed(work, user_id="ann", email="ann@a.example", status="past_due")
    assert answer.created
    assert answer.id != other
    assert rows(work, end_users, "external_id", "stripe_subscription_status") == [
        ("other", None),
        ("ann", "past_due"),
    ]


def test_dates_of_subscriptions_are_on_the_organizations_clock(work: Work) -> None:
    """A date without an offset is read as everywhere else (contract §1)."""
    berlin = replace(work, org=replace(work.org, timezone="Europe/Berlin"))
    subscribed(
        berlin, user_id="ann", trial_end="2026-06-10", current_period_end="2026-07-01T00:00Z"
    )
    assert rows(work, end_users, "stripe_trial_end", "stripe_current_period_end") == [
        (datetime(2026, 6, 9, 22, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    ]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            {"status": "active"},
            (
                400,
                "missing_key",
                "subscription: user_id: is required, unless there is an email",
            ),
        ),
        ({"user_id": "ann", "stauts": "active"}, None),
        ({"user_id": "ann", "status": 5}, None),
        ({"user_id": "ann", "status": "a\0"}, None),
        ({"user_id": "ann", "cancel_at_period_end": "yes"}, None),
        ({"email": "nowhere"}, None),
    ],
)
def test_a_bad_subscription_is_refused(
    call: dict[str, Any], said: tuple[int, str, str] | None
) -> None:
    """A subscription must name somebody, and each value must have its type."""
    answer = refused(StripeSubscriptionCall, call, "subscription")
    assert answer[0] == 400
    assert said in (None, answer)


def test_a_date_that_is_none_is_refused(work: Work) -> None:
    """A bad date is refused by name, and nothing is written."""
    with pytest.raises(Refusal) as raised:
        subscribed(work, user_id="ann", trial_end="soon")
    assert raised.value.code == "bad_date"
    assert raised.value.message.startswith("trial_end: ‘soon’ is not a date; ")
    assert rows(work, end_users, "id") == []


def test_each_subscription_is_one_statement(work: Work) -> None:
    """A subscription is one statement, also at the twelfth run on one connection."""
    for n in range(12):
        with statements(work.connection) as seen:
            subscribed(work, user_id=f"u{n // 2}", status=f"s{n}")
        assert len(seen) == 1


# Other integrations: the integration's name is the source.


def synced(work: Work, *contacts: Any, source: str = "hubspot") -> SyncAnswer:
    """Take contacts from an integration."""
    call = {"source": source, "contacts": list(contacts)}
    return sync(work, validated(SyncCall, call, "sync"))


def test_an_integrations_contacts_are_created_and_changed(work: Work) -> None:
    """New contacts have the integration as their source and are seen at their sign-up; known ones
    change; all have signals.
    """
    ann = add_contact(work, "ann", custom_fields={"owner": "x"})
    lea = add_contact(work, None, email="lea@a.example")
    answer = synced(
        work,
        {"user_id": "ann", "traits": {"owner": "y", "mrr": 3}},
        {"user_id": "lea", "email": "LEA@a.example"},
        {"email": "new@a.example", "traits": {"signed_up_at": "2020-01-01"}},
        {"traits": {}},
    )
    assert (answer.created, answer.updated, [each.index for each in answer.errors]) == (1, 2, [3])
    signup = datetime(2020, 1, 1, tzinfo=UTC)
    names = ("external_id", "source", "email", "last_seen", "custom_fields", "mrr")
    assert sorted(rows(work, end_users, *names), key=str) == [
        ("ann", "sdk", None, EARLIER, {"owner": "y"}, 3),
        ("lea", "sdk", "LEA@a.example", EARLIER, {}, None),
        (None, "hubspot", "new@a.example", signup, {}, None),
    ]
    found = [(kind, contact, changed) for kind, contact, changed in written_signals(work)]
    assert found[:2] == [
        ("changed", ann, ["mrr", "custom:owner"]),
        ("promoted", lea, ["email", "external_id", "contact_type"]),
    ]
    assert (found[2][0], found[2][2]) == ("created", [EVERYTHING])
    assert rows(work, audience_fields, "key") == [("owner",)]


@pytest.mark.parametrize("source", ["sdk", "api", "csv", "lead_form", "dashboard", "stripe", " "])
def test_an_integration_has_a_name_of_its_own(source: str) -> None:
    """An integration cannot use another door's name, since series filter on the source."""
    status, code, _ = refused(SyncCall, {"source": source, "contacts": []}, "sync")
    assert (status, code) in [(400, "bad_source"), (400, "bad_name")]


# Whatever is thrown at the doors.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)
WHO = {"user_id": st.sampled_from(["ann", "ben"]) | JSON, "email": st.just("a@b.example") | JSON}


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    call=st.fixed_dictionaries(
        {},
        optional={
            **WHO,
            "status": JSON,
            "plan": JSON,
            "trial_end": st.just("2026-01-01") | JSON,
            "cancel_at_period_end": JSON,
        },
    ),
    contacts=st.lists(
        st.fixed_dictionaries({}, optional={**WHO, "traits": JSON}) | JSON, max_size=4
    ),
)
def test_only_documented_refusals_come_out(
    work: Work, call: dict[str, Any], contacts: list[Any]
) -> None:
    """Any subscription is answered or refused with 400; of any batch the good contacts go in."""
    with work.connection.begin_nested() as savepoint:
        answer = synced(work, *contacts)
        assert answer.created + answer.updated + len(answer.errors) == len(contacts)
        try:
            subscribed(work, **call)
        except Refusal as refusal:
            event(f"{refusal.status} {refusal.code}")
            if refusal.status != 400:
                raise
        savepoint.rollback()
