"""`halo test`: scenario files, played and reported."""

import os
import re
from pathlib import Path
from textwrap import dedent, indent

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import OperationalError

from halo_engine.cli.series.rehearsals import play_timed
from halo_engine.database import create_engine
from halo_engine.rehearsal.player import play_file
from halo_engine.tables import organizations
from tests.cli.console import Console
from tests.pipeline.faults import ROWS, refusing
from tests.platform.commands import run_halo

GREETS = """\
    scenario: A new contact is greeted
    series:
      welcome:
        entry_trigger: user_created
        steps: [{key: hello, email: {subject: Hi, body: Hi}}]
    timeline:
      - activate: welcome
      - identify: {user_id: ann, traits: {email: ann@a.example}}
      - expect: {sent: {welcome: {ann: [hello]}}}
"""
WRONG = GREETS.replace("A new contact is greeted", "Wrong").replace("[hello]}}}", "[bye]}}}")


def _timeless(printed: str) -> str:
    return re.sub(r" +\d+\.\d+ s", " TIME", printed)


def test_scenario_that_holds(bare: Console) -> None:
    """The result is one line: verdict, seconds, file and title; no organisation is needed."""
    file = bare.file("greets.yaml", GREETS)
    assert _timeless(bare("test", file)) == (
        f"ok TIME  {file}  A new contact is greeted\n1 passed, 0 failed in TIME\n"
    )


def test_scenario_that_does_not_hold(bare: Console) -> None:
    """Differences are named by their place in the timeline, and the exit status is 1."""
    file = bare.file("wrong.yaml", WRONG)
    assert _timeless(bare("test", file, status=1)) == (
        f"FAILED TIME  {file}  Wrong\n"
        "        timeline entry 3 (expect): sent of welcome: expected {'ann': ['bye']}, but it is "
        "{'ann': ['hello']}\n"
        "0 passed, 1 failed in TIME\n"
    )


def test_scenarios_for_programs(bare: Console) -> None:
    """With `--json` the results are data, differences included."""
    greets, wrong = bare.file("a.yaml", GREETS), bare.file("b.yaml", WRONG)
    answer = bare.json("test", greets, wrong, status=1)
    seconds = [answer.pop("seconds"), *(each.pop("seconds") for each in answer["scenarios"])]
    assert all(taken > 0 for taken in seconds)
    assert answer == {
        "ok": False,
        "passed": 1,
        "failed": 1,
        "scenarios": [
            {"path": greets, "scenario": "A new contact is greeted", "ok": True, "differences": []},
            {
                "path": wrong,
                "scenario": "Wrong",
                "ok": False,
                "differences": [
                    (
                        "timeline entry 3 (expect): sent of welcome: expected {'ann': ['bye']}, "
                        "but it is {'ann': ['hello']}"
                    )
                ],
            },
        ],
    }


def test_folder_is_played_with_all_that_is_below_it(bare: Console) -> None:
    """Files are played in order, subfolders included; series files are skipped."""
    bare.file("tests/b.yaml", GREETS)
    bare.file("tests/deep/er/a.yml", GREETS)
    bare.file("tests/series.yaml", "series: {s: {entry_trigger: manual}}")
    bare.file("tests/notes.txt", "no scenario")
    played = bare.json("test", str(bare.folder / "tests"))["scenarios"]
    names = [each["path"].removeprefix(f"{bare.folder}/tests/") for each in played]
    assert names == ["b.yaml", "deep/er/a.yml"]


@pytest.mark.parametrize(
    ("word", "played"),
    [("GREETED", ["a.yaml"]), ("b.y", ["b.yaml"]), (".yaml", ["a.yaml", "b.yaml"])],
)
def test_word_chooses_scenarios(bare: Console, word: str, played: list[str]) -> None:
    """`-k` keeps scenarios with the word in their title or path, in any case."""
    bare.file("all/a.yaml", GREETS)
    bare.file("all/b.yaml", GREETS.replace("A new contact is greeted", "Other"))
    scenarios = bare.json("test", str(bare.folder / "all"), "-k", word)["scenarios"]
    assert [each["path"].rsplit("/", 1)[1] for each in scenarios] == played


def test_nothing_to_play(bare: Console) -> None:
    """No scenario, or a missing path, is a failure."""
    bare.file("all/a.yaml", GREETS)
    folder = str(bare.folder / "all")
    said = f"Error: There is no scenario with x in title or path in {folder}.\n"
    assert bare("test", folder, "-k", "x", status=1) == said
    assert bare("test", "nowhere", status=1) == "Error: There is no file ‘nowhere’.\n"
    assert bare.json("test", "nowhere", status=1)["refused"]["code"] == "unknown_file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scenario: [", "{file}, line 1, column 12: a value is missing; allowed is YAML 1.2"),
        ("timeline: []", "{file}, line 1, column 1: scenario: is required"),
        (
            "scenario: S\nlits: [a]",
            "{file}, line 2, column 1: lits: unknown key (did you mean ‘lis",
        ),
        (
            "scenario: S\ntimeline: [{dance: {}}]",
            "timeline entry 1 (dance): ‘dance’ is no action; allowed are at, ",
        ),
        ("scenario: S\ntimeline: [{repeat: 3}]", "timeline entry 1 (repeat): was refused: 400 "),
        (
            "scenario: S\nseries: {s: {entry_trigger: now}}",
            "{file}, line 2, column 29: series.s.entry_trigger: ‘now’ is refused; allowed are ",
        ),
        (
            "scenario: S\ntimeline: [{expect: {sent: 3}}]",
            "{file}, line 2, column 28: timeline[0].expect.sent: 3 is",
        ),
    ],
)
def test_malformed_scenarios_say_what_and_where(bare: Console, text: str, said: str) -> None:
    """A malformed file fails by itself, with problem and place; others are played."""
    file, good = bare.file("bad.yaml", text), bare.file("good.yaml", GREETS)
    bad, fine = bare.json("test", file, good, status=1)["scenarios"]
    assert bad["differences"][0].startswith(said.replace("{file}", file))
    assert fine["ok"] is True


MAIL_KEYS = "to, subject, contains, headers"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("activate: 5", " (activate): was refused: 400 activate: series: 5 "),
        ("{actvate: welcome, error: {status: 400}}", " (actvate): ‘actvate’ is no action; allowed"),
        (
            "{repeat: {times: 2, action: {expect: {}}}, error: {status: 400}}",
            " (repeat): ‘expect’ is no action; allowed are at, repeat, expect, identify",
        ),
        ('pause: "a\\0"', " (pause): was refused: 400 pause: series: ‘a\\x00’ "),
        ("bounce: {contact: ann, foo: 1}", " (bounce): was refused: 400 bounce.foo: unknown key; "),
        (
            "remove: {contact: 5, series: welcome}",
            " (remove): was refused: 400 remove: contact: 5 ",
        ),
        (
            "import_csv: {file: no.csv, mapping: {}}",
            " (import_csv): was refused: 400 import_csv.file: ‘no.csv’ cannot be read; allow",
        ),
        (
            "import_csv: {file: 3}",
            " (import_csv): was refused: 400 import_csv.file: 3 is refused; allowed is text",
        ),
        (
            "import_csv: {file: a.csv, text: a, mapping: {}}",
            " (import_csv): was refused: 400 import_csv: has a text and a file; allowed is one",
        ),
        (
            "save: {reschedule: 1}",
            " (save): was refused: 400 save.reschedule: 1 is refused; allowed are true and false",
        ),
        (
            "expect: {recipients: {welcome: [{stp: a}]}}",
            " (expect): recipients of welcome: unknown key stp; allowed are contact, step, status,",
        ),
        (
            "repeat: {times: many, action: {restart: {}}}",
            " (repeat): was refused: 400 repeat.times: ‘many’ is refused; allowed is a whole numb",
        ),
        (
            "repeat: {times: 0, action: {restart: {}}}",
            " (repeat): was refused: 400 repeat.times: 0",
        ),
        (
            "repeat: {times: 100000, action: {restart: {}}}",
            " (repeat): was refused: 400 repeat.tim",
        ),
        ("repeat: {times: 2, action: {}}", " (repeat): was refused: 400 repeat.action: an object "),
        (
            "identify: {user_id: ann, user_token_claims: abc}",
            " (identify): was refused: 400 user_token_claims: ‘abc’ is no mapping",
        ),
        ("save: {welcome: {settings: 3}}", " (save): was refused: 400 save: settings: 3 is no map"),
        (
            "at: 9999-12-31",
            " (at): was refused: 400 at: 9999-12-31 lies too far ahead; allowed are 3653 days ",
        ),
        ("at: +3654d", " (at): was refused: 400 at: +3654d lies too far ahead; allowed are 3653 "),
        ("expect: {sent: null}", "timeline[3].expect.sent: null is refused; allowed is an object"),
        (
            "expect: {mail: [{subjekt: Hi}]}",
            (
                "timeline[3].expect.mail[0].subjekt: unknown key (did you mean ‘subject’?); "
                f"allowed are {MAIL_KEYS}"
            ),
        ),
        (
            "expect: {mail: [{contains: Hi}]}",
            "timeline[3].expect.mail[0].contains: ‘Hi’ is refused; allowed is a list",
        ),
        (
            "expect: {diagnose: {welcome: {mached: 3}}}",
            "timeline[3].expect.diagnose.welcome.mached: unknown key (did you mean ‘matched’?); ",
        ),
        (
            "expect: {diagnose: {welcome: {filters: [{missin: 3}]}}}",
            "timeline[3].expect.diagnose.welcome.filters[0].missin: unknown key (did you mean ‘mis",
        ),
        (
            "expect: {contact: {ann: {emial: null}}}",
            " (expect): contact ann: ‘emial’ is no column; allowed are columns, custom:NAME and ",
        ),
        (
            "expect: {answer: {creatd: null}}",
            " (expect): answer: ‘creatd’ is no key of it; it has ",
        ),
        (
            "{expect: {}, error: {status: 400}}",
            "timeline[3].error: only an action can be refused, and this is an expect",
        ),
    ],
)
def test_malformed_entries_say_what_and_where(
    shared_database: Engine, tmp_path: Path, entry: str, said: str
) -> None:
    """No entry is silently ignored, and none can make the run hang."""
    file = tmp_path / "bad.yaml"
    file.write_text(f"{dedent(GREETS)}  - {entry}\n", encoding="utf-8")
    [difference] = play_file(file, shared_database).differences
    where = f"{file}, line 10, column " if said.startswith("timeline[") else "timeline entry 4"
    assert difference.startswith(where)
    assert said in difference


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('scenario: "a\\0"', "{file}, line 1, column 11: scenario: ‘a\\x00’ cannot be stored; "),
        (
            'scenario: S\norg: {company_footer: "\\0"}',
            "{file}, line 2, column 23: org.company_footer: ‘\\x00’ cannot",
        ),
        (
            "scenario: S\nlists: [a, a]",
            "{file}, line 2, column 8: lists: a key is given twice; allowed is once",
        ),
        ('scenario: S\nlists: ["\\0"]', "{file}, line 1, column 1: lists: ‘\\x00’ "),
        (
            "scenario: S\nstart: 9999-01-01",
            "{file}, line 2, column 8: start: 9999-01-01 is too late; allo",
        ),
    ],
)
def test_malformed_setups_say_what_and_where(
    shared_database: Engine, tmp_path: Path, text: str, said: str
) -> None:
    """An invalid setup is refused before anything is written."""
    file = tmp_path / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    [difference] = play_file(file, shared_database).differences
    assert difference.startswith(said.replace("{file}", str(file)))


def test_expected_rows_are_paired_however_little_they_say(
    shared_database: Engine, tmp_path: Path
) -> None:
    """A row that says little leaves the row to another that fits no other one."""
    file = tmp_path / "rows.yaml"
    rows = "- expect: {recipients: {welcome: [{}, {contact: ben}, {status: completed}, {step: 3}]}}"
    ben = "- identify: {user_id: ben, traits: {email: ben@a.example}}"
    file.write_text(f"{dedent(GREETS)}  {ben}\n  {rows}\n", encoding="utf-8")
    where = "timeline entry 5 (expect): recipients of welcome: there is no row"
    assert play_file(file, shared_database).differences == (
        f"{where} {{'status': 'completed'}}",
        f"{where} {{'step': 3}}",
    )


def test_instants_without_offset_are_on_the_organizations_clock(
    shared_database: Engine, tmp_path: Path
) -> None:
    """What is expected is read as `start` and `at` are (contract §1)."""
    file = tmp_path / "clock.yaml"
    text = GREETS.replace("    series:", "    org: {timezone: Asia/Kolkata}\n    series:", 1)
    entries = """\
        - at: "2026-06-01T15:00"
        - track: {user_id: ann, event: x}
        - expect:
            last_seen: {ann: "2026-06-01 15:00"}
            contact: {ann: {created_at: "2026-06-01T14:30"}}
        - expect: {recipients: {welcome: [{scheduled_for: "2026-06-01T09:00"}]}}
        """
    file.write_text(dedent(text) + indent(dedent(entries), "  "), encoding="utf-8")
    missing, also = play_file(file, shared_database).differences
    assert missing.endswith("there is no row {'scheduled_for': '2026-06-01T09:00'}")
    assert "scheduled_for 2026-06-01T14:30:00+05:30" in also


def test_user_is_named_before_a_lead(shared_database: Engine, tmp_path: Path) -> None:
    """Whose external ID looks like the address of a lead is meant by it."""
    file = tmp_path / "names.yaml"
    entries = """\
        - capture_lead: {email: q@a.example, traits: {name: Lead}}
        - identify: {user_id: q@a.example, traits: {email: other@a.example}}
        - expect: {contact: {q@a.example: {email: other@a.example, name: null}}}
        """
    file.write_text(dedent(GREETS) + indent(dedent(entries), "  "), encoding="utf-8")
    assert play_file(file, shared_database).differences == ()


def test_file_is_imported_with_all_options(shared_database: Engine, tmp_path: Path) -> None:
    """What stands beside a text stands beside a file, too."""
    (tmp_path / "contacts.csv").write_text("id,e,d\na,a@x.example,x\n", encoding="utf-8")
    file = tmp_path / "import.yaml"
    entry = """\
        - import_csv:
            file: contacts.csv
            mapping: {id: external_id, e: email, d: signed_up_at}
            lenient: true
            dry_run: true
            expect: {created: 1, starts: {welcome: 1}}
        - expect: {contact: {a: null}}
        """
    file.write_text(dedent(GREETS) + indent(dedent(entry), "  "), encoding="utf-8")
    assert play_file(file, shared_database).differences == ()


def test_all_faults_of_a_scenario_are_said_at_once(shared_database: Engine, tmp_path: Path) -> None:
    """Faults of setup, series and timeline are listed together, each with its place."""
    file = tmp_path / "bad.yaml"
    text = """\
        scenario: S
        strat: 2026-06-01
        org: {timezone: Bonn}
        series:
          s: {entry_trigger: now}
        timeline:
          - activate: s
            pause: s
          - expect: {sent: 3}
        """
    file.write_text(dedent(text), encoding="utf-8")
    said = [
        line.removeprefix(f"{file}, line ") for line in play_file(file, shared_database).differences
    ]
    assert [line.partition(" is ")[0] for line in said] == [
        (
            "2, column 1: strat: unknown key (did you mean ‘start’?); allowed are scenario, start, "
            "org, lists, series, timeline"
        ),
        "5, column 22: series.s.entry_trigger: ‘now’",
        "7, column 5: timeline[0]:",
        "9, column 20: timeline[1].expect.sent: 3",
    ]
    fixed = text.replace("strat", "start")
    file.write_text(dedent(fixed), encoding="utf-8")
    said = list(play_file(file, shared_database).differences)
    assert said[0].startswith(f"{file}, line 3, column 17: org.timezone: ‘Bonn’ is not a time zone")
    assert len(said) == 4


def test_scenario_that_breaks_the_player(bare: Console) -> None:
    """An unexpected exception fails its scenario alone."""
    deep = "  - identify: {user_id: ann, user_token_claims: {iss: 3}}"
    text = GREETS.replace("    series:", "    org: {identity_secret: s}\n    series:")
    file = bare.file("bad.yaml", text.split("  - identify")[0].rstrip() + "\n    " + deep)
    bad, fine = bare.json("test", file, bare.file("good.yaml", GREETS), status=1)["scenarios"]
    assert (bad["ok"], fine["ok"]) == (False, True)


def test_signal_that_fails_fails_its_scenario(database: Engine, tmp_path: Path) -> None:
    """A signal that cannot be handled is a difference, though no entry asks about it."""
    with database.begin() as connection:
        for statement in (
            (
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql "
                "AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$"
            ),
            "CREATE TRIGGER fail BEFORE INSERT ON automation_enrollments EXECUTE FUNCTION fail()",
        ):
            connection.execute(text(statement))
    file = tmp_path / "greets.yaml"
    file.write_text(dedent(GREETS).split("  - expect")[0], encoding="utf-8")
    [difference] = play_file(file, database).differences
    assert difference == "a signal failed and was set aside: RaiseException: no room"


def test_row_that_fails_fails_its_scenario(database: Engine, tmp_path: Path) -> None:
    """A due step that cannot be handled is a difference too."""
    file = tmp_path / "greets.yaml"
    file.write_text(dedent(GREETS).split("  - expect")[0], encoding="utf-8")
    with refusing(database, ROWS, "NEW.lease_token IS NOT NULL", "UPDATE"):
        [difference] = play_file(file, database).differences
    assert difference == f"a row failed and was set aside: RaiseException: no {ROWS}"


def test_error_of_the_database_fails_its_scenario(database: Engine, tmp_path: Path) -> None:
    """A statement that is cancelled fails the scenario that asked for it, by name and place; the
    next one is played.
    """
    with database.begin() as connection:
        for statement in (
            (
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
                "'canceling statement due to statement timeout' USING ERRCODE = '57014'; END $$"
            ),
            (
                "CREATE TRIGGER fail BEFORE INSERT ON end_users FOR EACH ROW "
                "WHEN (NEW.external_id = 'slow') EXECUTE FUNCTION fail()"
            ),
        ):
            connection.execute(text(statement))
    slow, greets = tmp_path / "slow.yaml", tmp_path / "greets.yaml"
    slow.write_text(dedent(GREETS).replace("ann", "slow"), encoding="utf-8")
    greets.write_text(dedent(GREETS), encoding="utf-8")
    failed, played = (play_timed(database, path).result for path in (slow, greets))
    assert (failed.title, failed.differences) == (
        "A new contact is greeted",
        (
            (
                "timeline entry 2 (identify): the database says: canceling statement due to "
                "statement timeout"
            ),
        ),
    )
    assert played.passed


def test_rehearsals_end_when_the_server_is_gone(tmp_path: Path) -> None:
    """If the server is gone, no scenario is blamed: the run ends with an error."""
    greets = tmp_path / "greets.yaml"
    greets.write_text(dedent(GREETS), encoding="utf-8")
    nowhere = create_engine(f"postgresql+psycopg://halo@/halo?host={tmp_path}")
    with pytest.raises(OperationalError):
        play_timed(nowhere, greets)


def test_rehearsals_leave_the_database_as_it_was(bare: Console) -> None:
    """A run drops its temporary schema, and those that killed runs left."""
    with bare.database.begin() as connection:
        connection.execute(text("CREATE SCHEMA halo_rehearsal_left"))
    bare("test", bare.file("greets.yaml", GREETS))
    with bare.database.connect() as connection:
        schemas = connection.scalars(text("SELECT nspname FROM pg_namespace")).all()
        assert [name for name in schemas if "rehearsal" in name] == []
        assert connection.scalar(select(func.count()).select_from(organizations)) == 0


def test_rehearsals_need_no_migrated_database(empty_database: str, bare: Console) -> None:
    """The database may be empty."""
    file = bare.file("greets.yaml", GREETS)
    assert bare("test", file, HALO_DATABASE_URL=empty_database).startswith("ok ")


def test_rehearsals_where_the_user_may_make_no_schema(bare: Console) -> None:
    """One line says which privilege is needed."""
    guest = f"halo_guest_{os.getpid()}"
    with bare.database.begin() as connection:
        connection.execute(text(f"CREATE ROLE {guest}"))
    url = bare.database.url.update_query_dict({"options": f"-c role={guest}"})
    file = bare.file("a.yaml", GREETS)
    try:
        named = url.render_as_string(hide_password=False)
        said = bare("test", file, status=1, HALO_DATABASE_URL=named)
    finally:
        with bare.database.begin() as connection:
            connection.execute(text(f"DROP ROLE {guest}"))
    assert said == (
        "Error: HALO_DATABASE_URL: rehearsals make a schema of their own there, and this user may "
        "not; grant CREATE on the database, or unset it to use an embedded server\n"
    )


def test_several_at_once(bare: Console) -> None:
    """Several processes play; the results come in the files' order."""
    files = [bare.file(f"{n}.yaml", GREETS if n != 1 else WRONG) for n in range(3)]
    scenarios = bare.json("test", *files, "--jobs", "2", status=1)["scenarios"]
    assert [each["path"] for each in scenarios] == files
    assert [each["ok"] for each in scenarios] == [True, False, True]


def test_without_a_database_one_is_started_for_the_run(bare: Console) -> None:
    """If no server is configured, `halo test` starts one."""
    status, output = run_halo("test", bare.file("greets.yaml", GREETS))
    assert (status, _timeless(output).split(" TIME")[0]) == (0, "ok")


BY_REFERENCE = """\
    scenario: The file that is applied is the one that is tested
    series: ../series/welcome.yaml
    timeline:
      - activate: welcome
      - identify: {user_id: ann, traits: {email: ann@a.example}}
      - save: {welcome: {steps: [{key: bye, email: {subject: Bye, body: Bye}}]}}
      - expect: {sent: {welcome: {ann: [hello]}}}
    """
WELCOME_FILE = """\
    series:
      welcome:
        entry_trigger: user_created
        steps: [{key: hello, email: {subject: Hi, body: Hi}}]
    """


def test_a_scenario_takes_its_series_from_a_series_file(bare: Console) -> None:
    """Paths are relative to the scenario's folder; several files may be named."""
    bare.file("series/welcome.yaml", WELCOME_FILE)
    file = bare.file("scenarios/welcome.yaml", BY_REFERENCE)
    several = BY_REFERENCE.replace("../series/welcome.yaml", "[../series/welcome.yaml]")
    also = bare.file("scenarios/several.yaml", several)
    assert bare("test", file, also).splitlines()[-1].startswith("2 passed, 0 failed")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (
            "../series/no.yaml",
            "line 2, column 9: series: ‘../series/no.yaml’ is no file; allowed is a path from ",
        ),
        ("/etc/series.yaml", "line 2, column 9: series: ‘/etc/series.yaml’ is absolute; allowed"),
        ("3", "line 2, column 9: series: 3 is refused; allowed are definitions by key, or paths"),
        (
            "[../series/welcome.yaml, ../series/welcome.yaml]",
            "line 2, column 34: series[1]: the series welcome are in another file too; allowed",
        ),
        ("../series/bad.yaml", "bad.yaml, line 2, column 10: series.s.entry_triger: unknown key"),
    ],
)
def test_a_reference_that_cannot_be_followed(bare: Console, named: str, said: str) -> None:
    """A bad reference is refused with its place; a fault in the series file has its place there."""
    bare.file("series/welcome.yaml", WELCOME_FILE)
    bare.file("series/bad.yaml", "series:\n  s: {   entry_triger: manual}")
    file = bare.file("scenarios/s.yaml", BY_REFERENCE.replace("../series/welcome.yaml", named))
    [played] = bare.json("test", file, status=1)["scenarios"]
    assert said in played["differences"][0]
