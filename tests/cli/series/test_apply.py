"""`halo series apply` and `check`: series as files."""

from pathlib import Path

import pytest
from sqlalchemy import text

from halo_engine.domain.yaml_files.core import dump_yaml, load_yaml
from halo_engine.series.files import apply as series_apply
from halo_engine.series.files.reading import read_series_file
from halo_engine.series.writing import as_written
from tests.cli.console import Console

WELCOME = """\
    series:
      welcome:
        entry_trigger: user_created
        settings: {exit_rules: [replied]}
        steps:
          - {key: hello, email: {subject: "Hi {{ name|there }}", body: "Hello"}}
          - {key: bye, delay: 3d, email: {subject: Bye, body: "Bye"}}
"""


def test_apply_saves_new_series_as_drafts(halo: Console) -> None:
    """A new series is shown with every field that it sets."""
    file = halo.file("welcome.yaml", WELCOME)
    assert halo("series", "apply", file) == (
        "welcome: created (draft)\n"
        "  entry_trigger\n"
        "    + user_created\n"
        "  settings.exit_rules\n"
        '    + ["replied"]\n'
        "  steps.hello\n"
        '    + {"email": {"subject": "Hi {{ name|there }}", "body": "Hello"}}\n'
        "  steps.bye\n"
        '    + {"delay": "3d", "email": {"subject": "Bye", "body": "Bye"}}\n'
        "1 created\n"
    )


def test_apply_again_changes_nothing(halo: Console) -> None:
    """The same file again changes nothing, not even the series' timestamps."""
    file = halo.file("welcome.yaml", WELCOME)
    halo("series", "apply", file)
    before = halo.json("series", "show", "welcome")
    assert halo("series", "apply", file) == "welcome: unchanged (draft)\n1 unchanged\n"
    assert halo.json("series", "apply", file) == [
        {
            "series": "welcome",
            "result": "unchanged",
            "status": "draft",
            "changes": [],
            "warnings": [],
            "rescheduled": None,
        }
    ]
    assert halo.json("series", "show", "welcome") == before


def test_apply_shows_the_difference_field_by_field(halo: Console) -> None:
    """For a saved series, each field that differs is shown before and after."""
    halo("identify", "ann", "--trait", "plan=pro")
    halo("series", "apply", halo.file("welcome.yaml", WELCOME))
    changed = halo.file(
        "welcome.yaml",
        """\
        series:
          welcome:
            entry_trigger: user_created
            audience_type: segment
            audience_filters: [{field: plan, operator: is, value: pro}]
            settings: {one_per_company: true, exit_rules: [replied]}
            steps:
              - {key: hello, email: {subject: "Hi", body: "Hello"}, send_window: null}
              - {key: gate, delay: 1d, condition: {type: email_opened}}
        """,
    )
    assert halo("series", "apply", changed) == (
        "welcome: changed (draft)\n"
        "  audience_type\n"
        "    - all\n"
        "    + segment\n"
        "  audience_filters\n"
        "    - []\n"
        '    + [[{"field": "plan", "operator": "is", "value": "pro"}]]\n'
        "  settings.one_per_company\n"
        "    - false\n"
        "    + true\n"
        "  steps\n"
        '    - ["hello", "bye"]\n'
        '    + ["hello", "gate"]\n'
        "  steps.hello.email.subject\n"
        "    - Hi {{ name|there }}\n"
        "    + Hi\n"
        "  steps.hello.send_window\n"
        "    - inherited\n"
        "  steps.bye\n"
        '    - {"delay": "3d", "email": {"subject": "Bye", "body": "Bye"}}\n'
        "  steps.gate\n"
        '    + {"delay": "1d", "condition": {"type": "email_opened"}}\n'
        "  warning [mail_not_tracked] steps.gate.condition: Opens and clicks are not tracked here "
        "(HALO_PUBLIC_URL is not set): unless your mail gateway calls `halo.mail.opened` and "
        "`halo.mail.clicked`, this gate lets nobody pass.\n"
        "1 changed\n"
    )


def test_apply_shows_the_lines_of_a_longer_text(halo: Console) -> None:
    """For a longer body, only the lines that differ are shown."""

    def body(middle: str) -> str:
        return halo.file(
            "s.yaml",
            f"""\
            series:
              s:
                entry_trigger: manual
                steps: [{{key: a, email: {{subject: A, body: "Hello\\n{middle}\\nBye\\n"}}}}]
            """,
        )

    halo("series", "apply", body("there"))
    assert halo("series", "apply", body("friend")) == (
        "s: changed (draft)\n  steps.a.email.body\n    - there\n    + friend\n1 changed\n"
    )


def test_dry_run_saves_nothing(halo: Console) -> None:
    """A dry run shows the differences and saves nothing."""
    file = halo.file("welcome.yaml", WELCOME)
    printed = halo("series", "apply", file, "--dry-run")
    assert printed.startswith("welcome: created (draft)\n")
    assert printed.endswith("1 created; nothing was saved\n")
    assert halo.json("series", "list") == []


def test_dry_run_refuses_what_saving_would_refuse(halo: Console) -> None:
    """A dry run also checks what an active series must keep."""
    halo("series", "apply", halo.file("welcome.yaml", WELCOME))
    halo("series", "activate", "welcome")
    empty = "series: {welcome: {entry_trigger: user_created}}"
    for options in ([], ["--dry-run"]):
        said = halo("series", "apply", halo.file("empty.yaml", empty), *options, status=1)
        assert said == "Error: Add at least one step before activating.\n"
    assert len(halo.json("series", "show", "welcome")["definition"]["steps"]) == 2


def test_apply_that_ends_half_way_says_what_is_saved(
    halo: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a later part of a file fails, the parts before it stay saved, and applying the file again
    saves the rest.
    """
    monkeypatch.setattr(series_apply, "PART", 2)
    three = {key: {"entry_trigger": "manual"} for key in "abc"}
    file = halo.file("three.yaml", dump_yaml({"series": three}))
    with halo.database.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF EXISTS (SELECT FROM automations WHERE key = 'a') THEN RAISE 'no room'; END IF; "
                "RETURN NEW; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER fail BEFORE INSERT ON automations FOR EACH ROW "
                "WHEN (NEW.key = 'c') EXECUTE FUNCTION fail()"
            )
        )
    said = halo("series", "apply", file, status=1)
    assert said.startswith("2 of 3 series are saved, up to b; apply the file again\nError: no room")
    with halo.database.begin() as connection:
        connection.execute(text("DROP TRIGGER fail ON automations"))
    assert halo("series", "apply", file).endswith("1 created, 2 unchanged\n")


@pytest.mark.parametrize("part", [1, 50])
def test_apply_saves_nothing_of_a_file_if_one_is_refused(
    halo: Console, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    """One refused series keeps all others from being saved, in other parts too."""
    monkeypatch.setattr(series_apply, "PART", part)
    file = halo.file(
        "two.yaml",
        """\
        series:
          good: {entry_trigger: manual}
          bad: {entry_trigger: manual, audience_type: subscription, subscription: news}
        """,
    )
    said = "Error: series.bad.subscription: there is no subscription list ‘news’\n"
    assert halo("series", "apply", file, status=1) == said
    assert halo.json("series", "list") == []
    halo("list", "create", "news")
    assert halo("series", "apply", file).endswith("2 created\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "series: {s: {entry_trigger: daily}}",
            "{file}, line 1, column 29: series.s.entry_trigger: ‘daily’ is refused; allowed are ",
        ),
        (
            "series: {s: {entry_triger: manual}}",
            (
                "{file}, line 1, column 14: series.s.entry_triger: unknown key (did you mean "
                "‘entry_trigger’?); allowed are "
            ),
        ),
        (
            'series: {s: {entry_trigger: manual, name: "a\\0b"}}',
            "series.s.name: ‘a\\x00b’ cannot be stored; allowed is text without NUL",
        ),
        ("steps: []", "{file}: holds no series; allowed is ‘series: {KEY: …}’\n"),
        ("series: [", "{file}, line 1, column 10: a value is missing; allowed is YAML 1.2\n"),
        (
            (
                "series: {s: {entry_trigger: manual, audience_filters: "
                "[{field: mrr, operator: contains, value: 1}]}}"
            ),
            (
                "{file}, line 1, column 56: series.s.audience_filters[0]: mrr: operator contains "
                "is not one of a number's; "
                "allowed are is, gt, lt, gte, lte, is_set, is_empty\n"
            ),
        ),
    ],
)
@pytest.mark.parametrize("command", ["apply", "check"])
def test_malformed_files_say_what_and_where(
    halo: Console, command: str, text: str, said: str
) -> None:
    """A file that cannot be read, or has an unknown key, is refused with the place."""
    file = halo.file("s.yaml", text)
    printed = halo("series", command, file, status=1)
    assert printed.startswith("Error: " + said.replace("{file}", file))


def test_file_that_is_not_there(halo: Console) -> None:
    """A path that leads nowhere is refused as such."""
    assert halo("series", "apply", "nowhere.yaml", status=1) == (
        "Error: There is no file ‘nowhere.yaml’.\n"
    )


def test_folder_is_no_file(halo: Console, tmp_path: Path) -> None:
    """A folder in place of a file is refused by name, with the system's error."""
    printed = halo("series", "apply", str(tmp_path), status=1)
    assert printed == f"Error: {tmp_path}: cannot be read: Is a directory\n"


def test_check_says_all_that_an_activation_would_refuse(halo: Console) -> None:
    """Every failing check is listed, in the documented order and words; nothing is saved."""
    file = halo.file(
        "s.yaml",
        """\
        series:
          letter: {kind: marketing, entry_trigger: manual, audience_type: segment}
          fine:
            entry_trigger: user_created
            steps: [{key: a, email: {subject: A, body: A}}]
        """,
    )
    assert halo("series", "check", file, status=1) == (
        "letter: refused\n"
        "  Audience source is ‘Filter by criteria’ but no filter is set.\n"
        "  A verified custom domain is required to send broadcasts and email series.\n"
        "  Marketing emails require a company footer.\n"
        "  Add at least one step before activating.\n"
        "fine: ok\n"
    )
    assert halo.json("series", "list") == []


def test_check_warns_of_what_does_nothing(halo: Console) -> None:
    """Goals and exit rules that can never fire are warned of, not refused."""
    file = halo.file(
        "s.yaml",
        """\
        series:
          s:
            entry_trigger: user_created
            settings:
              goal_enabled: true
              exit_rules: [filter_match, event, segment_leave, unsubscribed]
            steps: [{key: a, email: {subject: A, body: A}}]
        """,
    )
    rule = "  warning [exit_rule_never_fires] settings.exit_rules"
    assert halo("series", "check", file) == (
        "s: ok\n"
        "  warning [goal_without_filter] settings.goal_filters: The goal is switched on, but no "
        "goal filter is set: nothing will convert.\n"
        f"{rule}: Exit rule ‘filter_match’ is on, but no exit filter is set: it never fires.\n"
        f"{rule}: Exit rule ‘event’ is on, but no exit event is named: it never fires.\n"
        f"{rule}: Exit rule ‘segment_leave’ is on, but the audience has no filter: it never "
        "fires.\n"
        f"{rule}: Exit rule ‘unsubscribed’ is on, but the audience is no list: it never fires.\n"
    )


def test_check_of_an_active_series(halo: Console) -> None:
    """For an active series, everything that saving would refuse is listed."""
    halo("series", "apply", halo.file("welcome.yaml", WELCOME))
    halo("series", "activate", "welcome")
    broken = "series: {welcome: {entry_trigger: event}}"
    assert halo.json("series", "check", halo.file("b.yaml", broken), status=1) == [
        {
            "series": "welcome",
            "status": "active",
            "refusals": [
                "Set an event name under Trigger before activating.",
                "Add at least one step before activating.",
            ],
            "warnings": [],
        }
    ]


def test_every_series_of_the_scenarios_is_read_back_as_it_was_written(halo: Console) -> None:
    """Every definition is unchanged when it is applied again, and when its shown form is."""
    written = {}
    for path in sorted(Path(__file__).parents[2].rglob("scenarios/*.yaml")):
        scenario = load_yaml(path.read_text(encoding="utf-8"), str(path))
        for key in scenario.get("lists", ()):
            halo("list", "create", f"{path.stem}.{key}")
        for key, definition in scenario.get("series", {}).items():
            if "subscription" in definition:
                definition["subscription"] = f"{path.stem}.{definition['subscription']}"
            written[f"{path.stem}.{key}"] = definition
    assert len(written) > 10
    file = halo.file("all.yaml", dump_yaml({"series": written}))
    halo("series", "apply", file)
    shown = {
        key: as_written(definition) for key, definition in read_series_file(Path(file)).items()
    }
    again = halo.file("again.yaml", dump_yaml({"series": shown}))
    for applied in (file, again):
        assert halo("series", "apply", applied).endswith(f"\n{len(written)} unchanged\n")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("steps: [{key: a, delay: 3x}]", "steps[0].delay: ‘3x’ is not a duration; allowed are a "),
        (
            "steps: [{key: a, send_window: {days: [mon], from: '9:00', to: '10:00'}}]",
            "steps[0].send_window.from: ‘9:00’ is not a time; allowed is ",
        ),
        (
            "settings: {send_window: {days: [mon], from: '09:00', to: '10:00', timezone: Bonn}}",
            "settings.send_window.timezone: ‘Bonn’ is not a time zone; allowed are ",
        ),
        ("steps: [{key: a, body: x}]", "steps[0].body: unknown key; allowed are key, delay, "),
        (
            "settings: {exit_rules: [replied, suppressed]}",
            "settings.exit_rules[1]: ‘suppressed’ is not an exit rule; allowed are completed, ",
        ),
        ("settings: {goal: x}", "settings.goal: unknown key; allowed are one_per_company, "),
        ("settings: {goal_enabled: yes}", "settings.goal_enabled: ‘yes’ is refused; allowed are t"),
        ("settings: {one_per_company: 1}", "settings.one_per_company: 1 is refused; allowed are t"),
        (
            "settings: {reenroll_delay_days: true}",
            "settings.reenroll_delay_days: true is refused; allowed is a number",
        ),
        (
            "settings: {goal_window_days: '30'}",
            "settings.goal_window_days: ‘30’ is refused; allowed is a number",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(halo: Console, written: str, message: str) -> None:
    """The message names the step and the setting, and says what is allowed."""
    file = halo.file("s.yaml", f"series: {{s: {{entry_trigger: manual, {written}}}}}")
    refused = halo("series", "apply", file, status=1)
    assert refused.startswith(f"Error: {file}, line 1, column "), refused
    assert f": series.s.{message}" in refused
