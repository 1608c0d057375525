"""An operator's call with an idempotency key is done once (contract §2, §12)."""

from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from halo_engine.contacts.calls import Call
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.domain.errors import Refusal
from halo_engine.doors.acts import Flow
from halo_engine.doors.door import as_data
from halo_engine.doors.once import run_once
from halo_engine.doors.table import DOORS
from halo_engine.engine import Engine
from halo_engine.mail.sending.stops import Sending
from halo_engine.operators.origin import Origin
from halo_engine.tables import audit_log, automations, end_users, idempotency_keys
from halo_engine.work import OrgRef
from tests.doors.conftest import ORIGIN, Operator
from tests.doors.test_series import WELCOME
from tests.pipeline.sandbox import Sandbox


def test_a_call_that_comes_twice_is_done_once(sandbox: Sandbox, operate: Operator) -> None:
    """The second call gets the first one's answer, although it would be refused now."""
    first = operate("contacts.add", user_id="ann", idempotency_key="k")
    assert operate("contacts.add", user_id="ann", idempotency_key="k") == first
    assert sandbox.count(end_users) == 1
    with pytest.raises(Refusal, match="is a contact already"):
        operate("contacts.add", user_id="ann")


def test_what_is_done_once_is_noted_once(sandbox: Sandbox, operate: Operator) -> None:
    """A call and its repetitions leave one row in the audit log."""
    for _ in range(3):
        operate("contacts.add", user_id="ann", idempotency_key="k")
    assert sandbox.count(audit_log) == 1


def test_a_key_with_another_body_is_refused(sandbox: Sandbox, operate: Operator) -> None:
    """A used key is refused with another body and at another door; nothing is written."""
    operate("contacts.add", user_id="ann", idempotency_key="k")
    for door, fields in (("contacts.add", {"user_id": "ben"}), ("series.pause", {"series": "s"})):
        with pytest.raises(Refusal) as refused:
            operate(door, idempotency_key="k", **fields)
        assert (refused.value.status, refused.value.code) == (409, "idempotency_key_reused")
    assert sandbox.count(end_users) == 1


def test_a_refused_call_leaves_its_key_free(operate: Operator) -> None:
    """After a refusal the same key and body succeed once the cause is fixed."""
    with pytest.raises(Refusal) as refused:
        operate("series.activate", series="welcome", idempotency_key="k")
    assert refused.value.code == "unknown_series"
    operate("series.save", series="welcome", definition=WELCOME)
    answer = operate("series.activate", series="welcome", idempotency_key="k")
    assert answer == {"series": "welcome", "status": "active"}


def test_a_flow_of_several_transactions_is_done_once(sandbox: Sandbox, operate: Operator) -> None:
    """A stop that comes again answers how many left the first time."""
    sandbox.contacts(["ann"])
    sandbox.series(
        "welcome", entry_trigger="manual", steps=[{**WELCOME["steps"][0], "delay": "1d"}]
    )
    sandbox.settle()
    stopped = operate("series.stop", series="welcome", idempotency_key="k")
    assert stopped["status"] == "completed"
    assert operate("series.stop", series="welcome", idempotency_key="k") == stopped
    with pytest.raises(Refusal, match="only one that is active or paused can be stopped"):
        operate("series.stop", series="welcome", idempotency_key="another")


def test_of_two_at_once_one_is_done(sandbox: Sandbox, operate: Operator) -> None:
    """Of two calls at once with one key one is done, and the other gets its answer."""
    answers: list[Any] = []

    def save() -> None:
        definition = {"definition": WELCOME, "series": "welcome"}
        answers.append(operate("series.save", idempotency_key="k", **definition))

    callers = [Thread(target=save) for _ in range(4)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert [each["result"] for each in answers] == ["created"] * 4
    assert sandbox.count(automations) == 1


def test_a_flow_under_way_keeps_its_key_to_itself(sandbox: Sandbox) -> None:
    """While a flow runs, its key is a 409; afterwards the key gets the flow's answer."""
    ran: list[str] = []

    def perform(engine: Engine, org: OrgRef, call: Call, _origin: Origin) -> Sending:
        ran.append("once")
        with pytest.raises(Refusal) as refused:
            run_once(slow, engine, org, call, ORIGIN, "k", _nobody)
        assert (refused.value.status, refused.value.code) == (409, "idempotency_key_busy")
        other = run_once(DOORS["sending.stop"], engine, org, call, ORIGIN, "another", _nobody)
        assert isinstance(other, Sending)
        return other

    slow = replace(DOORS["sending.stop"], act=Flow(perform))
    call = slow.read({})
    first = run_once(slow, sandbox.engine, sandbox.org, call, ORIGIN, "k", _nobody)
    again = run_once(slow, sandbox.engine, sandbox.org, call, ORIGIN, "k", _nobody)
    assert (ran, again) == (["once"], as_data(first))


def test_a_flow_whose_rest_nobody_takes_leaves_its_key_free(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the rest of a flow is never done, the same call goes on where the first one ended."""
    sandbox.contacts(["ann"])
    door = DOORS["organizations.erase"]
    call = door.read({})
    monkeypatch.setattr("halo_engine.doors.organization.TURN_SECONDS", -1)

    def away(_rest: Call) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run_once(door, sandbox.engine, sandbox.org, call, ORIGIN, "k", away)
    monkeypatch.undo()
    answer = run_once(door, sandbox.engine, sandbox.org, call, ORIGIN, "k", _nobody)
    assert answer.done


def _nobody(_rest: Call) -> None:
    """See to nothing: there is no rest."""


def test_operators_keys_are_apart_from_those_of_events(sandbox: Sandbox, operate: Operator) -> None:
    """An event's idempotency key, sent by the public widget key, never uses up an operator's."""
    operate("contacts.add", user_id="ann", idempotency_key="k")
    event = TrackCall(event="login", user_id="ann", idempotency_key="k")
    assert sandbox.perform(lambda work: track(work, event)).event == "login"
    assert sandbox.count(idempotency_keys) == 2


def test_nothing_of_an_erased_contact_is_kept(sandbox: Sandbox, operate: Operator) -> None:
    """An erasure deletes stored answers and keys, which may hold the contact's name."""
    operate("contacts.add", user_id="ann", idempotency_key="add ann")
    operate("lists.unsubscribe", contact="ann", idempotency_key="leave ann")
    operate("contacts.erase", contact="ann", idempotency_key="erase ann")
    assert sandbox.count(idempotency_keys) == 1
    assert sandbox.count(idempotency_keys, idempotency_keys.c.key.contains("ann")) == 0
