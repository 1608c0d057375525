"""What is older than it is kept is deleted, and nothing before its time (contract §24)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, insert, update

from halo_engine.answers.explain.explain import explain
from halo_engine.answers.explain.runs import run_story
from halo_engine.answers.reports.funnel import funnel
from halo_engine.answers.reports.ledger import ledger
from halo_engine.answers.reports.timeline import timeline
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.retention import KEPT, History
from halo_engine.operators.audit import ListAuditCall, list_audit
from halo_engine.series.lifecycle import find_series
from halo_engine.tables import (
    audit_log,
    automation_enrollments,
    automation_recipients,
    cleared_recipients,
    csv_uploads,
    enrollment_refusals,
    event_counts,
    events,
    idempotency_keys,
    messages,
    signals,
    webhook_events,
)
from halo_engine.work import Work
from tests.pipeline.sandbox import EMAIL, NOON, Sandbox
from tests.retention.years import DAY, fire, keep, sweep, user

GATE = {"key": "gate", "condition": {"type": "user_property", "value": "plan=pro"}}


def test_events_go_once_they_are_as_old_as_they_are_kept(sandbox: Sandbox) -> None:
    """To the microsecond; how often they ever fired stays."""
    keep(sandbox, events="400d")
    user(sandbox, "ann")
    fire(sandbox, "ann", "login")
    sandbox.now += timedelta(microseconds=1)
    fire(sandbox, "ann", "login")
    sandbox.settle()
    sandbox.now = NOON + 400 * DAY + timedelta(microseconds=1)
    assert sweep(sandbox) == 1
    assert sandbox.count(events) == 1
    assert sandbox.count(event_counts, event_counts.c.count == 2) == 1


def test_an_event_counts_as_old_from_when_it_came(sandbox: Sandbox) -> None:
    """One that happened long before it was tracked is kept as long as one of that day."""
    keep(sandbox, events="31d")
    user(sandbox, "ann")
    fire(sandbox, "ann", "login", NOON - 900 * DAY)
    sandbox.now = NOON + 31 * DAY
    assert sweep(sandbox) == 0


@pytest.mark.parametrize("history", History)
def test_what_is_kept_for_good_is_never_deleted(sandbox: Sandbox, history: History) -> None:
    """Also not after a century."""
    keep(sandbox, **{history.value: "forever"})
    _leave_one_of_each(sandbox)
    sandbox.now += 36_500 * DAY
    assert sweep(sandbox) == len(History) - 1


@pytest.mark.parametrize("history", History)
def test_each_history_goes_after_its_time(sandbox: Sandbox, history: History) -> None:
    """By default; a day before, nothing of it is gone."""
    _leave_one_of_each(sandbox)
    sandbox.now += KEPT[history].default - DAY
    before = _left(sandbox, history)
    sweep(sandbox)
    assert _left(sandbox, history) == before == 1
    sandbox.now += 3 * DAY
    sweep(sandbox)
    assert _left(sandbox, history) == 0


_TABLES = {
    History.EVENTS: events,
    History.STEPS: automation_recipients,
    History.MAILS: messages,
    History.REFUSALS: enrollment_refusals,
    History.SIGNALS: signals,
    History.AUDIT: audit_log,
    History.WEBHOOKS: webhook_events,
    History.IMPORTS: csv_uploads,
    History.KEYS: idempotency_keys,
}


def _left(sandbox: Sandbox, history: History) -> int:
    return sandbox.count(_TABLES[history])


def _leave_one_of_each(sandbox: Sandbox) -> None:
    """Leave one row of each history: a run that ended, a refusal, and so on."""
    sandbox.series(
        "welcome", entry_trigger="event", settings={"entry_event_name": "login"}, steps=[GATE]
    )
    user(sandbox, "ann")
    sandbox.settle()
    fire(sandbox, "ann", "login")
    sandbox.settle()
    [ann] = sandbox.perform(lambda work: find_contacts(work, ["ann"]))
    own = {"org_id": sandbox.org_id}
    series = sandbox.perform(lambda work: find_series(work, "welcome"))

    def write(work: Work) -> None:
        for table, row in _rows_at(work.now, ann, series):
            work.connection.execute(insert(table).values(own | row))

    sandbox.perform(write)
    # A signal that waits may still read an event.
    sandbox.perform(
        lambda work: work.connection.execute(
            update(signals)
            .where(signals.c.org_id == work.org_id)
            .values(happened_at=NOON + 40_000 * DAY)
        )
    )


def _rows_at(
    now: datetime, contact: UUID, series: Series
) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Yield a row of each table whose rows no door of the test writes."""
    whose = {"end_user_id": contact, "automation_id": series.id}
    mail = {"recipient_id": 1, "enrollment_number": 1, "step_id": series.steps[0].id}
    sent = {"state": "sent", "message_id": "<a@b>", "to_address": "ann@a.example"}
    yield messages, {**whose, **mail, **sent, "intended_at": now, "sent_at": now}
    yield audit_log, {"at": now, "by": "ann", "via": "command", "action": "x"}
    yield webhook_events, {**whose, "kind": "contact.entered", "at": now}
    yield enrollment_refusals, {**whose, "code": "suppressed", "refused_at": now, "arrival": 1}
    once = {"key": "once", "fingerprint": "0" * 64, "answer": {}}
    yield idempotency_keys, {**once, "end_user_id": contact, "created_at": now}
    ended = dict.fromkeys(("created_at", "touched_at", "received_at", "finished_at"), now)
    yield csv_uploads, {**ended, "state": "finished", "options": {}}
    parked = dict.fromkeys(("happened_at", "created_at", "parked_at"), now)
    yield signals, {**parked, "kind": "changed", "end_user_id": contact, "error": "x"}


def test_the_steps_of_an_ended_run_go_and_the_funnel_still_counts_how_they_ended(
    sandbox: Sandbox,
) -> None:
    """The run itself stays, with how it began and ended; guards go by it."""
    sandbox.series("welcome", steps=[GATE])
    user(sandbox, "ann")
    sandbox.settle()
    before = sandbox.perform(lambda work: funnel(work, find_series(work, "welcome")))
    sandbox.now += 368 * DAY
    assert sweep(sandbox) == 1
    after = sandbox.perform(lambda work: funnel(work, find_series(work, "welcome")))
    assert (before.complete_since, before.steps[0].recipients) == (None, {"skipped": 1})
    assert after.complete_since == sandbox.now - KEPT[History.STEPS].default
    assert after.steps[0].recipients == {}
    assert after.steps[0].skipped == before.steps[0].skipped == {"condition_not_met": 1}
    assert (after.enrolled, after.ended) == (before.enrolled, before.ended)
    assert sandbox.count(cleared_recipients) == sandbox.count(automation_enrollments) == 1


def test_the_steps_of_a_run_that_goes_on_stay(sandbox: Sandbox) -> None:
    """However long it takes; so do those of a run that ended lately."""
    keep(sandbox, mails="forever")
    later = {**EMAIL, "key": "later", "delay": "2000d"}
    sandbox.series("long", steps=[EMAIL, later])
    user(sandbox, "ann")
    sandbox.settle()
    sandbox.now += 1_999 * DAY
    assert sweep(sandbox) == 0
    sandbox.tick(DAY)
    assert sweep(sandbox) == 0
    assert sandbox.count(automation_recipients) == 2
    sandbox.now += 368 * DAY
    assert sweep(sandbox) == 2


def test_a_small_page_deletes_the_same_in_more_steps(sandbox: Sandbox) -> None:
    """Each page is a transaction; a search goes on where the page before ended."""
    _leave_one_of_each(sandbox)
    for _ in range(5):
        fire(sandbox, "ann", "login")
    sandbox.settle()
    sandbox.now += 2_000 * DAY
    assert sweep(sandbox, limit=1) == len(History) + 5


def test_histories_are_looked_at_once_a_day(sandbox: Sandbox) -> None:
    """A tick asks for nothing where nothing can be."""
    keep(sandbox, events="31d")
    user(sandbox, "ann")
    assert sweep(sandbox) == 0
    fire(sandbox, "ann", "login")
    sandbox.now += DAY - timedelta(seconds=1)
    fire(sandbox, "ann", "login")
    sandbox.settle()
    assert sweep(sandbox) == 0
    sandbox.now += 40 * DAY
    assert sweep(sandbox) == 2


def test_answers_say_from_when_on_they_are_complete(sandbox: Sandbox) -> None:
    """The timeline, a run's story and the audit log; not where nothing older was there."""
    keep(sandbox, events="100d")
    user(sandbox, "ann")
    fire(sandbox, "ann", "login")
    sandbox.settle()
    sandbox.now += 102 * DAY
    sandbox.series("welcome", steps=[GATE])
    user(sandbox, "bob")
    sandbox.settle()
    sweep(sandbox)
    since = sandbox.now - 100 * DAY
    assert [_timeline_since(sandbox, name) for name in ("ann", "bob")] == [since, since]
    assert _story_since(sandbox) is None
    sandbox.now += 367 * DAY
    sweep(sandbox)
    assert _story_since(sandbox) == sandbox.now - 366 * DAY
    sandbox.now += 366 * DAY
    sandbox.perform(
        lambda work: work.connection.execute(
            insert(audit_log).values(
                org_id=work.org_id, at=NOON, by="ann", via="command", action="x"
            )
        )
    )
    sweep(sandbox)
    page = sandbox.perform(lambda work: list_audit(work, ListAuditCall()))
    assert (page.items, page.complete_since) == ((), sandbox.now - 731 * DAY)


def test_explain_and_the_ledger_say_since_when_refusals_are_there(sandbox: Sandbox) -> None:
    """Where a kept refusal could be the reason: not of a series that keeps none."""
    pro = [[{"field": "plan", "operator": "is", "value": "pro"}]]
    audience = {"audience_type": "segment", "audience_filters": pro}
    sandbox.series("welcome", **audience, steps=[GATE])
    sandbox.series("found", **audience, entry_trigger="segment_match", steps=[GATE])
    user(sandbox, "ann", plan="free")
    sandbox.settle()
    user(sandbox, "ann", plan="pro")
    sandbox.settle()
    assert _why(sandbox, "welcome") == ("audience_mismatch", None, {"audience_mismatch": 1}, None)
    sandbox.now += 367 * DAY
    sweep(sandbox)
    since = sandbox.now - 366 * DAY
    late, once = "trigger_not_fired", "already_enrolled"
    assert _why(sandbox, "welcome") == (late, since, {late: 1}, since)
    assert _why(sandbox, "found") == (once, None, {once: 1}, None)


def _why(sandbox: Sandbox, key: str) -> tuple[Any, ...]:
    """Return ann's code and the buckets of the ledger, each with since when refusals are there."""

    def asked(work: Work) -> tuple[Any, ...]:
        series = find_series(work, key)
        [found] = explain(work, series, find_contacts(work, ["ann"]))
        counted = ledger(work, series)
        return found.code, found.complete_since, counted.buckets, counted.complete_since

    return sandbox.perform(asked)


def _timeline_since(sandbox: Sandbox, name: str) -> object:
    return sandbox.perform(
        lambda work: timeline(work, find_contacts(work, [name])[0]).complete_since
    )


def _story_since(sandbox: Sandbox) -> object:
    def told(work: Work) -> object:
        [bob] = find_contacts(work, ["bob"])
        return run_story(work, find_series(work, "welcome"), bob, "bob").complete_since

    return sandbox.perform(told)
