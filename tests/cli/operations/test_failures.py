"""`halo failures`, and what `explain` and `contacts show` say about mails not sent (§10)."""

import re

import pytest
from sqlalchemy import text

from halo_engine.answers.reports import failures
from tests.cli.console import Console

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")
SERIES = """\
    series:
      welcome:
        entry_trigger: user_created
        steps:
          - {key: hello, email: {subject: Hello, body: Hello}}
          - {key: later, delay: 3d, email: {subject: Later, body: Later}}
"""
REFUSED = "550 5.1.1 <ann@a.example>: no such user"


@pytest.fixture
def welcome(halo: Console) -> Console:
    """Ann's mail was refused, bob lost his address, cleo's row was cleared, dan got his mail."""
    halo("series", "apply", halo.file("welcome.yaml", SERIES))
    halo("series", "activate", "welcome")
    for name in ("ann", "bob", "cleo", "dan"):
        halo("identify", name, "--trait", f"email={name}@a.example")
    halo.work()
    _change(halo, "ann", "messages", f"state = 'failed', sent_at = NULL, error = '{REFUSED}'")
    _change(halo, "ann", "automation_recipients", f"status = 'failed', reason = '{REFUSED}'")
    _change(halo, "bob", "automation_recipients", "status = 'skipped', reason = 'no_email'")
    _change(halo, "cleo", "messages", "state = 'unknown', sent_at = NULL")
    with halo.database.begin() as connection:
        connection.execute(
            text(
                "DELETE FROM automation_recipients WHERE status = 'completed' AND end_user_id ="
                " (SELECT id FROM end_users WHERE external_id = 'cleo' AND org_id ="
                " (SELECT id FROM organizations WHERE key = :org))"
            ),
            {"org": halo.org},
        )
    return halo


def _change(halo: Console, user: str, table: str, change: str) -> None:
    """Change a contact's rows at the first step."""
    finished = "finished_at IS NOT NULL" if table == "automation_recipients" else "true"
    with halo.database.begin() as connection:
        changed = connection.execute(
            text(
                f"UPDATE {table} SET {change} WHERE {finished} AND end_user_id ="
                " (SELECT id FROM end_users WHERE external_id = :user AND org_id ="
                " (SELECT id FROM organizations WHERE key = :org))"
            ),
            {"user": user, "org": halo.org},
        )
    assert changed.rowcount == 1


def test_who_did_not_get_which_mail_and_why(welcome: Console) -> None:
    """The latest first: a server's refusal, no address, an unknown outcome."""
    found = welcome.json("failures", "welcome")
    named = ("contact", "step", "email", "number", "status", "reason", "kind")
    assert sorted(tuple(each[name] for name in named) for each in found["failures"]) == [
        ("ann", "hello", "ann@a.example", 1, "failed", REFUSED, "user_unknown"),
        ("bob", "hello", "bob@a.example", 1, "skipped", "no_email", None),
        ("cleo", "hello", "cleo@a.example", 1, "failed", "outcome_unknown", None),
    ]
    ids = [each["id"] for each in found["failures"]]
    assert (ids, found["next"]) == (sorted(ids, reverse=True), None)


def test_failures_come_page_by_page(welcome: Console) -> None:
    """Each page names the next; together they list every failure once."""
    first = welcome.json("failures", "welcome", "--size", "2")
    second = welcome.json("failures", "welcome", "--size", "2", "--after", str(first["next"]))
    assert second["next"] is None
    both = [each["contact"] for each in (*first["failures"], *second["failures"])]
    assert sorted(both) == ["ann", "bob", "cleo"]
    printed = welcome("failures", "welcome", "--size", "2")
    assert printed.endswith(f"\nmore with --after {first['next']}\n")


def test_a_series_without_failures(halo: Console) -> None:
    """A sentence says so."""
    halo("series", "apply", halo.file("welcome.yaml", SERIES))
    assert halo("failures", "welcome") == "everybody got their mails\n"
    assert halo("failures", "other", status=1) == "Error: There is no series ‘other’.\n"


def test_explain_and_show_name_the_mail_that_failed(welcome: Console) -> None:
    """Both list a contact's failed mails, and nothing for a contact without any."""
    row = f"hello  ann@a.example  INSTANT  {REFUSED} (user_unknown)\n"
    for command in (("explain", "ann", "welcome"), ("contacts", "show", "ann")):
        printed = _INSTANT.sub("INSTANT", welcome(*command))
        _, _, said = printed.partition("\nmails that it did not get:\n")
        assert re.sub(r" {2,}", "  ", said).endswith(f"\nwelcome  {row}")
        assert [each["step"] for each in welcome.json(*command)["failed_mails"]] == ["hello"]
    assert welcome.json("explain", "dan", "welcome")["failed_mails"] == []
    assert welcome.json("contacts", "show", "dan")["failed_mails"] == []


def test_a_contact_is_shown_its_latest_failures(
    welcome: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most ``MOST_SHOWN`` are shown, the latest."""
    monkeypatch.setattr(failures, "MOST_SHOWN", 1)
    with welcome.database.begin() as connection:
        connection.execute(
            text(
                "UPDATE automation_recipients SET status = 'failed', reason = 'late',"
                " finished_at = now() WHERE status = 'pending' AND end_user_id ="
                " (SELECT id FROM end_users WHERE external_id = 'ann' AND org_id ="
                " (SELECT id FROM organizations WHERE key = :org))"
            ),
            {"org": welcome.org},
        )
    shown = welcome.json("contacts", "show", "ann")["failed_mails"]
    assert [(each["step"], each["reason"]) for each in shown] == [("later", "late")]
    assert len(welcome.json("failures", "welcome")["failures"]) == 4
