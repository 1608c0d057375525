"""A series that stands aside while a pass takes what is noted misses nobody (§1, §4)."""

from uuid import UUID

import pytest

from halo_engine.domain.series.signals import SignalKind
from halo_engine.pipeline import wide
from halo_engine.pipeline.passes.beginning import begin_due_reevaluation
from halo_engine.pipeline.react import Choice, react
from halo_engine.tables import automation_enrollments, pass_notes, signals
from tests.pipeline.faults import MINUTE, enrolled, id_of, kept_for
from tests.pipeline.passes.test_narrow_passes import QUARTER, begun, passed_fully, updating
from tests.pipeline.sandbox import EMAIL, Sandbox
from tests.pipeline.test_passes import PRO, entered, plan

GOAL = {
    "goal_enabled": True,
    "goal_filters": [[{"field": "plan", "operator": "is", "value": "pro"}]],
}
IS_HELD = automation_enrollments.c.goal_held


def pass_without(sandbox: Sandbox, withheld: UUID) -> None:
    """Let a quarter of an hour pass, and the next pass go on without a series."""
    sandbox.now += QUARTER
    assert sandbox.perform(begin_due_reevaluation)
    handle_without(sandbox, withheld)


def handle_without(sandbox: Sandbox, withheld: UUID) -> None:
    """Handle what waits while a series is withheld."""
    choice = Choice(without=lambda _: {withheld: "it fails"})
    while sandbox.perform(lambda work: react(work, 1_000, choice)):
        pass


def test_who_came_after_the_pass_began_is_looked_at_by_the_next(sandbox: Sandbox) -> None:
    """The series' own copy of the pass is about those who were there before."""
    sandbox.series("pro", **PRO)
    sandbox.contacts(["before"], custom_fields={"plan": "free"})
    late = sandbox.now + QUARTER * 2 + MINUTE / 2
    sandbox.contacts(["after"], custom_fields={"plan": "free"}, created_at=late)
    fully = begun(sandbox).now
    sandbox.perform(updating({name: {"plan": "pro"} for name in ("before", "after")}))
    sandbox.settle()
    pass_without(sandbox, id_of(sandbox, "pro"))
    assert kept_for(sandbox) == [id_of(sandbox, "pro")]
    sandbox.wake(MINUTE)
    assert entered(sandbox) == ["before"]
    sandbox.tick(QUARTER)
    assert (entered(sandbox), passed_fully(sandbox)) == (["before", "after"], fully)
    assert (sandbox.count(signals), sandbox.count(pass_notes)) == (0, 0)


def test_a_goal_is_seen_by_the_first_pass_with_its_series(sandbox: Sandbox) -> None:
    """No copy of a pass waits for a series that nobody enters by it; it stands aside for two."""
    sandbox.series("welcome", steps=[{**EMAIL, "delay": "3d"}], settings=GOAL)
    welcome = id_of(sandbox, "welcome")
    [contact] = sandbox.contacts(["a"], custom_fields={"plan": "free"})
    sandbox.signal([contact])
    fully = begun(sandbox).now
    sandbox.perform(updating({"a": {"plan": "pro"}}))
    for _ in range(2):
        pass_without(sandbox, welcome)
    assert (kept_for(sandbox), enrolled(sandbox), enrolled(sandbox, IS_HELD)) == ([], 1, 0)
    sandbox.tick(QUARTER)
    assert (enrolled(sandbox, IS_HELD), passed_fully(sandbox)) == (1, fully)
    assert (sandbox.count(signals), sandbox.count(pass_notes)) == (0, 0)


def test_a_change_that_was_handled_without_a_series_is_seen_by_the_next_pass(
    sandbox: Sandbox,
) -> None:
    """Nobody enters it by the change, so that no copy waits; a goal holds from then on."""
    sandbox.series("welcome", steps=[{**EMAIL, "delay": "3d"}], settings=GOAL)
    welcome = id_of(sandbox, "welcome")
    contacts = sandbox.contacts(["a", "b"], custom_fields={"plan": "free"})
    sandbox.signal(contacts)
    fully = begun(sandbox).now
    sandbox.tick(QUARTER)
    for name in ("a", "b"):
        plan(sandbox, name, "pro")
        sandbox.signal([contacts["ab".index(name)]], SignalKind.CHANGED)
        handle_without(sandbox, welcome)
    assert (kept_for(sandbox), enrolled(sandbox, IS_HELD)) == ([], 0)
    assert sandbox.count(pass_notes) == 1
    sandbox.tick(QUARTER)
    assert (enrolled(sandbox, IS_HELD), passed_fully(sandbox)) == (2, fully)
    assert (sandbox.count(signals), sandbox.count(pass_notes)) == (0, 0)


def test_a_series_is_noted_once_by_a_pass_of_many_pages(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many pages it is left out of."""
    monkeypatch.setattr(wide, "PAGE", 1)
    monkeypatch.setattr(wide, "SCANNED", 1)
    sandbox.series("pro", **PRO)
    sandbox.series("welcome", settings=GOAL)
    sandbox.contacts(["a", "b", "c"], custom_fields={"plan": "free"})
    pass_without(sandbox, id_of(sandbox, "welcome"))
    assert sandbox.count(pass_notes, pass_notes.c.automation_id.is_not(None)) == 1
