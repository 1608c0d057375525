"""What operators do to series as tasks, and as commands, with a real worker behind both."""

from email import message_from_bytes
from pathlib import Path
from typing import Any

from sqlalchemy import update

from halo_engine.doors.table import DOORS
from halo_engine.tables import organizations
from tests.acceptance.conftest import Stack
from tests.cli.console import Console

LETTER: dict[str, Any] = {
    "entry_trigger": "manual",
    "steps": [{"key": "a", "delay": "3d", "email": {"subject": "A", "body": "A"}}],
}


def _people(stack: Stack, org: str, *names: str) -> None:
    for name in names:
        traits = {"email": f"{name}@a.example"}
        stack.ask("halo.identify", widget_key=org, user_id=name, traits=traits)


def test_a_series_from_file_to_end_by_tasks(stack: Stack) -> None:
    """A series is applied, checked, activated, asked about, and stopped by tasks alone."""
    org = stack.organization()
    _people(stack, org, "ann", "bob")

    def ask(task: str, **more: Any) -> Any:
        return stack.ask(f"halo.series.{task}", org=org, **more)

    tried = ask("apply", series={"letter": LETTER}, dry_run=True)
    assert (tried[0]["result"], ask("list")) == ("created", [])
    assert ask("apply", series={"letter": LETTER}) == tried
    assert ask("apply", series={"letter": LETTER})[0]["result"] == "unchanged"
    assert ask("check", series="letter")["refusals"] == []
    assert ask("show", series="letter")["definition"] == LETTER
    assert ask("preview", series="letter", size=1)["matched"] == 2
    assert ask("diagnose", series="letter")["eligible"] == 2
    ask("activate", series="letter")
    stack.wait_until(lambda: ask("funnel", series="letter")["active"] == 2, "two are in it")
    assert ask("explain", series="letter", contact="ann")["code"] == "active"
    assert ask("remove", series="letter", contact="ann")["exit_reason"] == "manual"
    assert ask("ledger", series="letter")["buckets"] == {"active": 1, "already_enrolled": 1}
    assert ask("stop", series="letter") == {
        "series": "letter",
        "status": "completed",
        "removed": 1,
    }
    assert ask("stop", series="letter")["refused"]["code"] == "not_running"
    assert [each["status"] for each in ask("list")] == ["completed"]


def test_what_filters_can_name_and_find(stack: Stack) -> None:
    """Tasks list fields, events and contacts page by page."""
    org = stack.organization()
    _people(stack, org, "ann", "anna", "bob")
    stack.ask("halo.track", widget_key=org, user_id="ann", event="login")
    [email, *_] = stack.ask("halo.fields.list", org=org)["fields"]
    assert (email["field"], email["contacts"]) == ("email", 3)
    [login] = stack.ask("halo.events.list", org=org)
    assert (login["event"], login["count"], login["contacts"]) == ("login", 1, 1)

    def found(**asked: Any) -> list[str]:
        page = stack.ask("halo.contacts.list", org=org, **asked)
        return sorted(each["external_id"] for each in page["contacts"])

    assert found(search="ann") == ["ann", "anna"]
    assert found(definition={**LETTER, "contact_type": "lead"}) == []
    page = stack.ask("halo.contacts.list", org=org, size=2)
    assert found(after=page["next"]) == ["ann"]
    wrong = stack.ask("halo.contacts.list", org=org, definition={"steps": 3})
    assert wrong["refused"]["code"] == "missing_key"


def test_what_is_wrong_with_a_call_comes_back(stack: Stack) -> None:
    """A definition, a page and a contact that are not valid are refused by name."""
    org = stack.organization()
    _people(stack, org, "ann")
    stack.ask("halo.series.apply", org=org, series={"letter": LETTER})
    wrong = stack.ask("halo.series.apply", org=org, series={"letter": {"steps": 3}})
    missing = "series.letter.entry_trigger: is required"
    no_list = "series.letter.steps: 3 is refused; allowed is a list"
    assert wrong["refused"]["message"] == f"{missing}\n{no_list}"
    assert wrong["refused"]["faults"] == [
        {"code": "missing_key", "message": missing},
        {"code": "bad_input", "message": no_list},
    ]
    wrong = stack.ask("halo.series.preview", org=org, series="letter", size=-1)
    assert wrong["refused"]["message"].startswith("halo.series.preview.size: -1 is refused; ")
    wrong = stack.ask("halo.series.explain", org=org, series="letter", contact="eve")
    assert wrong["refused"]["code"] == "unknown_contact"


def test_a_call_with_other_arguments_is_refused_by_every_task(stack: Stack) -> None:
    """Every task refuses an unknown argument by name, and a missing one too."""
    for name in sorted(door.task for door in DOORS.values()):
        wrong = stack.ask(name, dance=1)
        assert wrong["refused"]["message"].startswith(f"{name}."), wrong
        assert wrong["refused"]["status"] == 400
    wrong = stack.ask("halo.series.explain", org=5, series="letter", contact="ann")
    assert wrong["refused"]["message"].startswith("halo.series.explain: org: 5 is refused;")
    wrong = stack.ask("halo.series.apply", org="o", series={}, dry_run="false")
    assert wrong["refused"]["message"].startswith("halo.series.apply.dry_run: ‘false’ is refused")


def test_the_command_waits_for_the_worker(stack: Stack, tmp_path: Path) -> None:
    """An activation by the command rings for a worker and ends when everybody is enrolled."""
    org = stack.organization()
    _people(stack, org, "ann", "bob")
    halo = Console(stack.database, stack.app.conf.broker_url, tmp_path)
    stack.ask("halo.series.apply", org=org, series={"letter": LETTER})
    printed = halo("series", "activate", "letter", "--org", org, "--wait")
    assert printed == "letter is active; 2 enrolled.\n"


def test_what_becomes_of_a_mail_by_tasks(stack: Stack) -> None:
    """A mail is shown, sent as a test, sent for good, replied to, and used to unsubscribe, all by
    tasks.
    """
    org = stack.organization()
    with stack.database.begin() as connection:
        connection.execute(
            update(organizations)
            .where(organizations.c.key == org)
            .values(verified_domain=True, company_footer="Acme Inc")
        )
    _people(stack, org, "ann")
    step = {"key": "a", "email": {"subject": "For ann", "body": "See https://acme.example"}}
    blast = {"entry_trigger": "manual", "kind": "marketing", "steps": [step]}
    stack.ask("halo.series.apply", org=org, series={"blast": blast})
    named = {"org": org, "series": "blast", "step": "a", "contact": "ann"}
    shown = stack.ask("halo.series.render", **named)
    assert shown["headers"]["To"] == "ann@a.example"
    tested = stack.ask("halo.series.send_test", **named, to=f"{org}@a.example")
    assert tested["to"] == f"{org}@a.example"
    assert stack.ask("halo.series.send_test", **named, to=5)["refused"]["status"] == 400
    stack.ask("halo.series.activate", org=org, series="blast")

    def funnel() -> Any:
        return stack.ask("halo.series.funnel", org=org, series="blast")["steps"][0]

    stack.wait_until(lambda: funnel()["sent"] == 1, "the mail is sent")
    mail = next(
        each
        for file in stack.mail.glob("*.eml")
        if (each := message_from_bytes(file.read_bytes()))["Subject"] == "For ann"
    )
    reply = f"In-Reply-To: {mail['Message-ID']}\nMessage-ID: <{org}@a.example>\n\nHello"
    assert stack.ask("halo.mail.receive", message=reply)["kind"] == "reply"
    assert stack.ask("halo.mail.receive", message=reply)["again"]
    assert funnel()["replied"] == 1
    token = mail["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    looked = stack.ask("halo.links.look", token=token)
    assert (looked["purpose"], looked["done"]) == ("unsubscribe", False)
    assert stack.ask("halo.links.click", token=token)["refused"]["code"] == "bad_token"
    assert stack.ask("halo.links.unsubscribe", token=token)["list"] is None
    assert stack.ask("halo.links.look", token=token)["done"]
    retried = stack.ask("halo.series.retry_failed", org=org, series="blast")
    assert (retried["sent"], retried["done"]) == (0, True)
