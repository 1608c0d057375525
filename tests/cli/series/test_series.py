"""`halo series`: showing series, and an operator's actions."""

import pytest

from halo_engine.journey.removal import remove_everybody
from halo_engine.series.lifecycle import stop
from halo_engine.work import Work
from tests.cli.console import Console

SERIES = """\
    series:
      pro:
        name: For professionals
        entry_trigger: segment_match
        audience_type: segment
        audience_filters: [[{field: plan, operator: is, value: pro}]]
        settings:
          exit_rules: [replied]
          send_window: {days: [mon, fri], from: "09:00", to: "17:00"}
        steps:
          - {key: hello, email: {subject: Hi, body: "Hello\\n  and welcome\\n"}, send_window: null}
          - {key: paid, delay: 90m, condition: {type: event_fired, value: "on"}}
"""
ONCE = """\
    series:
      once:
        entry_trigger: manual
        steps:
          - {key: wait, delay: 3d, email: {subject: Hi, body: Hi}}
"""


@pytest.fixture
def pro(halo: Console) -> Console:
    """An organisation with the draft `pro`, with ann, who matches it, and bob."""
    halo("series", "apply", halo.file("pro.yaml", SERIES))
    for name, plan in (("ann", "pro"), ("bob", "free")):
        traits = ("--trait", f"email={name}@a.example", "--trait", f"plan={plan}")
        halo("identify", name, *traits)
    halo.work()
    return halo


def test_list_has_a_line_for_each_series(pro: Console) -> None:
    """Each line shows a series' settings and how many contacts are in it."""
    pro("series", "apply", pro.file("once.yaml", ONCE))
    pro("series", "activate", "pro")
    pro.work()
    assert pro("series", "list") == (
        "series  status  trigger        audience  kind           enrollments  in it now\n"
        "pro     active  segment_match  segment   transactional            1          1\n"
        "once    draft   manual         all       transactional            0          0\n"
    )
    first = pro.json("series", "list")[0]
    assert first.pop("updated_at")
    assert first == {
        "series": "pro",
        "name": "For professionals",
        "status": "active",
        "kind": "transactional",
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "enrollments": 1,
        "active": 1,
    }


def test_show_prints_a_file_that_can_be_applied(pro: Console) -> None:
    """Applied, the printed file changes nothing."""
    pro("identify", "ann")
    pro("track", "ann", "on")
    printed = pro("series", "show", "pro")
    heading, rest = printed.split("\n", 1)
    assert heading.startswith("# pro is draft, version 1, saved ")
    assert rest == (
        "# Trigger: Matches the audience filter\n"
        "# Contact type: Users and leads\n"
        "# Audience: Filter by criteria: Plan is ‘pro’\n"
        "# Exit: Completes the series; Replies to an email\n"
        "# Send window: Mon, Fri, 09:00 to 17:00\n"
        "series:\n"
        "  pro:\n"
        "    name: For professionals\n"
        "    entry_trigger: segment_match\n"
        "    audience_type: segment\n"
        "    audience_filters: [[{field: plan, operator: is, value: pro}]]\n"
        "    settings:\n"
        "      exit_rules: [replied]\n"
        "      send_window: {days: [mon, fri], from: '09:00', to: '17:00'}\n"
        "    steps:\n"
        "      - key: hello\n"
        "        email:\n"
        "          subject: Hi\n"
        "          body: |\n"
        "            Hello\n"
        "              and welcome\n"
        "        send_window: null\n"
        "      - key: paid\n"
        "        delay: 90m\n"
        "        condition: {type: event_fired, value: 'on'}\n"
    )
    again = pro.file("again.yaml", printed)
    assert pro("series", "apply", again) == "pro: unchanged (draft)\n1 unchanged\n"


def test_show_for_programs(pro: Console) -> None:
    """With `--json` the definition is data, with the status and the refusals."""
    shown = pro.json("series", "show", "pro")
    assert (shown["series"], shown["status"], shown["activated_at"]) == ("pro", "draft", None)
    assert shown["refusals"] == []
    assert [(each["code"], each["place"]) for each in shown["warnings"]] == [
        ("unknown_event", "steps.paid.condition.value")
    ]
    assert shown["definition"]["steps"][1] == {
        "key": "paid",
        "delay": "90m",
        "condition": {"type": "event_fired", "value": "on"},
    }


def test_activate_pause_resume(pro: Console) -> None:
    """From draft to active to paused and back; other changes are refused."""
    assert pro("series", "activate", "pro") == (
        "pro is active; 0 enrolled.\n"
        "0 of 2 contacts were looked at; the workers go on. Where none runs, start one: `halo "
        "up`.\n"
    )
    pro.work()
    assert pro("series", "pause", "pro") == "pro is paused.\n"
    assert pro("series", "pause", "pro", status=1) == (
        "Error: Series ‘pro’ is paused; only one that is active can be paused.\n"
    )
    assert pro.json("series", "resume", "pro") == {"series": "pro", "status": "active"}
    assert pro.json("series", "activate", "pro", status=1)["refused"]["status"] == 409


def test_activate_refuses_with_the_first_failing_check(halo: Console) -> None:
    """The refusal is the first failing check, in the documented words."""
    halo("series", "apply", halo.file("once.yaml", ONCE))
    said = "Error: No contacts match this audience right now.\n"
    assert halo("series", "activate", "once", status=1) == said
    assert halo.json("series", "show", "once")["refusals"] == [said[len("Error: ") : -1]]


def test_stop_ends_every_enrollment_and_completes_the_series(pro: Console) -> None:
    """Everybody leaves with reason `manual`, and the series is completed."""
    pro("series", "apply", pro.file("once.yaml", ONCE))
    pro("series", "activate", "once")
    pro.work()
    assert pro("series", "stop", "once") == "once is completed; 2 left it.\n"
    assert pro.json("series", "funnel", "once")["ended"] == {"manual": 2}
    assert pro("series", "stop", "once", status=1) == (
        "Error: Series ‘once’ is completed; only one that is active or paused can be stopped.\n"
    )
    assert pro.json("series", "stop", "pro", status=1)["refused"]["code"] == "not_running"


def test_stop_of_a_paused_series_that_contacts_enter_by_themselves(pro: Console) -> None:
    """Any series can be stopped, also while paused; nobody enters any more."""
    pro("series", "activate", "pro")
    pro.work()
    pro("series", "pause", "pro")
    assert pro.json("series", "stop", "pro") == {
        "series": "pro",
        "status": "completed",
        "removed": 1,
    }
    pro("identify", "bob", "--trait", "plan=pro")
    pro.work()
    assert pro.json("series", "funnel", "pro")["enrollments"] == 1
    assert pro.json("explain", "bob", "pro")["code"] == "series_not_active"


def test_stop_that_was_interrupted_goes_on(pro: Console) -> None:
    """A completed series with somebody still in it can be stopped again."""
    pro("series", "apply", pro.file("once.yaml", ONCE))
    pro("series", "activate", "once")
    pro.work()

    def begin(work: Work) -> int:
        return remove_everybody(work, stop(work, "once", "test"), 1)

    assert pro.perform(begin) == 1
    assert pro("series", "stop", "once") == "once is completed; 1 left it.\n"


def test_remove_takes_one_contact_out(pro: Console) -> None:
    """The contact leaves one series; a second removal is refused."""
    pro("series", "activate", "pro")
    pro.work()
    assert pro("series", "remove", "pro", "ann") == "ann has left pro.\n"
    assert pro.json("contacts", "show", "ann")["series"][0]["exit_reason"] == "manual"
    assert pro("series", "remove", "pro", "ann", status=1) == (
        "Error: The contact is not in series ‘pro’ now.\n"
    )
    assert pro("series", "remove", "pro", "eve", status=1) == "Error: There is no contact ‘eve’.\n"


def test_series_that_is_not_there(halo: Console) -> None:
    """Every command about one series refuses an unknown key."""
    halo("identify", "ann")
    for command in (
        *(["series", name, "x"] for name in ("show", "activate", "pause", "resume", "stop")),
        *(["series", name, "x"] for name in ("preview", "diagnose", "ledger", "funnel")),
        ["series", "remove", "x", "ann"],
        ["explain", "ann", "x"],
    ):
        assert halo(*command, status=1) == "Error: There is no series ‘x’.\n"
        assert halo.json(*command, status=1)["refused"]["code"] == "unknown_series"
