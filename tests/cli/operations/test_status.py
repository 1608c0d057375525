"""`halo status`: what waits, and what needs a person."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from halo_engine.pipeline.agenda import note_tick
from tests.cli.console import Console

DAILY = """\
    series:
      daily:
        entry_trigger: segment_match
        audience_type: segment
        audience_filters: [{field: plan, operator: is, value: pro}]
        steps:
          - {key: hello, email: {subject: Hi, body: Hi}}
          - {key: bye, delay: 3d, email: {subject: Bye, body: Bye}}
"""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")


@pytest.fixture
def daily(bare: Console) -> Console:
    """An organisation where ann waits for the second email of `daily`, and nothing else waits."""
    bare("org", "create", "acme")
    bare("series", "apply", bare.file("daily.yaml", DAILY))
    bare("series", "activate", "daily")
    bare("identify", "ann", "--trait", "email=ann@a.example", "--trait", "plan=pro")
    bare.work()
    return bare


def _change(halo: Console, statement: str) -> None:
    with halo.database.begin() as connection:
        connection.execute(text(statement))


def _status(halo: Console, *, status: int) -> dict[str, Any]:
    answer = halo.json("status", status=status)
    assert answer["ok"] == (status == 0)
    [found] = answer["organizations"]
    return dict(found)


def test_nothing_needs_a_person(daily: Console) -> None:
    """If all due work is done, the status is ok and the exit status 0."""
    assert _INSTANT.sub("INSTANT", daily("status")) == (
        "last tick: none yet\n"
        "acme: ok\n"
        "  signals waiting    0\n"
        "  rows due           0\n"
        "  mails held         0\n"
        "  rows abandoned     0\n"
        "  re-evaluation      the last INSTANT, the next INSTANT\n"
        "  of everybody       the last none yet\n"
        "  signals set aside  0\n"
        "  rows set aside     0\n"
        "  tried again        0\n"
        "  mails              0 failed, 0 unknown since INSTANT\n"
        "calls: ok\n"
        "  halo.tick     0\n"
        # The bell that the identify rang.
        "  halo.signals  1\n"
        "  halo.calls    0\n"
        "  in hand       0; 0 came again after a death\n"
        "  set aside     0, 0 ever\n"
    )


def test_last_tick_is_shown_and_missed(daily: Console) -> None:
    """The last tick is shown; one that is long ago needs a person."""
    with daily.database.begin() as connection:
        note_tick(connection)
    assert _INSTANT.sub("INSTANT", daily("status")).startswith("last tick: INSTANT\n")
    _change(daily, "UPDATE installation SET ticked_at = ticked_at - interval '6 min'")
    assert "  → longer than 5m ago: no beat runs\n" in daily("status", status=1)
    assert daily.json("status", "--patience", "1h")["ok"]


def test_work_that_was_just_left_needs_nobody(daily: Console) -> None:
    """Work that waits for less than the patience is shown, and needs no person."""
    daily("identify", "bob", "--trait", "plan=pro")
    found = _status(daily, status=0)
    assert (found["signals"], found["needs"]) == (1, [])
    arrived = datetime.fromisoformat(found["oldest_signal"])
    assert datetime.now(arrived.tzinfo) - arrived < timedelta(minutes=1)


def test_signals_that_nobody_handles(daily: Console) -> None:
    """A signal that waits longer than the patience means that no worker runs."""
    daily("identify", "bob", "--trait", "plan=pro")
    _change(daily, "UPDATE signals SET created_at = created_at - interval '6 minutes'")
    needs = ["signals wait longer than 5m: no worker handles them"]
    assert _status(daily, status=1)["needs"] == needs
    assert "  → signals wait longer than 5m: no worker" in daily("status", status=1)
    assert daily("status", "--patience", "10m").startswith("last tick: none yet\nacme: ok\n")


def test_activation_that_a_pause_holds_waits_for_nobody(daily: Console) -> None:
    """An activation that a pause holds waits for the resumption and is not overdue."""
    daily("series", "apply", daily.file("b.yaml", DAILY.replace("daily:", "other:")))
    daily("series", "activate", "other")
    daily("series", "pause", "other")
    _change(daily, "UPDATE signals SET created_at = created_at - interval '6 minutes'")
    assert _status(daily, status=0)["signals"] == 0
    daily("series", "resume", "other")
    assert _status(daily, status=1)["signals"] == 1


def test_rows_that_nobody_advances(daily: Console) -> None:
    """A row that is overdue means that no worker runs; rows of a paused series do not count."""
    late = "now() - interval '6 minutes'"
    _change(
        daily, f"UPDATE automation_recipients SET scheduled_for = {late} WHERE status = 'pending'"
    )
    found = _status(daily, status=1)
    assert (found["due"], found["needs"]) == (
        1,
        ["rows are due longer than 5m: no worker advances them, or mail is sent too slowly"],
    )
    daily("series", "pause", "daily")
    assert _status(daily, status=0)["due"] == 0


def test_rows_that_a_worker_never_finished(daily: Console) -> None:
    """A lease that ran out long ago means that no tick comes."""
    _change(
        daily,
        "UPDATE automation_recipients SET status = 'processing', lease_token = gen_random_uuid(), "
        "lease_expires_at = now() - interval '6 minutes' WHERE status = 'pending'",
    )
    needs = ["rows that a worker took and never finished: 1"]
    assert _status(daily, status=1)["needs"] == needs


def test_reevaluation_that_does_not_come(daily: Console) -> None:
    """An overdue re-evaluation means that no tick comes."""
    _change(daily, "UPDATE organizations SET reevaluated_at = now() - interval '1 hour'")
    needs = ["the re-evaluation is overdue longer than 5m: no tick comes"]
    assert _status(daily, status=1)["needs"] == needs
    daily("series", "stop", "daily")
    assert _status(daily, status=0)["reevaluation_due"] is None


def test_signals_that_were_set_aside(daily: Console) -> None:
    """A signal that was set aside is shown with its error."""
    daily("identify", "bob", "--trait", "plan=pro")
    _change(daily, "UPDATE signals SET parked_at = now(), error = 'KeyError: x', attempts = 1")
    found = _status(daily, status=1)
    assert found["needs"] == ["signals that failed and were set aside: 1 (`halo signals list`)"]
    [parked] = found["parked_signals"]
    assert (parked["kind"], parked["error"]) == ("created", "KeyError: x")
    printed = _INSTANT.sub("INSTANT", daily("status", status=1))
    assert f"\n  signal {parked['id']} (created), INSTANT: KeyError: x\n" in printed


def test_mails_that_failed_or_may_have_been_sent(daily: Console) -> None:
    """Failed and unknown mails of the last day are counted by series and reason.

    A refused address, or a single refusal of another kind, is only shown.
    """
    refused = "UPDATE messages SET state = 'failed', error = '{}', sent_at = NULL"
    for words, kind in (
        ("550 no such user", "user_unknown"),
        ("550 5.7.26 DMARC fails", "authentication"),
    ):
        _change(daily, refused.format(words))
        found = _status(daily, status=0)
        assert (found["failed_mails"], found["unknown_mails"], found["needs"]) == (1, 0, [])
        assert [each["kind"] for each in found["mail_troubles"]] == [kind]
    _change(daily, "UPDATE messages SET state = 'unknown', error = NULL")
    printed = _INSTANT.sub("INSTANT", daily("status", status=1))
    assert (
        "  → mails that may or may not have been sent: 1\n"
        "  daily: 1 unknown, latest INSTANT: nobody knows whether they were sent\n"
    ) in printed
    _change(daily, "UPDATE messages SET intended_at = intended_at - interval '25 hours'")
    assert _status(daily, status=0)["unknown_mails"] == 0
    assert daily.json("status", "--since", "3d", status=1)["ok"] is False


def test_mails_that_are_not_kept_any_more(daily: Console) -> None:
    """Where mails from before the oldest ones kept are asked for, it says since when they are."""
    _change(
        daily,
        """INSERT INTO histories (org_id, next_at, complete_since)
        SELECT id, now(), '{"mails": "2026-06-01T09:00:00+00:00"}' FROM organizations
        ON CONFLICT (org_id) DO UPDATE SET complete_since = excluded.complete_since""",
    )
    assert "complete since" not in daily("status", "--since", "1h")
    assert _status(daily, status=0)["complete_since"] is None
    said = "  Mails are complete since 2026-06-01 09:00 UTC; older ones are not kept.\n"
    assert said in daily("status", "--since", "3650d")
    [found] = daily.json("status", "--since", "3650d")["organizations"]
    assert found["complete_since"] == "2026-06-01T09:00:00.000000+00:00"


def test_bounces_that_rise(daily: Console) -> None:
    """A reason with more bounces than before is shown; many that we can mend need a person."""
    _bounce(daily, "blocklist", 9, "1 hour")
    _bounce(daily, "mailbox_full", 20, "1 hour")
    _bounce(daily, "network", 2, "1 hour")
    _bounce(daily, "network", 2, "30 hours")
    found = _status(daily, status=0)["rising_bounces"]
    assert [(each["reason"], each["reports"], each["before"]) for each in found] == [
        ("mailbox_full", 20, 0),
        ("blocklist", 9, 0),
    ]
    _bounce(daily, "blocklist", 1, "2 hours")
    assert _status(daily, status=1)["needs"] == ["mails of daily that come back: 10 (blocklist)"]
    printed = _INSTANT.sub("INSTANT", daily("status", status=1))
    assert (
        "  daily: 10 came back, 0 in as long a time before, latest INSTANT: blocklist\n" in printed
    )
    _bounce(daily, "blocklist", 10, "47 hours")
    assert "blocklist" not in daily("status")


def _bounce(halo: Console, reason: str, times: int, ago: str) -> None:
    """Insert this many reports about the mail that was sent."""
    _change(
        halo,
        f"""INSERT INTO bounce_reports (org_id, recipient_id, reason, for_good, reported_at)
        SELECT org_id, recipient_id, '{reason}', false, now() - interval '{ago}'
        FROM messages, generate_series(1, {times})""",
    )


def test_mails_that_are_refused_for_what_is_ours(daily: Console) -> None:
    """Three refusals that are not about addresses need a person, and are named by kind."""
    _copy_the_mail(daily, 2)
    refused = "UPDATE messages SET state = 'failed', sent_at = NULL, error = "
    _change(daily, refused + "'550 5.1.1 no such user'")
    assert _status(daily, status=0)["failed_mails"] == 3
    _change(daily, refused + "'550 5.7.26 DMARC fails for ' || to_address || recipient_id")
    found = _status(daily, status=1)
    assert found["needs"] == [
        "mails that failed for good, not for their addresses: 3 (authentication 3)"
    ]


def _copy_the_mail(console: Console, times: int) -> None:
    """Insert more mails like the one that was sent."""
    columns = "org_id, end_user_id, automation_id, enrollment_number, step_id, state"
    _change(
        console,
        f"INSERT INTO messages ({columns}, recipient_id, message_id, to_address, intended_at,"
        f" sent_at) SELECT {columns}, -n, message_id || n, to_address, intended_at, sent_at"
        f" FROM messages, generate_series(1, {times}) AS n",
    )


def test_every_organisation_unless_one_is_named(daily: Console) -> None:
    """Without `--org` all are shown; if one needs a person, the exit status is 1."""
    daily("org", "create", "beta")
    _change(
        daily,
        "UPDATE organizations SET reevaluated_at = now() - interval '1 hour' WHERE key = 'acme'",
    )
    found = daily.json("status", status=1)["organizations"]
    assert [(each["org"], bool(each["needs"])) for each in found] == [
        ("acme", True),
        ("beta", False),
    ]
    assert daily.json("status", "--org", "beta")["ok"] is True
    assert daily("status", HALO_ORG="beta").startswith("last tick: none yet\nbeta: ok\n")


def test_patience_that_is_no_duration(daily: Console) -> None:
    """An invalid option is refused in one line."""
    said = daily("status", "--patience", "long", status=1)
    assert said.startswith("Error: --patience: ‘long’ is not a duration; allowed are ")
