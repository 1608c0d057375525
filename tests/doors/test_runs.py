"""The story of a contact's runs: each decision, from what is kept (contract §18)."""

from datetime import timedelta
from typing import Any

from tests.doors.conftest import Operator
from tests.pipeline.sandbox import Sandbox

AGAIN: dict[str, Any] = {
    "entry_trigger": "user_created",
    "settings": {"reenroll_enabled": True},
    "steps": [
        {"key": "hi", "email": {"subject": "Hi", "body": "Hi"}},
        {"key": "gate", "delay": "1h", "condition": {"type": "user_property", "value": "plan=pro"}},
        {"key": "bye", "email": {"subject": "Bye", "body": "Bye"}},
    ],
}


def test_a_story_tells_each_decision_of_each_run(sandbox: Sandbox, operate: Operator) -> None:
    """The latest run has its rows; of an earlier one the mails and the end are left."""
    operate("series.save", series="s", definition=AGAIN)
    operate("series.activate", series="s")
    ann = sandbox.contacts(["ann"])
    sandbox.signal(ann)
    sandbox.settle()
    sandbox.tick(timedelta(hours=1))
    operate("series.save", series="s", definition={**AGAIN, "name": "Again"})
    sandbox.signal(ann)
    sandbox.settle()
    story = operate("series.runs", series="s", contact="ann")
    latest, first = story["runs"]
    assert (latest["number"], latest["version"], latest["ended_at"]) == (2, 2, None)
    told = [(each["step"], each["status"], each["decided_at"]) for each in latest["steps"]]
    assert told == [
        ("hi", "completed", "2026-06-01T13:00:00.000000+00:00"),
        ("gate", "pending", None),
    ]
    assert latest["steps"][0]["mail"]["state"] == "sent"
    assert (first["version"], first["exit_reason"]) == (1, "condition_not_met")
    [mailed] = first["steps"]
    assert (mailed["step"], mailed["status"], mailed["mail"]["state"]) == ("hi", None, "sent")


def test_a_story_tells_what_the_event_said(sandbox: Sandbox, operate: Operator) -> None:
    """A run shows the properties that it keeps of its event, and so does explain, while a later
    event changes nothing; a run that none began, or one that said nothing, shows none (§21).
    """
    go = {
        **AGAIN,
        "entry_trigger": "event",
        "settings": {"entry_event_name": "go", "reenroll_enabled": True},
    }
    for key, definition in {"s": go, "all": AGAIN}.items():
        operate("series.save", series=key, definition=definition)
        operate("series.activate", series=key)
    sandbox.signal(sandbox.contacts(["ann"]))
    said = {"plan": "Gold", "seats": [1, 2], "note": "x" * 8_192}
    [warning] = operate("track", event="go", user_id="ann", properties=said)["warnings"]
    assert "‘note’" in warning
    sandbox.settle()
    operate("track", event="go", user_id="ann", properties={"plan": "Tin"})
    sandbox.settle()
    kept = {"plan": "Gold", "seats": [1, 2]}
    position = operate("series.explain", series="s", contact="ann")["position"]
    assert position["event_properties"] == kept
    sandbox.tick(timedelta(hours=1))
    operate("track", event="go", user_id="ann")
    sandbox.settle()
    runs = operate("series.runs", series="s", contact="ann")["runs"]
    assert [each["event_properties"] for each in runs] == [None, kept]
    [by_creation] = operate("series.runs", series="all", contact="ann")["runs"]
    assert by_creation["event_properties"] is None
