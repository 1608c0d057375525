"""Signals: their order of arrival, and turns beside wide signals (contract §1, §2)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

import pytest
from sqlalchemy import insert, select

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.domain.series.signals import SignalKind
from halo_engine.journey.removal import stop_series
from halo_engine.pipeline import drain, wide
from halo_engine.pipeline.react import react
from halo_engine.pipeline.reaction import Reaction
from halo_engine.series.lifecycle import activate, pause, resume
from halo_engine.series.locks import lock_signals
from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automations,
    companies,
    end_users,
    signals,
)
from tests.contacts.sandbox import while_open
from tests.pipeline.sandbox import EMAIL, NOON, Sandbox


def test_a_batch_ends_before_a_contacts_second_signal(sandbox: Sandbox) -> None:
    """Two signals of one contact are handled in two batches, in order of arrival."""
    sandbox.series("welcome")
    [ann, bob] = sandbox.contacts(["ann", "bob"])
    sandbox.signal([ann, bob, ann])
    sizes = [len(each.signals) for each in sandbox.settle() if isinstance(each, Reaction)]
    assert sizes == [2, 1]


def test_time_that_is_up_is_no_signals_fault(sandbox: Sandbox) -> None:
    """An interruption ends the settling; the signal still waits and is not parked."""
    sandbox.series("welcome")
    sandbox.signal(sandbox.contacts(["ann"]))

    class TimeIsUpError(Exception):
        pass

    def interrupted() -> datetime:
        raise TimeIsUpError

    engine = replace(sandbox.engine, clock=interrupted, interruptions=(TimeIsUpError,))
    with pytest.raises(TimeIsUpError):
        list(engine.settle(sandbox.org_id))
    sandbox.settle()
    assert sandbox.count(automation_enrollments) == 1


def somebody_comes_after_an_activation(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave an activation of four pages, and a signal of a contact that was created later."""
    monkeypatch.setattr(wide, "PAGE", 10)
    sandbox.contacts(f"old{number:02}" for number in range(35))
    sandbox.series("blast", entry_trigger="manual")
    sandbox.series("welcome")
    sandbox.now = sandbox.now.replace(minute=1)
    sandbox.signal(sandbox.contacts(["new"]))


def test_a_wide_signal_takes_turns_with_the_others(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an activation is worked page by page, a signal that came later is not kept waiting."""
    somebody_comes_after_an_activation(sandbox, monkeypatch)
    handled = [
        [signal.kind for signal in each.signals]
        for each in sandbox.settle()
        if isinstance(each, Reaction)
    ]
    page, created = [SignalKind.ACTIVATED], [SignalKind.CREATED]
    assert handled == [page, created, page, page, page]
    assert sandbox.count(automation_enrollments) == 36


def test_a_task_that_has_time_for_one_page_alone_leaves_the_others_to_the_next(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if each page takes a whole task's turn, other signals do not wait for the last page."""
    somebody_comes_after_an_activation(sandbox, monkeypatch)
    handled = []
    for _ in range(3):
        moved = next(sandbox.engine.settle(sandbox.org_id))
        assert isinstance(moved, Reaction)
        handled.append(moved.signals[0].kind)
    assert handled == [SignalKind.ACTIVATED, SignalKind.CREATED, SignalKind.ACTIVATED]


def test_an_activation_that_a_pause_interrupts_goes_on_when_resumed(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages done stay done, nobody enters during the pause, and the rest enters after it."""
    monkeypatch.setattr(wide, "PAGE", 10)
    sandbox.contacts(f"old{number:02}" for number in range(25))
    later = [{"key": "hi", "delay": "1d", "email": {"subject": "Hi", "body": "Hi"}}]
    sandbox.series("blast", entry_trigger="manual", steps=later)
    sandbox.perform(lambda work: react(work, 500))
    sandbox.perform(lambda work: pause(work, "blast", "test"))
    sandbox.settle()
    assert sandbox.count(automation_enrollments) == 10
    sandbox.perform(lambda work: resume(work, "blast", "test"))
    sandbox.settle()
    assert sandbox.count(automation_enrollments) == 25


def test_who_is_created_after_an_activation_is_not_in_it(sandbox: Sandbox) -> None:
    """A manual series enrolls who exists at its activation, however late a worker handles it."""
    sandbox.contacts(["early"])
    sandbox.series("blast", entry_trigger="manual")
    sandbox.now = sandbox.now.replace(minute=1)
    sandbox.contacts(["late"])
    sandbox.settle()
    names = sandbox.perform(
        lambda work: work.connection.scalars(
            select(end_users.c.external_id)
            .join(
                automation_enrollments,
                (automation_enrollments.c.org_id == end_users.c.org_id)
                & (automation_enrollments.c.end_user_id == end_users.c.id),
            )
            .where(end_users.c.org_id == work.org_id)
        ).all()
    )
    assert names == ["early"]


def test_one_enrollment_however_often_the_signal_is_delivered(sandbox: Sandbox) -> None:
    """A signal that is delivered three times makes one run and one email."""
    sandbox.series("welcome")
    [ann] = sandbox.contacts(["ann"])
    sandbox.signal([ann, ann, ann])
    sandbox.settle()
    assert sandbox.count(automation_enrollments) == 1
    assert len(sandbox.transport.sent) == 1


def test_a_window_is_looked_for_from_when_the_signal_arrived(sandbox: Sandbox) -> None:
    """However late a worker handles it, the run and the delay before its first window begin when
    the signal arrived (contract §5).
    """
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    window = {"days": days, "from": "13:00", "to": "14:00", "timezone": "UTC"}
    windowed = {**EMAIL, "delay": "1d", "send_window": window}
    sandbox.series("windowed", steps=[windowed])
    sandbox.series("plain", steps=[{**EMAIL, "delay": "1d"}])
    sandbox.signal(sandbox.contacts(["early"]))
    sandbox.now += timedelta(minutes=30)
    sandbox.signal(sandbox.contacts(["late"]))
    sandbox.now += timedelta(hours=3)
    sandbox.settle()
    rows = automation_recipients
    due = sandbox.perform(
        lambda work: work.connection.scalars(
            select(rows.c.scheduled_for)
            .where(rows.c.org_id == work.org_id)
            .order_by(rows.c.scheduled_for)
        ).all()
    )
    noon = NOON + timedelta(days=1)
    opens = noon + timedelta(hours=1)
    assert due == [noon, noon + timedelta(minutes=30), opens, opens]


def test_a_pause_that_overtakes_a_page_of_an_activation_loses_nobody(sandbox: Sandbox) -> None:
    """The pause commits while a page waits for the lock: the page's contacts enter after the
    resume.
    """
    sandbox.contacts(("ann", "ben"))
    sandbox.series("news", entry_trigger="manual")
    paused = partial(pause, key="news", by="test")
    while_open(sandbox.database, sandbox.org, paused, sandbox.settle, now=sandbox.now)
    assert sandbox.count(automation_enrollments) == 0
    sandbox.perform(lambda work: resume(work, "news", "test"))
    sandbox.settle()
    assert sandbox.count(automation_enrollments) == 2
    assert sandbox.count(signals) == 0


def _stop(sandbox: Sandbox) -> None:
    stop_series(sandbox.perform, "blast", "test")


def _give_another_trigger(sandbox: Sandbox) -> None:
    definition = parse_definition("blast", {"entry_trigger": "user_created", "steps": [EMAIL]})
    sandbox.perform(lambda work: save_series(work, "blast", definition))


@pytest.mark.parametrize("change", [_stop, _give_another_trigger])
def test_an_activation_of_a_series_that_takes_nobody_any_more_is_over(
    sandbox: Sandbox, change: Callable[[Sandbox], None]
) -> None:
    """If the series was stopped, or saved with another trigger, before the last page, the signal is
    removed instead of waiting for a resume that never comes.
    """
    sandbox.contacts(("ann", "ben"))
    sandbox.series("blast", entry_trigger="manual")
    change(sandbox)
    assert len(list(islice(sandbox.engine.settle(sandbox.org_id), 3))) == 1
    assert sandbox.count(automation_enrollments) == 0
    assert sandbox.count(signals) == 0


def test_a_worker_that_waited_uses_the_instant_of_its_turn(
    sandbox: Sandbox,
) -> None:
    """A worker that waited for its turn uses the instant at which it begins: runs begin after an
    activation during the wait.
    """
    engine = replace(sandbox.engine, clock=None)
    org_id = sandbox.org_id
    sandbox.contacts(["ann"])
    definition = parse_definition("blast", {"entry_trigger": "manual", "steps": [EMAIL]})
    sandbox.perform(lambda work: save_series(work, "blast", definition))
    while_open(
        sandbox.database,
        sandbox.org,
        lambda work: lock_signals(work.connection, work.org_id),
        lambda: list(engine.settle(org_id)),
        meanwhile=lambda: engine.perform(sandbox.org, partial(activate, key="blast", by="test")),
    )
    runs, series = automation_enrollments.c, automations.c
    of_run = (series.org_id == runs.org_id) & (series.id == runs.automation_id)
    entered_in_time = sandbox.perform(
        lambda work: work.connection.scalars(
            select(runs.created_at >= series.activated_at).where(runs.org_id == work.org_id, of_run)
        ).all()
    )
    assert entered_in_time == [True]


def test_signals_that_keep_coming_hold_up_neither_due_rows_nor_a_pass(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many signals keep coming, each kind of work has its turn."""
    monkeypatch.setattr(drain, "TURN_SECONDS", 0.0)
    sandbox.series("welcome", steps=[{**EMAIL, "delay": "1h"}])
    sandbox.signal(sandbox.contacts(["ann"]))
    sandbox.settle()
    sandbox.now += timedelta(hours=1)
    ticking = sandbox.engine.tick(sandbox.org_id)
    handled = []
    for number in range(5):
        sandbox.signal(sandbox.contacts([f"u{number}"]))
        moved = next(ticking)
        handled.append(moved.signals[0].kind if isinstance(moved, Reaction) else "due rows")
    created, reevaluated = SignalKind.CREATED, SignalKind.REEVALUATED
    assert handled == [created, "due rows", created, reevaluated, created]
    assert len(sandbox.transport.sent) == 1


def test_a_companys_runs_are_revisited_some_at_a_time(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many series its contacts are in, the number of runs in memory is bounded."""
    monkeypatch.setattr(wide, "REVISITED", 8)
    company = {"org_id": sandbox.org_id, "external_id": "acme"}
    instants = dict.fromkeys(("created_at", "updated_at"), sandbox.now)
    made = insert(companies).values(**company, **instants).returning(companies.c.id)
    company_id = sandbox.perform(lambda work: work.connection.scalar(made))
    sandbox.contacts((f"u{number}" for number in range(6)), company_id=company_id)
    gone = [[{"field": "company.name", "operator": "is", "value": "Gone"}]]
    rules = {"exit_rules": ["filter_match"], "exit_filters": gone}
    for number in range(4):
        steps = [{**EMAIL, "delay": "1d"}]
        sandbox.series(f"s{number}", entry_trigger="manual", settings=rules, steps=steps)
    sandbox.settle()
    call = IdentifyCompanyCall(id="acme", traits={"name": "Gone"})
    sandbox.perform(lambda work: identify_company(work, call))
    ended = [len(each.exits) for each in sandbox.settle() if isinstance(each, Reaction)]
    # Two contacts at a time; then the entries.
    assert ended == [8, 8, 8, 0]
