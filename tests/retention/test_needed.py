"""What a rule may still read stays, however old; settings that cannot hold are refused (§24)."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from halo_engine.answers.plans.plan import plan
from halo_engine.domain.errors import Refusal
from halo_engine.domain.times.retention import History
from halo_engine.enrollment.releasing import release_held
from halo_engine.series.files.check import check_definition, check_definitions
from halo_engine.series.lifecycle import activate, pause
from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import automation_enrollments, events
from tests.pipeline.sandbox import EMAIL, Sandbox
from tests.retention.years import DAY, fire, keep, sweep, user

BUSY = {"field": "event:login", "operator": "gte", "value": 1, "within": "60d"}
OF_BUSY = {"entry_trigger": "segment_match", "audience_type": "segment"}
LATER = {**EMAIL, "key": "later", "delay": "300d"}
PAID = {"exit_rules": ["event"], "exit_event_name": "paid"}


def save(sandbox: Sandbox, **definition: Any) -> None:
    """Save a series that sends one mail."""
    data = {"entry_trigger": "user_created", "steps": [EMAIL], **definition}
    sandbox.perform(lambda work: save_series(work, "s", parse_definition("s", data)))


def test_a_span_that_is_longer_than_events_are_kept_is_refused(sandbox: Sandbox) -> None:
    """Wherever a filter has it, and as a goal's window that counts events; as long is fine. A plan
    and a check foretell it.
    """
    keep(sandbox, events="59d")
    goal = {"field": "event:paid", "operator": "gte", "value": 1}
    settings = {"goal_enabled": True, "goal_filters": [goal], "goal_window_days": 60}
    with pytest.raises(Refusal) as refused:
        save(sandbox, audience_filters=[BUSY], settings=settings)
    allowed = "is longer than events are kept; allowed are spans up to 59d"
    assert refused.value.status == 400
    assert refused.value.code == "longer_than_kept"
    said = (
        f"series.s.audience_filters[0][0].within: ‘60d’ {allowed}",
        f"series.s.settings.goal_window_days: ‘60d’ {allowed}",
    )
    assert tuple(refused.value.message.split("\n")) == said
    data = {"audience_filters": [BUSY], "settings": settings, "steps": [EMAIL]}
    definition = parse_definition("s", {"entry_trigger": "user_created", **data})
    assert sandbox.perform(lambda work: plan(work, "s", definition)).refusals == said
    [checked] = sandbox.perform(lambda work: check_definitions(work, {"s": definition}))
    assert checked.refusals == said
    assert sandbox.perform(lambda work: check_definition(work, "s", definition)).refusals == said
    keep(sandbox, events="60d")
    save(sandbox, audience_filters=[BUSY])


@pytest.mark.parametrize("state", ["draft", "active", "paused"])
def test_events_are_not_kept_for_less_long_than_a_series_counts_them(
    sandbox: Sandbox, state: str
) -> None:
    """The answer names the series; nothing is changed."""
    save(sandbox, audience_filters=[BUSY], **OF_BUSY)
    if state != "draft":
        sandbox.perform(lambda work: activate(work, "s", "test"))
    if state == "paused":
        sandbox.perform(lambda work: pause(work, "s", "test"))
    with pytest.raises(
        Refusal, match=r"^keeps\.events: ‘59d’ is too short: series ‘s’ counts"
    ) as e:
        keep(sandbox, events="59d", audit="40d")
    assert (e.value.status, e.value.code) == (409, "counted_longer")
    assert keep(sandbox, events="60d").keeps[History.AUDIT] == timedelta(days=731)


def test_what_was_deleted_is_not_back_when_events_are_kept_longer(sandbox: Sandbox) -> None:
    """A span may be as long as the events that are there; with each day it may be longer."""
    keep(sandbox, events="31d")
    user(sandbox, "ann")
    fire(sandbox, "ann", "login")
    sandbox.settle()
    sandbox.now += 40 * DAY
    assert sweep(sandbox) == 1
    keep(sandbox, events="forever")
    with pytest.raises(
        Refusal, match=r"and those since 2026-06-10 are there; allowed .+ up to 31d"
    ):
        save(sandbox, audience_filters=[BUSY])
    sandbox.now += 29 * DAY
    save(sandbox, audience_filters=[BUSY])


def test_events_that_a_run_compares_stay_while_it_goes_on(sandbox: Sandbox) -> None:
    """An exit that compares a property looks at all events since the run began."""
    keep(sandbox, events="31d")
    settings = {**PAID, "exit_event_filters": [{"same": "order"}], "entry_event_name": "ordered"}
    sandbox.series("s", entry_trigger="event", settings=settings, steps=[LATER])
    user(sandbox, "ann")
    fire(sandbox, "ann", "ordered", order=1)
    sandbox.settle()
    sandbox.now += DAY
    fire(sandbox, "ann", "paid", order=2)
    sandbox.settle()
    sandbox.now += 200 * DAY
    assert sweep(sandbox) == 0
    sandbox.tick(100 * DAY)
    assert sandbox.count(automation_enrollments, automation_enrollments.c.ended_at.is_(None)) == 0
    assert sweep(sandbox) == 2


def test_the_event_of_who_is_held_stays(sandbox: Sandbox) -> None:
    """A run that begins at the release keeps the event's properties (§19, §21)."""
    keep(sandbox, events="31d")
    settings = {"entry_event_name": "ordered", "surge": {"at_most": 1, "within": "1h"}}
    sandbox.series("s", entry_trigger="event", settings=settings, steps=[LATER])
    for name in ("ann", "bob"):
        user(sandbox, name)
        fire(sandbox, name, "ordered", order=name)
    sandbox.settle()
    sandbox.now += 200 * DAY
    assert sweep(sandbox) == 0
    sandbox.perform(lambda work: release_held(work, "s"))
    kept = sandbox.perform(
        lambda work: set(
            work.connection.scalars(
                select(automation_enrollments.c.event_properties["order"].astext).where(
                    automation_enrollments.c.org_id == work.org_id
                )
            )
        )
    )
    assert kept == {"ann", "bob"}


def test_an_event_whose_signal_waits_stays(sandbox: Sandbox) -> None:
    """While workers are away, or until somebody acts on one that is set aside."""
    keep(sandbox, events="31d")
    user(sandbox, "ann")
    fire(sandbox, "ann", "login")
    sandbox.now += 40 * DAY
    assert sweep(sandbox) == 0
    sandbox.settle()
    sandbox.now += DAY
    assert sweep(sandbox) == 1
    assert sandbox.count(events) == 0


def test_too_short_a_time_is_refused_by_name(sandbox: Sandbox) -> None:
    """And what is no history."""
    with pytest.raises(ValidationError, match="‘6d’ is too short; allowed are 7d and longer"):
        keep(sandbox, webhooks="6d")
    with pytest.raises(ValidationError, match=r"keeps\.visits"):
        keep(sandbox, visits="6d")
