"""Messages as sets: how many statements they take, how many wait, and for how long (§13)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, Table, select

from halo_engine.answers.operations.status import status
from halo_engine.contacts.clients.waiting import WaitingCall, keep_waiting
from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.domain.clients.segment import message_of
from halo_engine.domain.errors import Refusal
from halo_engine.doors.over_http.clients import SEGMENT_PUBLIC
from halo_engine.sets import Outcome, SetCall
from halo_engine.tables import (
    anonymous_traits,
    automation_enrollments,
    events,
    taken_messages,
    waiting_calls,
)
from tests.pipeline.sandbox import Sandbox, counted_statements, new_sandbox


@pytest.fixture
def sandbox(shared_database: Engine) -> Sandbox:
    """An organisation of the test's own, at noon."""
    return new_sandbox(shared_database, f"clients-{uuid4()}")


def send(sandbox: Sandbox, *messages: dict[str, Any]) -> list[Outcome]:
    """Take messages as one set."""
    calls = [SetCall(SEGMENT_PUBLIC, message_of(each["type"], each)) for each in messages]
    return sandbox.engine.perform_set(sandbox.org, calls)


def mixed(number: int) -> list[dict[str, Any]]:
    """Return what apps send of so many users: five messages each, one of somebody unknown."""
    said: list[dict[str, Any]] = []
    for n in range(number):
        user, somebody = {"userId": f"u{n}"}, {"anonymousId": f"s{n}"}
        said += [
            {"type": "identify", **somebody, "traits": {"plan": "pro"}},
            {"type": "identify", **user, **somebody, "traits": {"email": f"u{n}@a.example"}},
            {"type": "group", **user, "groupId": f"c{n}"},
            {"type": "page", **user, **somebody, "name": "Home"},
            {"type": "track", "userId": f"x{n}", "event": "paid"},
        ]
    return [{**each, "messageId": str(uuid4())} for each in said]


def names(statements: Sequence[str]) -> list[str]:
    """Return the names of statements."""
    return [each.partition("halo:")[2].partition(" ")[0] for each in statements]


def test_a_batch_takes_the_same_statements_whatever_its_size(sandbox: Sandbox) -> None:
    """A batch of 5 or of 100 mixed messages takes fifteen statements; pages follow the identify."""
    send(sandbox, *mixed(1))
    for users in (1, 20):
        messages = mixed(users)
        with counted_statements(sandbox.database) as statements:
            outcomes = send(sandbox, *messages)
        assert not any(isinstance(each, Refusal) for each in outcomes)
        assert names(statements) == [
            "read_org",
            "plan_without_values",
            "take_messages",
            "hold_anonymous_traits",
            "plan_without_values",
            "lock_addresses",
            "write_contacts",
            "link_sessions",
            "write_events",
            "write_companies",
            "write_events",
            "find_waiting_calls",
            "lock_waiting_calls",
            "keep_waiting_calls",
            "forget_anonymous_traits",
        ]


def waiting(sandbox: Sandbox) -> list[str]:
    """Return the users for whom calls wait."""
    asked = select(waiting_calls.c.user_id).where(waiting_calls.c.org_id == sandbox.org_id)
    return sandbox.perform(lambda work: list(work.connection.scalars(asked)))


def test_an_organization_keeps_a_bounded_number(sandbox: Sandbox) -> None:
    """Calls that wait are bounded for each organisation: the first that fit are kept, the others
    refused by name.
    """
    calls = [WaitingCall(f"u{n}", "track", {}) for n in range(4)]
    refused = sandbox.perform(lambda work: keep_waiting(work, calls, most=3))
    assert [each and each.code for each in refused] == [None, None, None, "too_many_waiting"]
    refused = sandbox.perform(lambda work: keep_waiting(work, calls[:1], most=3))
    assert [each and each.status for each in refused] == [409]
    assert sorted(waiting(sandbox)) == ["u0", "u1", "u2"]


def test_an_event_that_waited_triggers(sandbox: Sandbox) -> None:
    """An event that waited triggers from its own instant, at the first tick after another door
    created the user.
    """
    sandbox.series("paid", entry_trigger="event", settings={"entry_event_name": "paid"})
    send(sandbox, {"type": "track", "userId": "ann", "event": "paid"})
    happened_at = sandbox.now
    sandbox.now += timedelta(hours=2)
    call = IdentifyCall(user_id="ann", traits={"email": "ann@a.example"})
    sandbox.perform(lambda work: identify(work, call))
    assert sandbox.engine.chores.tend_waiting_calls() >= 1
    sandbox.settle()
    assert (waiting(sandbox), sandbox.count(automation_enrollments)) == ([], 1)
    found = sandbox.perform(
        lambda work: work.connection.execute(
            select(events.c.happened_at, events.c.live).where(events.c.org_id == work.org_id)
        ).one()
    )
    assert (found.happened_at, found.live) == (happened_at, True)


def test_what_waits_too_long_goes(sandbox: Sandbox) -> None:
    """Waiting calls are deleted after a day, anonymous traits after 30 days, message ids after
    seven.
    """
    kept = {waiting_calls: timedelta(days=1), taken_messages: timedelta(days=7)}
    kept[anonymous_traits] = timedelta(days=30)
    send(
        sandbox,
        {"type": "track", "userId": "ann", "event": "paid", "messageId": "m1"},
        {"type": "identify", "anonymousId": "s", "traits": {"plan": "pro"}},
    )
    began = sandbox.now

    def left_after(table: Table, time: timedelta) -> int:
        sandbox.now = began + time
        sandbox.engine.chores.tend_waiting_calls()
        return sandbox.count(table)

    for table, time in kept.items():
        assert left_after(table, time - timedelta(seconds=1)) == 1
        assert left_after(table, time) == 0


def test_a_call_that_waited_too_long_is_not_given(sandbox: Sandbox) -> None:
    """A call that waited too long is not done, even if no tick has deleted it."""
    send(sandbox, {"type": "track", "userId": "ann", "event": "paid"})
    sandbox.now += timedelta(days=1)
    send(sandbox, {"type": "identify", "userId": "ann"})
    assert sandbox.count(events) == 0


def test_status_says_how_many_wait(sandbox: Sandbox) -> None:
    """Status says how many calls wait, and since when the oldest does."""
    send(sandbox, *[{"type": "track", "userId": "ann", "event": f"e{n}"} for n in range(3)])
    found = sandbox.perform(status)
    assert (found.waiting_calls, found.oldest_waiting_call) == (3, sandbox.now)
    assert found.needs == ()


def test_erasing_a_contact_erases_what_waits_for_it(sandbox: Sandbox) -> None:
    """Erasing a contact deletes the calls that wait for it."""
    send(
        sandbox,
        {"type": "track", "userId": "ann", "event": "paid"},
        {"type": "track", "userId": "bob", "event": "paid"},
    )
    sandbox.contacts(["ann"])
    sandbox.perform(lambda work: erase_contact(work, EraseContactCall(contact="ann")))
    assert waiting(sandbox) == ["bob"]


def test_a_refused_call_that_waited_is_passed_over(sandbox: Sandbox) -> None:
    """A waiting call that is refused in the end is dropped; the others are done."""
    send(
        sandbox,
        {"type": "group", "userId": "ann", "groupId": "acme", "traits": {"a": "x" * 19_000}},
        {"type": "track", "userId": "ann", "event": "paid"},
    )
    values = {str(n): "x" * 20_000 for n in range(20)}
    sandbox.perform(lambda work: fill(work, values))
    send(sandbox, {"type": "identify", "userId": "ann"})
    assert (waiting(sandbox), sandbox.count(events)) == ([], 1)


def fill(work: Any, values: dict[str, str]) -> None:
    """Make the company whose documents are nearly too large."""
    for name, value in values.items():
        trait = {name: value[:19_000]}
        identify_company(work, IdentifyCompanyCall(id="acme", traits=trait))
    identify_company(work, IdentifyCompanyCall(id="acme", traits={"last": "x" * 15_000}))


def test_a_call_that_this_code_cannot_read_waits_and_holds_up_no_other(sandbox: Sandbox) -> None:
    """A waiting call that this version cannot read stays for the one that can; the others are
    done.
    """
    foreign = WaitingCall("ann", "track", {"user_id": "ann", "unheard_of": 1})
    sandbox.perform(lambda work: keep_waiting(work, [foreign]))
    send(sandbox, {"type": "track", "userId": "ann", "event": "paid"})
    sandbox.perform(lambda work: identify(work, IdentifyCall(user_id="ann")))
    assert sandbox.engine.chores.tend_waiting_calls() >= 1
    assert (waiting(sandbox), sandbox.count(events)) == (["ann"], 1)
