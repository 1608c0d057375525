"""A late call leaves the lists alone that a later call named (contract §2)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.domain.errors import validated
from halo_engine.opening import open_work
from halo_engine.tables import subscription_members, subscriptions, suppressions
from halo_engine.work import Work
from tests.contacts.racing import at_once
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    committed_organization,
    rows,
    statements,
    written_signals,
)

LISTS = ("news", "offers", "tips")


@pytest.fixture
def work(work: Work) -> Work:
    """An organisation with three lists and Ann, who is on none."""
    return with_ann(work)


def with_ann(work: Work) -> Work:
    """Make the lists, and Ann."""
    for key in LISTS:
        create_list(work, key)
    add_contact(work, "ann", email="ann@a.example")
    return work


def joins(work: Work, list_key: str, sent: float | None = None) -> None:
    """Put Ann on a list by a call that was sent so many minutes ago, if that is known."""
    subscribe(work, validated(SubscribeCall, _call(sent, list=list_key), "subscribe"))


def leaves(work: Work, list_key: str | None = None, sent: float | None = None) -> None:
    """Take Ann off a list, or off everything."""
    unsubscribe(work, validated(UnsubscribeCall, _call(sent, list=list_key), "unsubscribe"))


def _call(sent: float | None, **call: Any) -> dict[str, Any]:
    sent_at = None if sent is None else (NOW - timedelta(minutes=sent)).isoformat()
    return {"contact": "ann", "sent_at": sent_at, **call}


def on(work: Work) -> list[str]:
    """Return the lists that Ann is on; with ``(none)`` if she has unsubscribed from everything."""
    key_of = dict(rows(work, subscriptions, "id", "key"))
    found = sorted(key_of[each] for (each,) in rows(work, subscription_members, "subscription_id"))
    return [*found, *("(none)" for _ in rows(work, suppressions, "unsubscribed_at"))]


@pytest.mark.parametrize("sent", [2, None])
def test_a_late_subscription_undoes_no_unsubscription(work: Work, sent: float | None) -> None:
    """A subscription that was sent before the unsubscription was sent, or came, writes nothing."""
    joins(work, "news", 9)
    leaves(work, "news", sent)
    found = len(written_signals(work))
    joins(work, "news", 5)
    assert (on(work), len(written_signals(work))) == ([], found)


def test_a_late_unsubscription_undoes_no_subscription(work: Work) -> None:
    """An unsubscription sent before the subscription leaves the contact on the list."""
    joins(work, "news", 2)
    leaves(work, "news", 5)
    assert on(work) == ["news"]


def test_calls_about_other_lists_make_none_late(work: Work) -> None:
    """Each list has an order of its own."""
    joins(work, "news", 2)
    leaves(work, "offers", 1)
    joins(work, "tips", 5)
    leaves(work, "tips", 4)
    joins(work, "tips", 3)
    assert on(work) == ["news", "tips"]


def test_a_late_subscription_brings_back_nobody_who_left_everything(work: Work) -> None:
    """A late subscription neither joins the list nor lifts the suppression; a later one does
    both.
    """
    joins(work, "news", 9)
    leaves(work, None, 2)
    joins(work, "offers", 5)
    assert on(work) == ["(none)"]
    joins(work, "offers", 1)
    joins(work, "news", 4)
    assert on(work) == ["offers"]


def test_leaving_everything_late_leaves_what_was_joined_before(work: Work) -> None:
    """Leaving everything late keeps the lists that were joined since, and mail to them."""
    joins(work, "news", 9)
    joins(work, "offers", 2)
    leaves(work, None, 5)
    assert on(work) == ["offers"]


def test_leaving_everything_twice_is_no_order(work: Work) -> None:
    """The older of two calls that leave everything changes nothing."""
    leaves(work, None, 2)
    joins(work, "news", 1)
    leaves(work, None, 5)
    assert on(work) == ["news"]


def test_a_subscription_older_than_a_week_changes_nothing(work: Work) -> None:
    """A subscription more than a week old changes nothing, since a later call may be forgotten."""
    joins(work, "news", 9 * 24 * 60)
    assert on(work) == ["news"]
    leaves(work, "news", 8 * 24 * 60)
    assert on(work) == []
    joins(work, "news", 8 * 24 * 60 - 1)
    assert on(work) == []


def test_calls_that_race_end_in_the_order_of_sending(database: Engine) -> None:
    """Of calls at once the one that was sent last decides."""
    org = committed_organization(database)
    with database.begin() as connection:
        with_ann(open_work(connection, org, NOW))

    def joining(sent: float) -> Callable[[Work], None]:
        return lambda work: joins(work, "news", sent)

    def leaving(sent: float) -> Callable[[Work], None]:
        return lambda work: leaves(work, "news", sent)

    for minute in range(20, 0, -4):
        at_once(database, org, joining(minute), leaving(minute - 1), joining(minute - 2))
        with database.connect() as connection:
            assert on(open_work(connection, org, NOW)) == ["news"]
        at_once(database, org, leaving(minute - 3), joining(minute - 2.5))
        with database.connect() as connection:
            assert on(open_work(connection, org, NOW)) == []


def test_a_call_whose_sending_is_known_takes_one_statement_more(work: Work) -> None:
    """With a sending time a call locks the contact first; without one it is one statement."""
    with statements(work.connection) as seen:
        joins(work, "news")
    assert len(seen) == 1
    with statements(work.connection) as seen:
        leaves(work, "news", 1)
    assert len(seen) == 2
