"""Subscribing, unsubscribing, bouncing (contract §2: the doors' table; §3: Suppressed)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    subscribe_all,
    unsubscribe,
    unsubscribe_all,
)
from halo_engine.contacts.consent.suppression import BounceCall, bounce, bounce_all
from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal, validated
from halo_engine.opening import open_work
from halo_engine.tables import end_users, signals, subscription_members, subscriptions, suppressions
from halo_engine.work import Work
from tests.contacts.sandbox import (
    EARLIER,
    NOW,
    add_contact,
    add_message,
    add_series,
    committed_organization,
    new_organization,
    overtaken,
    refused,
    rows,
    statements,
    written_signals,
)

LATER = NOW + timedelta(days=1)
ANN = "Ann@a.example"


@pytest.fixture
def news(work: Work) -> UUID:
    """The list ``news``."""
    return add_list(work, "news")


# Subscribing.


def test_subscribing_puts_a_contact_on_the_list(work: Work, news: UUID) -> None:
    """A subscription writes one membership and one signal, that the list of the contact changed;
    ``last_seen`` stays.
    """
    ann = add_contact(work, "ann")
    assert join(work, "ann").model_dump() == {"id": ann, "pending": False}
    assert rows(work, subscription_members, "end_user_id", "subscription_id", "subscribed_at") == [
        (ann, news, NOW)
    ]
    assert written_signals(work) == [("changed", ann, ["list", "suppression", "list:news"])]
    assert rows(work, end_users, "last_seen") == [(EARLIER,)]


def test_subscribing_again_keeps_the_first_time(work: Work, news: UUID) -> None:
    """Subscribing again changes nothing, and nobody enters by it (contract §22)."""
    ann = add_contact(work, "ann")
    join(work, "ann")
    forget_signals(work)
    join(replace(work, now=LATER), "ann")
    assert members(work) == [(ann, news)]
    assert rows(work, subscription_members, "subscribed_at") == [(NOW,)]
    assert written_signals(work) == [("silent", ann, ["list", "suppression"])]


@pytest.mark.usefixtures("news")
def test_subscribing_lifts_an_unsubscription(work: Work) -> None:
    """The address gets mail again."""
    add_contact(work, "ann", email=ANN)
    leave(work, "ann")
    join(work, "ann")
    assert suppressed(work) == []


@pytest.mark.usefixtures("news")
def test_subscribing_never_lifts_a_bounce(work: Work) -> None:
    """An address that bounced and unsubscribed stays suppressed after a subscription."""
    add_contact(work, "ann", email=ANN)
    give_up(work, contact="ann")
    leave(replace(work, now=LATER), "ann")
    assert suppressed(work) == [("ann@a.example", NOW, LATER)]
    join(work, "ann")
    assert suppressed(work) == [("ann@a.example", NOW, None)]
    join(work, "ann")
    assert suppressed(work) == [("ann@a.example", NOW, None)]


# Unsubscribing.


def test_unsubscribing_from_a_list_leaves_that_list(work: Work, news: UUID) -> None:
    """Leaving one list keeps the others, and suppresses no address."""
    tips = add_list(work, "tips")
    ann, ben = add_contact(work, "ann", email=ANN), add_contact(work, "ben")
    for key in ("news", "tips"):
        join(work, "ann", key)
        join(work, "ben", key)
    forget_signals(work)
    leave(work, "ann", "news")
    assert members(work) == sorted([(ann, tips), (ben, news), (ben, tips)])
    assert suppressed(work) == []
    assert written_signals(work) == [("changed", ann, ["list", "suppression", "list:news"])]


@pytest.mark.usefixtures("news")
def test_unsubscribing_from_everything_leaves_every_list(work: Work) -> None:
    """Leaving everything suppresses the address in lower case; each contact with it has a signal,
    by creation.
    """
    add_list(work, "tips")
    ann = add_contact(work, "ann", email=ANN)
    ben = add_contact(work, "ben", email="ANN@A.example")
    cyd = add_contact(work, "cyd", email="cyd@a.example")
    for name in ("ann", "ben", "cyd"):
        join(work, name)
    join(work, "ann", "tips")
    forget_signals(work)
    assert leave(work, "ann").id == ann
    assert [contact_id for contact_id, _ in members(work)] == sorted([ben, cyd])
    assert suppressed(work) == [("ann@a.example", None, NOW)]
    assert written_signals(work) == [
        ("changed", ann, ["list", "suppression", "list:news", "list:tips"]),
        ("silent", ben, ["list", "suppression"]),
    ]


@pytest.mark.usefixtures("news")
def test_without_an_address_only_the_lists_are_left(work: Work) -> None:
    """A contact without an address leaves its lists; nothing is suppressed, and it alone has a
    signal.
    """
    ann = add_contact(work, "ann")
    join(work, "ann")
    forget_signals(work)
    leave(work, "ann")
    assert members(work) == suppressed(work) == []
    assert written_signals(work) == [("changed", ann, ["list", "suppression", "list:news"])]


def test_unsubscribing_again_keeps_the_first_time(work: Work) -> None:
    """Unsubscribing again keeps the first instant."""
    add_contact(work, "ann", email=ANN)
    leave(work, "ann")
    leave(replace(work, now=LATER), "ann")
    assert suppressed(work) == [("ann@a.example", None, NOW)]


# Bouncing.


def test_a_bounce_suppresses_the_address(work: Work) -> None:
    """A bounce suppresses the address and signals every contact with it; lists and ``last_seen``
    stay.
    """
    ann = add_contact(work, "ann", email=ANN)
    lead = add_contact(work, None, email="ann@A.EXAMPLE")
    add_contact(work, "ben", email="ben@a.example")
    assert give_up(work, contact="ann").id == ann
    assert suppressed(work) == [("ann@a.example", NOW, None)]
    assert written_signals(work) == [
        ("silent", ann, ["suppression"]),
        ("silent", lead, ["suppression"]),
    ]
    give_up(replace(work, now=LATER), contact="ann")
    assert suppressed(work) == [("ann@a.example", NOW, None)]


def test_a_bounce_of_a_mail_concerns_the_address_it_was_sent_to(work: Work) -> None:
    """A bounce suppresses the address the mail was sent to, and signals the contacts that have it
    now.
    """
    ann = add_contact(work, "ann", email="new@a.example")
    ben = add_contact(work, "ben", email="old@a.example")
    series = add_series(work, "welcome", "hello")
    add_message(work, ann, series, "hello", message_id="<1@halo>", to_address="Old@a.example")
    assert give_up(work, message_id="<1@halo>").id == ann
    assert suppressed(work) == [("old@a.example", NOW, None)]
    assert written_signals(work) == [("silent", ben, ["suppression"])]


def test_a_bounce_needs_an_address(work: Work) -> None:
    """A contact without one is a 400 that says so."""
    add_contact(work, "ann")
    with pytest.raises(Refusal) as refusal:
        give_up(work, contact="ann")
    assert refusal.value.as_dict() == {
        "status": 400,
        "code": "no_email",
        "message": "contact: ‘ann’ has no email; allowed is a contact that has one",
    }
    assert nothing_written(work)


# Whom a name stands for.


@pytest.mark.usefixtures("news")
def test_a_contact_is_named_by_user_id_or_by_email_where_it_has_none(work: Work) -> None:
    """A name is a user's ID, else a lead's email in any case."""
    lead = add_contact(work, None, email=ANN)
    assert join(work, "ANN@a.example").id == lead
    user = add_contact(work, "ANN@a.example")
    assert join(work, "ANN@a.example").id == user
    assert join(work, "ann@a.example").id == lead


@pytest.mark.usefixtures("news")
@pytest.mark.parametrize("name", ["nobody", "ann@a.example", "ANN"])
@pytest.mark.parametrize("door", ["subscribe", "unsubscribe", "bounce"])
def test_an_unknown_contact_is_not_found(work: Work, name: str, door: str) -> None:
    """Neither a user's email nor its ID in another case names it; nothing is written."""
    add_contact(work, "ann", email=ANN)
    doors: dict[str, Callable[[], object]] = {
        "subscribe": lambda: join(work, name),
        "unsubscribe": lambda: leave(work, name),
        "bounce": lambda: give_up(work, contact=name),
    }
    with pytest.raises(Refusal) as refusal:
        doors[door]()
    assert refusal.value.as_dict() == {
        "status": 404,
        "code": "unknown_contact",
        "message": f"There is no contact ‘{name}’.",
    }
    assert nothing_written(work)


@pytest.mark.parametrize("door", [subscribe, unsubscribe])
def test_an_unknown_list_is_not_found(work: Work, door: Any) -> None:
    """It is a 404 that names the list; another organisation's list is unknown, too."""
    add_list(new_organization(work.connection), "news")
    add_contact(work, "ann", email=ANN)
    model = SubscribeCall if door is subscribe else UnsubscribeCall
    with pytest.raises(Refusal) as refusal:
        door(work, model(contact="ann", list="news"))
    assert refusal.value.as_dict() == {
        "status": 404,
        "code": "unknown_list",
        "message": "There is no list ‘news’.",
    }
    assert nothing_written(work)


def test_an_unknown_mail_is_not_found(work: Work) -> None:
    """A bounce of a Message-ID that was never used is a 404 that names it."""
    with pytest.raises(Refusal, match=r"^There is no mail ‘<1@halo>’\.$") as refusal:
        give_up(work, message_id="<1@halo>")
    assert (refusal.value.status, refusal.value.code) == (404, "unknown_mail")


@pytest.mark.parametrize(
    ("model", "data", "code", "message"),
    [
        (SubscribeCall, {"contact": "ann"}, "missing_key", "call.list: is required"),
        (
            UnsubscribeCall,
            {"contact": "ann", "list": ""},
            "bad_id",
            "call: list: ‘’ is refused; allowed are 1 to 255 characters, not blank",
        ),
        (
            BounceCall,
            {},
            "bad_call",
            "call: contact: allowed is either a contact or a message_id",
        ),
        (
            BounceCall,
            {"contact": "ann", "message_id": "<1@halo>"},
            "bad_call",
            "call: contact: allowed is either a contact or a message_id",
        ),
    ],
)
def test_what_is_not_a_call_is_refused(model: Any, data: object, code: str, message: str) -> None:
    """Each refusal is a 400 that names the field and what is allowed (contract §11)."""
    assert refused(model, data, "call") == (400, code, message)


def test_organisations_are_apart(work: Work) -> None:
    """An address that bounced in one organisation still gets mail from another."""
    elsewhere = new_organization(work.connection)
    for each in (work, elsewhere):
        add_contact(each, "ann", email=ANN)
    give_up(work, contact="ann")
    leave(work, "ann")
    assert nothing_written(elsewhere)


# Races and sets.


def test_a_lift_that_waited_for_a_bounce_keeps_it(shared_database: Engine) -> None:
    """A subscription that waits for a bounce does not lift it."""
    org = committed_organization(shared_database)
    with shared_database.begin() as connection:
        work = open_work(connection, org, NOW)
        add_list(work, "news")
        add_contact(work, "ann", email=ANN)
        leave(work, "ann")
    overtaken(
        shared_database,
        org,
        lambda work: give_up(work, contact="ann"),
        lambda work: join(work, "ann"),
    )
    with shared_database.connect() as connection:
        assert suppressed(open_work(connection, org, NOW)) == [("ann@a.example", NOW, None)]


def test_a_race_to_suppress_and_to_lift_ends_well(shared_database: Engine) -> None:
    """Bounces and subscriptions at once all succeed, and the bounce stays."""
    org = committed_organization(shared_database)
    with shared_database.begin() as connection:
        work = open_work(connection, org, NOW)
        add_list(work, "news")
        add_contact(work, "ann", email=ANN)
    start = Barrier(6)
    doors: list[Callable[[Work], object]] = [
        lambda work: join(work, "ann"),
        lambda work: leave(work, "ann"),
        lambda work: give_up(work, contact="ann"),
    ] * 2

    def run(door: Callable[[Work], object]) -> None:
        start.wait()
        for _ in range(12):
            run_in_transaction(
                shared_database, lambda connection: door(open_work(connection, org, NOW))
            )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, doors))
    with shared_database.connect() as connection:
        assert [row[:2] for row in suppressed(open_work(connection, org, NOW))] == [
            ("ann@a.example", NOW)
        ]


@pytest.mark.usefixtures("news")
@pytest.mark.parametrize("size", [1, 500])
def test_a_set_of_any_size_takes_as_many_statements(work: Work, size: int) -> None:
    """One for each door, and one that locks whoever leaves."""
    names = [f"u{number}" for number in range(size)]
    for name in names:
        add_contact(work, name, email=f"{name}@a.example")
    with statements(work.connection) as seen:
        subscribe_all(work, [SubscribeCall(contact=name, list="news") for name in names])
        unsubscribe_all(work, [UnsubscribeCall(contact=name) for name in names])
        bounce_all(work, [BounceCall(contact=name) for name in names])
    assert len(seen) == 4
    assert members(work) == []
    assert len(suppressed(work)) == size
    contacts = [contact_id for (contact_id,) in rows(work, end_users, "id")]
    assert [contact_id for _, contact_id, _ in written_signals(work)] == contacts * 3


def test_a_bad_call_spoils_no_other_of_its_set(work: Work, news: UUID) -> None:
    """Each call of a set has its own outcome, in its place; the valid ones are written."""
    ann, ben = add_contact(work, "ann"), add_contact(work, "ben")
    calls = [("ann", "news"), ("nobody", "news"), ("ann", "no list"), ("ben", "news")]
    outcomes = subscribe_all(work, [SubscribeCall(contact=c, list=key) for c, key in calls])
    assert [each.status if isinstance(each, Refusal) else each.id for each in outcomes] == [
        ann,
        404,
        404,
        ben,
    ]
    assert members(work) == sorted([(ann, news), (ben, news)])


def test_the_statements_work_with_a_reused_plan(work: Work, news: UUID) -> None:
    """The statements do the same at their fifteenth run on a connection, when the server reuses
    plans.
    """
    ann = add_contact(work, "ann", email=ANN)
    for _ in range(15):
        leave(work, "ann")
        give_up(work, contact="ann")
        join(work, "ann")
    assert members(work) == [(ann, news)]
    assert suppressed(work) == [("ann@a.example", NOW, None)]
    assert len(written_signals(work)) == 45


# Hostile input.

_NAMES = st.one_of(
    st.sampled_from(["ann", "lead@a.example", "nobody", "news", "<1@halo>", None, "", 7]),
    st.text(max_size=300),
    st.text(st.characters(codec=None), max_size=20),
)

_DOORS: list[tuple[Any, Any]] = [
    (SubscribeCall, subscribe),
    (UnsubscribeCall, unsubscribe),
    (BounceCall, bounce),
]


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    door=st.sampled_from(_DOORS),
    body=st.dictionaries(st.sampled_from(["contact", "list", "message_id", "x"]), _NAMES),
)
def test_any_input_is_written_or_refused(work: Work, door: Any, body: object) -> None:
    """Any input is written or refused."""
    if not rows(work, end_users, "id"):
        add_list(work, "news")
        add_contact(work, "ann", email=ANN)
        add_contact(work, None, email="lead@a.example")
    model, function = door
    try:
        function(work, validated(model, body, "call"))
    except Refusal as refusal:
        str(refusal).encode()
    assert join(work, "ann")


def join(work: Work, contact: str, key: str = "news") -> Any:
    """Subscribe a contact."""
    return subscribe(work, SubscribeCall(contact=contact, list=key))


def leave(work: Work, contact: str, key: str | None = None) -> Any:
    """Unsubscribe a contact."""
    return unsubscribe(work, UnsubscribeCall(contact=contact, list=key))


def give_up(work: Work, **named: str) -> Any:
    """Let a mail bounce."""
    return bounce(work, BounceCall(**named))


def add_list(work: Work, key: str) -> UUID:
    """Make a subscription list; return its id."""
    made = insert(subscriptions).values(org_id=work.org_id, key=key, created_at=EARLIER)
    list_id: UUID = work.connection.execute(made.returning(subscriptions.c.id)).scalar_one()
    return list_id


def members(work: Work) -> list[tuple[Any, ...]]:
    """Return who is on which list."""
    return rows(work, subscription_members, "end_user_id", "subscription_id")


def suppressed(work: Work) -> list[tuple[str, datetime | None, datetime | None]]:
    """Return the suppressed addresses: since which bounce, since which unsubscription."""
    found = rows(work, suppressions, "address", "bounced_at", "unsubscribed_at")
    return [(address, bounced, left) for address, bounced, left in found]


def forget_signals(work: Work) -> None:
    """Handle all signals as if no series were there."""
    work.connection.execute(signals.delete().where(signals.c.org_id == work.org_id))


def nothing_written(work: Work) -> bool:
    """Tell whether these doors left no trace."""
    tables = (subscription_members, suppressions, signals)
    return not any(rows(work, table, "org_id") for table in tables)
