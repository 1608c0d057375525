"""Saving over another save, deleting a draft, and checking a definition before it is saved."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from halo_engine.domain.errors import Refusal
from halo_engine.tables import automation_steps, automations
from halo_engine.work import Reach
from tests.doors.conftest import Operator
from tests.pipeline.sandbox import Sandbox

WELCOME: dict[str, Any] = {
    "entry_trigger": "user_created",
    "steps": [{"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}],
}


def saved(operate: Operator, **more: Any) -> tuple[str, int]:
    """Save the series; return what came of it, and its version."""
    answer = operate("series.save", **{"series": "welcome", "definition": WELCOME, **more})
    return answer["result"], answer["version"]


def test_a_version_counts_the_saves_that_change_the_definition(operate: Operator) -> None:
    """Each save that changes the definition raises its version; an equal one does not."""
    longer = {**WELCOME, "name": "Welcome aboard"}
    assert saved(operate) == ("created", 1)
    assert saved(operate) == ("unchanged", 1)
    assert saved(operate, definition=longer) == ("changed", 2)
    operate("series.apply", series={"welcome": WELCOME})
    shown = operate("series.show", series="welcome")
    assert (shown["version"], shown["definition"]) == (3, WELCOME)


def test_a_save_based_on_an_older_version_is_refused(operate: Operator) -> None:
    """A save based on an older version writes nothing; based on the present one it succeeds."""
    longer = {**WELCOME, "name": "Welcome aboard"}
    saved(operate)
    saved(operate, definition=longer, version=1)
    with pytest.raises(Refusal) as refused:
        saved(operate, version=1)
    assert (refused.value.status, refused.value.code) == (409, "changed_meanwhile")
    assert refused.value.message == (
        "Series ‘welcome’ is at version 2 by now, not at 1; allowed is a save based on that one"
    )
    assert operate("series.show", series="welcome")["definition"] == longer
    assert saved(operate, version=2) == ("changed", 3)


def test_a_version_of_a_series_that_is_not_there_is_refused(operate: Operator) -> None:
    """A call that names a version is refused if the series does not exist."""
    with pytest.raises(Refusal, match="allowed is a save that is based on no version"):
        saved(operate, version=7)


def test_a_definition_that_is_wrong_is_refused_by_its_path(operate: Operator) -> None:
    """A wrong definition is refused by its path, and a wrong key by name."""
    with pytest.raises(Refusal) as refused:
        saved(operate, definition={"entry_trigger": "manual", "steps": 3})
    assert refused.value.message == ("series.welcome.steps: 3 is refused; allowed is a list")
    with pytest.raises(Refusal, match=r"^series\.not a key: "):
        saved(operate, series="not a key")


def test_only_a_draft_is_deleted(sandbox: Sandbox, operate: Operator) -> None:
    """A draft is deleted with its steps; a series that was ever activated stays."""
    saved(operate)
    saved(operate, series="other")
    operate("series.activate", series="other")
    operate("series.pause", series="other")
    assert operate("series.delete", series="welcome") == {"series": "welcome", "deleted": True}
    assert [each["series"] for each in operate("series.list")] == ["other"]
    assert (sandbox.count(automations), sandbox.count(automation_steps)) == (1, 1)
    with pytest.raises(Refusal) as refused:
        operate("series.delete", series="other")
    assert (refused.value.status, refused.value.code) == (409, "not_draft")
    with pytest.raises(Refusal) as refused:
        operate("series.delete", series="welcome")
    assert (refused.value.status, refused.value.code) == (404, "unknown_series")


def test_a_definition_is_looked_at_before_it_is_saved(sandbox: Sandbox, operate: Operator) -> None:
    """Preview and diagnose answer as for a saved series, and save nothing."""
    sandbox.contacts(["ann", "bob"])
    rich: dict[str, Any] = {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [[{"field": "mrr", "operator": "gt", "value": 5}]],
    }
    assert operate("definitions.preview", definition=WELCOME, size=1)["matched"] == 2
    diagnosed = operate("definitions.diagnose", definition=rich)
    assert (diagnosed["matched"], diagnosed["eligible"]) == (0, 2)
    assert diagnosed["filters"][0]["missing"] == 2
    with pytest.raises(Refusal, match=r"^series\.definition\.steps: 3 is refused"):
        operate("definitions.preview", definition={**WELCOME, "steps": 3})
    assert sandbox.count(automations) == 0


def test_a_count_alone_has_no_page(sandbox: Sandbox, operate: Operator) -> None:
    """A size of 0 asks for the count; pages ask for contacts too."""
    sandbox.contacts(["ann", "bob"])
    counted = operate("definitions.preview", definition=WELCOME, size=0)
    assert (counted["matched"], counted["contacts"], counted["next"]) == (2, [], None)


def test_a_definition_is_checked_before_it_is_saved(sandbox: Sandbox, operate: Operator) -> None:
    """It says what an activation would refuse, and when the first email would go."""
    manual = {**WELCOME, "entry_trigger": "manual"}
    checked = operate("definitions.check", definition=manual)
    assert checked["refusals"] == ["No contacts match this audience right now."]
    steps = [
        {"key": "asked", "delay": "1h", "condition": {"type": "event_fired", "value": "paid"}},
        {"key": "hi", "delay": "1d", "email": {"subject": "Hi", "body": "Hello"}},
    ]
    checked = operate("definitions.check", definition={**WELCOME, "steps": steps})
    first = datetime.fromisoformat(checked["first_mail_at"])
    assert first == sandbox.now + timedelta(hours=25)
    without = operate("definitions.check", definition={**WELCOME, "steps": []})
    assert without["first_mail_at"] is None


def test_a_series_that_was_active_needs_nobody_to_match(
    sandbox: Sandbox, operate: Operator
) -> None:
    """Check 5 applies to the first activation alone."""
    sandbox.contacts(["ann"])
    manual = {**WELCOME, "entry_trigger": "manual"}
    operate("series.save", series="welcome", definition=manual)
    operate("series.activate", series="welcome")
    operate("series.pause", series="welcome")
    leads = {**manual, "contact_type": "lead"}
    assert operate("definitions.check", definition=leads, series="welcome")["refusals"] == []
    assert len(operate("definitions.check", definition=leads)["refusals"]) == 1


NOBODY_COULD_LEAVE = "Set a public address (HALO_PUBLIC_URL) so that people can unsubscribe."


def test_marketing_asks_for_a_page_to_unsubscribe_on(sandbox: Sandbox, operate: Operator) -> None:
    """It is check 11, after those before it, and transactional mail needs none (contract §8)."""
    sandbox.reach = Reach(unsubscribe=False)
    operate("organizations.change", verified_domain=True, company_footer="Acme Inc, 1 Main St")
    for key, kind in (("offer", "marketing"), ("receipt", "transactional")):
        operate("series.save", series=key, definition={**WELCOME, "kind": kind, "steps": []})
    no_steps = "Add at least one step before activating."
    assert operate("series.check", series="offer")["refusals"] == [no_steps, NOBODY_COULD_LEAVE]
    assert operate("series.check", series="receipt")["refusals"] == [no_steps]
    operate("series.save", series="offer", definition={**WELCOME, "kind": "marketing"})
    with pytest.raises(Refusal) as refused:
        operate("series.activate", series="offer")
    assert (refused.value.status, refused.value.message) == (400, NOBODY_COULD_LEAVE)
    sandbox.reach = Reach()
    assert operate("series.activate", series="offer")["status"] == "active"


def test_series_are_found_by_a_part_of_name_or_key(operate: Operator) -> None:
    """In any case, the newest first, page by page; `%` is a letter like others."""
    saved(operate, series="one", definition={**WELCOME, "name": "Hello 100%"})
    saved(operate, series="two", definition={**WELCOME, "name": "Bye"})
    saved(operate, series="hello-2")
    first = operate("series.find", size=2)
    assert [each["series"] for each in first["items"]] == ["hello-2", "two"]
    rest = operate("series.find", size=2, after=first["next"])
    assert ([each["series"] for each in rest["items"]], rest["next"]) == (["one"], None)
    found = operate("series.find", search="HELLO")
    assert ([each["series"] for each in found["items"]], found["found"]) == (["hello-2", "one"], 2)
    assert operate("series.find", search="0%")["found"] == 1
    assert operate("series.find", search="%b")["found"] == 0


def test_series_are_counted_as_their_funnels_count(sandbox: Sandbox, operate: Operator) -> None:
    """A series that is not there is left out."""
    goal = {"goal_enabled": True, "goal_filters": [{"field": "email", "operator": "contains"}]}
    goal["goal_filters"][0]["value"] = "ann"  # type: ignore[index]
    later = {"key": "later", "delay": "1d", "email": {"subject": "Hi", "body": "Hi"}}
    sandbox.series("welcome", steps=[*WELCOME["steps"], later], settings=goal)
    sandbox.signal(sandbox.contacts(["ann", "ben"]))
    sandbox.settle()
    [counted] = operate("series.count", series=["welcome", "gone"])
    funnel = operate("series.funnel", series="welcome")
    assert counted == {
        "series": "welcome",
        "active": funnel["active"],
        "entered": funnel["enrolled"],
        "converted": funnel["converted"],
        "sent": sum(step["sent"] for step in funnel["steps"]),
    }
    assert (counted["active"], counted["entered"], counted["sent"]) == (2, 2, 2)
