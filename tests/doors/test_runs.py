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
