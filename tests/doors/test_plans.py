"""A plan before a save, its pages, and the token that makes the save exactly the plan (§18)."""

from datetime import timedelta
from typing import Any

import pytest

from halo_engine.domain.errors import Refusal
from tests.doors.conftest import Operator
from tests.pipeline.sandbox import NOON, Sandbox

HI: dict[str, Any] = {"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}
LATER: dict[str, Any] = {"key": "later", "delay": "2d", "email": {"subject": "L", "body": "L"}}
LONG: dict[str, Any] = {"entry_trigger": "user_created", "steps": [LATER, HI]}
SHORT: dict[str, Any] = {"entry_trigger": "user_created", "steps": [HI]}
SOONER: dict[str, Any] = {**LONG, "steps": [{**LATER, "delay": "1d"}, HI]}


@pytest.fixture
def live(sandbox: Sandbox, operate: Operator) -> Operator:
    """A series that three contacts are in, each since an hour before the next."""
    operate("series.save", series="s", definition=LONG)
    operate("series.activate", series="s")
    for name in ("ann", "bob", "cat"):
        sandbox.signal(sandbox.contacts([name]))
        sandbox.settle()
        sandbox.now += timedelta(hours=1)
    return operate


def test_a_plan_counts_each_fate_by_step_and_says_when(live: Operator) -> None:
    """Each active recipient has one fate; at a removed step the plan names the next one."""
    found = live("series.plan", series="s", definition=SHORT)
    assert (found["version"], found["result"], found["active"]) == (1, "changed", 3)
    assert [change["field"] for change in found["changes"]] == ["steps", "steps.later"]
    assert found["fates"] == [
        {
            "fate": "skips_step",
            "contacts": 3,
            "first": "2026-06-03T12:00:00.000000+00:00",
            "last": "2026-06-03T14:00:00.000000+00:00",
            "parts": [
                {
                    "step": "later",
                    "exit_reason": None,
                    "to": "hi",
                    "contacts": 3,
                    "first": "2026-06-03T12:00:00.000000+00:00",
                    "last": "2026-06-03T14:00:00.000000+00:00",
                }
            ],
        }
    ]
    assert found["page"] is None
    same = live("series.plan", series="s", definition=LONG)
    assert (same["result"], [each["fate"] for each in same["fates"]]) == ("unchanged", ["stays"])


def test_what_others_had_does_not_shorten_a_way(sandbox: Sandbox, live: Operator) -> None:
    """Whoever is at a step that goes walks to one that the own run has not had, whoever had it."""
    sandbox.now = NOON + timedelta(days=2)
    sandbox.settle()
    found = live("series.plan", series="s", definition=SHORT)
    assert [(each["fate"], each["contacts"]) for each in found["fates"]] == [("skips_step", 2)]
    assert [each["to"] for each in found["fates"][0]["parts"]] == ["hi"]


def test_the_contacts_of_a_fate_come_page_by_page(live: Operator) -> None:
    """Each contact of a fate has its step, and when it is due now and after the save."""
    asked = {"series": "s", "definition": SOONER, "reschedule": True, "fate": "rescheduled"}
    first = live("series.plan", **asked, size=2)["page"]
    rest = live("series.plan", **asked, size=2, after=first["next"])["page"]
    assert [each["external_id"] for each in first["items"]] == ["ann", "bob"]
    assert ([each["external_id"] for each in rest["items"]], rest["next"]) == (["cat"], None)
    ann = first["items"][0]
    assert (ann["step"], ann["due_before"], ann["due_after"]) == (
        "later",
        "2026-06-03T12:00:00.000000+00:00",
        "2026-06-02T12:00:00.000000+00:00",
    )


def test_a_save_by_a_token_is_what_was_planned_or_is_refused(live: Operator) -> None:
    """Another definition, another reschedule, or a save meanwhile makes the plan outdated."""
    plan = live("series.plan", series="s", definition=SOONER, reschedule=True)
    token = plan["token"]

    def refused(**save: Any) -> tuple[int, str]:
        with pytest.raises(Refusal) as refusal:
            live("series.save", series="s", plan=token, **save)
        return refusal.value.status, refusal.value.code

    assert refused(definition=SHORT, reschedule=True) == (409, "plan_outdated")
    assert refused(definition=SOONER) == (409, "plan_outdated")
    assert live("series.show", series="s")["version"] == 1
    saved = live("series.save", series="s", definition=SOONER, reschedule=True, plan=token)
    assert (saved["version"], saved["rescheduled"]) == (2, 3)
    live("series.revert", series="s", to=1)
    assert refused(definition=SOONER, reschedule=True) == (409, "plan_outdated")


def test_a_plan_of_an_active_series_says_what_the_save_would_refuse(live: Operator) -> None:
    """A plan lists what saving an active series would refuse; a draft can be saved with it."""
    broken: dict[str, Any] = {**LONG, "steps": []}
    assert live("series.plan", series="s", definition=broken)["refusals"] == [
        "Add at least one step before activating."
    ]
    draft = live("series.plan", series="new", definition=broken)
    assert (draft["version"], draft["result"], draft["refusals"]) == (0, "created", [])
    assert draft["outside"] == {"matched_before": 0, "matched_after": 3, "would_enter": 0}


def test_what_is_overdue_in_a_pause_is_not_due_by_the_save(
    sandbox: Sandbox, live: Operator
) -> None:
    """A row that is overdue in a pause stays: the resume sends it anyway. One that the save moves
    ahead is rescheduled.
    """
    live("series.pause", series="s")
    sandbox.now = NOON + timedelta(days=5)
    later = {**LONG, "steps": [{**LATER, "delay": "9d"}, HI]}

    def fates(definition: Any) -> list[str]:
        found = live("series.plan", series="s", definition=definition, reschedule=True)
        return [each["fate"] for each in found["fates"]]

    assert (fates(SOONER), fates(later)) == (["stays"], ["rescheduled"])
