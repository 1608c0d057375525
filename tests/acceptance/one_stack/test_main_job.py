"""The main job, end to end: calls and activations as tasks, mail as files, time as ticks."""

from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import automation_enrollments, signals
from tests.acceptance.conftest import Stack

WELCOME = {
    "entry_trigger": "user_created",
    "steps": [
        {"key": "hello", "email": {"subject": "Hello {{ name|there }}", "body": "Hi"}},
        {"key": "later", "delay": "2s", "email": {"subject": "Later", "body": "Still there?"}},
    ],
}


def draft(stack: Stack, org: str, key: str, definition: dict[str, Any]) -> None:
    """Save a series as a draft."""
    stack.sandbox(org).perform(
        lambda work: save_series(work, key, parse_definition(key, definition))
    )


def mail_to(folder: Path, address: str) -> list[str]:
    """Return the subjects of the mails to an address, in order of writing."""
    paths = sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    mails = [message_from_bytes(path.read_bytes(), policy=default) for path in paths]
    return [str(mail["Subject"]) for mail in mails if mail["To"] == address]


def test_an_identify_becomes_two_mails(stack: Stack) -> None:
    """A series activated by a task greets a user identified by a task: one mail at once, one after
    the delay.
    """
    org = stack.organization()
    draft(stack, org, "welcome", WELCOME)
    answer = stack.ask("halo.series.activate", org=org, series="welcome")
    assert answer == {"series": "welcome", "status": "active"}
    traits = {"email": "ann@a.example", "name": "Ann"}
    assert stack.ask("halo.identify", widget_key=org, user_id="ann", traits=traits)["created"]
    stack.wait_until(
        lambda: mail_to(stack.mail, "ann@a.example") == ["Hello Ann", "Later"], "two mails"
    )
    ended = automation_enrollments.c.exit_reason == "completed"
    stack.wait_until(
        lambda: stack.sandbox(org).count(automation_enrollments, ended) == 1, "the run's end"
    )


def test_the_tick_finds_what_no_message_announced(stack: Stack) -> None:
    """A signal whose doorbell never rang is handled by the next tick."""
    org = stack.organization()
    draft(stack, org, "welcome", WELCOME)
    stack.ask("halo.series.activate", org=org, series="welcome")
    sandbox = stack.sandbox(org)
    sandbox.signal(sandbox.contacts(["silent"]))
    stack.wait_until(lambda: sandbox.count(signals) == 0, "no signal waits")
    assert sandbox.count(automation_enrollments) == 1


def test_a_task_that_overtakes_the_identify_waits_for_it(stack: Stack) -> None:
    """An event that arrives before its user is identified is tracked afterwards (contract §2)."""
    org = stack.organization()
    tracked = stack.app.send_task(
        "halo.track", kwargs={"widget_key": org, "user_id": "late", "event": "signed_up"}
    )
    stack.wait_until(lambda: tracked.state in ("RETRY", "PENDING"), "the event waits")
    stack.ask("halo.identify", widget_key=org, user_id="late", traits={"email": "late@a.example"})
    assert tracked.get(timeout=120)["event"] == "signed_up"


def test_refusals_are_answers(stack: Stack) -> None:
    """A refusal comes back as data that names the field, and nothing is written."""
    org = stack.organization()
    draft(stack, org, "empty", {"entry_trigger": "event", "steps": []})
    wrong_key = stack.ask("halo.identify", widget_key="nobody's", user_id="ann")
    assert wrong_key["refused"]["status"] == 401
    unknown = stack.ask("halo.series.activate", org=org, series="nothing")
    assert unknown["refused"]["code"] == "unknown_series"
    nobody = stack.ask("halo.series.activate", org="nobody", series="empty")
    assert nobody["refused"]["code"] == "unknown_organisation"
    reserved = stack.ask(
        "halo.identify", widget_key=org, user_id="ann", traits={"created_at": "2020-01-01"}
    )
    assert reserved["refused"]["status"] == 400
    assert "created_at" in reserved["refused"]["message"]
    empty = stack.ask("halo.series.activate", org=org, series="empty")
    assert empty["refused"]["message"] == "Set an event name under Trigger before activating."
    assert stack.sandbox(org).count(signals) == 0
