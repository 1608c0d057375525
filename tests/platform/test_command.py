"""The `halo` command as a person meets it: a whole stack, and clear words when something is off."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import monotonic, sleep
from zoneinfo import ZoneInfo

import psutil
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, make_url, text

from halo_engine import ZONE_DATA, migrate
from halo_engine.answers.operations.ticks import last_tick
from halo_engine.database import create_engine
from halo_engine.mail.transports.smtp_url import Tls
from halo_engine.organizations.settings import OrganizationSettings
from halo_engine.organizations.storing import create_organization
from tests.mail.mail_server import TLS, mail_server
from tests.platform.commands import HALO, run_halo, start_halo
from workers.command.main import main
from workers.command.zones import differing
from workers.stack.folders import throwaway_folder
from workers.stack.processes import stack_environment, start_worker
from workers.stack.servers import Servers

NOW = datetime(2026, 11, 28, tzinfo=UTC)
_NOWHERE = "postgresql://halo:s3cret@127.0.0.1:1/halo"


def test_doctor_finds_nothing_wrong_while_a_worker_answers(
    monkeypatch: pytest.MonkeyPatch, database: Engine, broker_url: str
) -> None:
    """With servers, schema, mail folder and a worker doctor finds no fault, and names the
    versions.
    """
    url = database.url.render_as_string(hide_password=False)
    named = {"HALO_DATABASE_URL": url, "HALO_BROKER_URL": broker_url}
    with throwaway_folder("test") as folder:
        worker = start_worker(folder, stack_environment(Servers(url, broker_url)))
        status, findings = _doctor(monkeypatch, **named)
        ends = monotonic() + 120
        while findings["workers"][0] == "wrong" and monotonic() < ends:
            # It waits for an answer no longer than a person would; this machine may be busy.
            status, findings = _doctor(monkeypatch, **named)
        worker.stop()
    assert [each for each, (state, _) in findings.items() if state == "wrong"] == []
    assert status == 0
    assert set(findings) >= {"Python", "Celery", "database", "PostgreSQL", "broker", "workers"}
    assert findings["schema"] == ("ok", f"at {migrate.head_revision()}")
    status, findings = _doctor(monkeypatch, **named)
    assert (status, findings["workers"]) == (1, ("wrong", "none answers: nothing is sent"))


def test_doctor_names_zones_that_differ_in_postgresql(
    monkeypatch: pytest.MonkeyPatch, database: Engine
) -> None:
    """Doctor says which zone database is read here, and where PostgreSQL's offsets differ."""
    monkeypatch.setenv("HALO_DATABASE_URL", database.url.render_as_string(hide_password=False))
    _, findings = _doctor(monkeypatch)
    state, said = findings["time zones"]
    assert said.startswith(f"{ZONE_DATA.version} from ")
    assert state == ("ok" if said.endswith("PostgreSQL says the same") else "note")


def test_zones_are_compared_over_two_years(database: Engine) -> None:
    """A change in eighteen months is found today; a zone without a difference is not named."""
    tokyo = ZoneInfo("Asia/Tokyo")

    def read(name: str) -> ZoneInfo:
        return tokyo if name == "Europe/Berlin" else ZoneInfo(name)

    with pytest.MonkeyPatch.context() as patched, database.connect() as connection:
        before = differing(connection, NOW)
        patched.setattr("workers.command.zones.ZoneInfo", read)
        assert set(differing(connection, NOW)) - set(before) == {"Europe/Berlin"}


@pytest.fixture
def database_in_c(servers: Servers, administrate: Callable[[str], None]) -> Iterator[str]:
    """The URL of a database whose locale knows no letters but A to Z."""
    name = f"halo_test_in_c_{os.getpid()}"
    administrate(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    url = make_url(servers.database_url).set(database=name)
    yield url.render_as_string(hide_password=False)
    administrate(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_locale_in_which_addresses_differ_by_case_is_refused(
    monkeypatch: pytest.MonkeyPatch, database_in_c: str
) -> None:
    """Where lower('Ü') is no 'ü', `halo migrate` makes no tables, and doctor says why."""
    status, said = run_halo("migrate", HALO_DATABASE_URL=database_in_c)
    assert status == 1
    assert said.startswith("Error: the database's locale has other small letters than Unicode")
    assert "Create it with LOCALE 'C.UTF-8'" in said
    status, findings = _doctor(monkeypatch, HALO_DATABASE_URL=database_in_c)
    assert (status, findings["locale"][0]) == (1, "wrong")


def test_doctor_without_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that do not answer are named with their masked URL and what to do."""
    status, findings = _doctor(
        monkeypatch, HALO_DATABASE_URL=_NOWHERE, HALO_BROKER_URL="redis://:s3cret@127.0.0.1:1/0"
    )
    assert status == 1
    assert findings["database"][0] == "wrong"
    assert findings["database"][1].startswith("postgresql+psycopg://halo:***@127.0.0.1:1/halo: ")
    assert "Connection refused" in findings["database"][1]
    assert findings["broker"][0] == "wrong"
    assert findings["broker"][1].startswith("redis://:***@127.0.0.1:1/0: ")
    assert "s3cret" not in str(findings)


def test_doctor_with_a_wrong_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that cannot be one is reported by its variable."""
    status, findings = _doctor(monkeypatch, HALO_DATABASE_URL="mysql://h/d")
    assert status == 1
    example = "write postgresql://user:password@host:5432/database"
    said = f"HALO_DATABASE_URL: is not a PostgreSQL URL; {example}"
    assert findings["settings"] == ("wrong", said)


def test_doctor_notes_whose_identity_verification_is_off(
    monkeypatch: pytest.MonkeyPatch, database: Engine
) -> None:
    """Doctor names organisations in which a caller with the public widget key may write as any
    user.
    """
    secret = OrganizationSettings(identity_secret="a secret of thirty-two bytes or more")
    with database.begin() as connection:
        create_organization(connection, "closed", secret)
    monkeypatch.setenv("HALO_DATABASE_URL", database.url.render_as_string(hide_password=False))
    assert "identity verification" not in _doctor(monkeypatch)[1]
    with database.begin() as connection:
        create_organization(connection, "open", OrganizationSettings())
    said = "it is off for open: whoever knows the widget key may write as any user"
    assert _doctor(monkeypatch)[1]["identity verification"] == ("note", said)


def test_doctor_with_an_empty_database(
    monkeypatch: pytest.MonkeyPatch, empty_database: str, broker_url: str
) -> None:
    """A database that was never migrated is told from one that is behind."""
    status, findings = _doctor(
        monkeypatch, HALO_DATABASE_URL=empty_database, HALO_BROKER_URL=broker_url
    )
    assert (status, findings["schema"]) == (1, ("wrong", "the database is empty"))


def test_doctor_with_a_schema_of_another_version(
    monkeypatch: pytest.MonkeyPatch, database: Engine, broker_url: str
) -> None:
    """A revision that this code does not know means that the code is the older one."""
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'tomorrow'"))
    url = database.url.render_as_string(hide_password=False)
    status, findings = _doctor(monkeypatch, HALO_DATABASE_URL=url, HALO_BROKER_URL=broker_url)
    head = migrate.head_revision()
    assert status == 1
    assert findings["schema"] == ("wrong", f"at tomorrow, unknown to this code ({head})")


def test_doctor_asks_the_mail_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doctor connects, encrypts and logs in without sending, and masks the password."""
    monkeypatch.setenv("HALO_MAIL_FROM_ADDRESS", "series@acme.example")
    with mail_server(tls=Tls.IMPLICIT, login=("halo", "s3cret")) as server:
        ca = TLS / "ca.pem"
        url = f"smtps://halo:s3cret@localhost:{server.port}?ca={ca}"
        _, findings = _doctor(monkeypatch, HALO_SMTP_URL=url)
        said = "TLS, certificate verified, logged in as halo"
        masked = f"smtps://halo:***@localhost:{server.port}?ca={ca}"
        assert (findings["mail"], findings["SMTP"]) == (("ok", masked), ("ok", said))
        server.login = ("halo", "changed")
        _, findings = _doctor(monkeypatch, HALO_SMTP_URL=url)
        assert findings["SMTP"][0] == "wrong"
        assert findings["SMTP"][1].startswith("535 ")
        assert "MAIL" not in server.steps
    _, findings = _doctor(monkeypatch, HALO_SMTP_URL=url)
    assert findings["SMTP"] == ("wrong", "Connection refused")
    assert "mail folder" not in findings
    assert "s3cret" not in str(findings)


def test_doctor_notes_a_sender_that_nobody_set() -> None:
    """A mail server without an address to send from is pointed out."""
    printed = CliRunner(env={"HALO_SMTP_URL": "smtp://127.0.0.1:1"}).invoke(main, ["doctor"]).output
    assert "mail comes from series@halo.example, which is nobody's" in printed
    assert "Set HALO_MAIL_FROM_ADDRESS." in printed


def test_doctor_spots_a_misspelt_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A HALO_ variable that nothing reads is pointed out with the one probably meant."""
    monkeypatch.setenv("HALO_DATABSE_URL", "x")
    printed = CliRunner().invoke(main, ["doctor"]).output
    assert "HALO_DATABSE_URL is no setting" in printed
    assert "Did you mean HALO_DATABASE_URL?" in printed


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://h/d", "HALO_DATABASE_URL: is not a PostgreSQL URL; write postgresql://user:"),
        (_NOWHERE, 'connection failed: connection to server at "127.0.0.1", port 1 failed: '),
    ],
)
def test_migrate_without_a_database_is_one_line(url: str, said: str) -> None:
    """A wrong URL or a server that is away ends `halo migrate` with one line and status 1."""
    status, output = run_halo("migrate", HALO_DATABASE_URL=url)
    assert status == 1
    assert output.startswith(f"Error: {said}")
    assert output.count("\n") == 1


def test_up_without_a_broker_is_one_line(empty_database: str) -> None:
    """A named broker that is down is named at once, before a worker would wait for it."""
    status, output = run_halo("up", **_stack(empty_database, "redis://:s3cret@127.0.0.1:1/0"))
    assert status == 1
    *_, last = output.splitlines()
    assert last.startswith("Error: broker redis://:***@127.0.0.1:1/0: ")


def test_migrate_says_from_where_to_where(empty_database: str) -> None:
    """`halo migrate` names the revisions before and after, and a second run finds nothing to do."""
    head = migrate.head_revision()
    assert run_halo("migrate", HALO_DATABASE_URL=empty_database) == (0, f"nothing -> {head}\n")
    assert run_halo("migrate", HALO_DATABASE_URL=empty_database) == (0, f"at {head} already\n")


def test_up_migrates_runs_a_worker_and_a_beat_and_stops_them(
    empty_database: str, broker_url: str
) -> None:
    """`halo up` gets from an empty database to a ticking stack that answers HTTP, on a free port
    where its own is taken, and prints a link to its panel; Ctrl-C ends all of it with 0.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        environment = {**_stack(empty_database, broker_url), "HALO_WEB_BIND": bind}
        up = start_halo("up", "--sample", **environment)
        assert up.stdout is not None
        lines = []
        for line in up.stdout:
            lines.append(line)
            if line.startswith("ready"):
                break
    said = "".join(lines)
    assert f"{bind} is taken; 127.0.0.1:" in said
    [command] = [line for line in lines if "curl" in line]
    key, url = re.findall(r"hk_\S+?(?=\")|http://\S+", command)
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=120) as answer:
        series = json.loads(answer.read())
    assert "welcome" in json.dumps(series)
    [link] = re.findall(r"^panel +(http://\S+)", said, re.MULTILINE)
    # It leads on to the panel, signed in.
    with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(link) as page:
        assert (page.url, "Welcome" in page.read().decode()) == (f"{url[:-11]}/series", True)
    _wait_for_a_tick(empty_database)
    family = psutil.Process(up.pid).children(recursive=True)
    assert len(family) >= 5  # the worker, its two processes, the beat, HTTP
    up.send_signal(signal.SIGINT)
    rest, _ = up.communicate(timeout=120)
    assert up.returncode == 0
    assert rest.endswith("stopped\n")
    assert f"schema    {migrate.head_revision()}\n" in lines
    assert psutil.wait_procs(family, timeout=120)[1] == []


def test_up_ends_with_an_error_when_its_beat_dies(empty_database: str, broker_url: str) -> None:
    """When one of its processes ends, `halo up` stops the others and exits 1, naming it."""
    up = start_halo("up", **_stack(empty_database, broker_url))
    assert up.stdout is not None
    for line in up.stdout:
        if line.startswith("ready"):
            break
    family = psutil.Process(up.pid).children(recursive=True)
    [beat] = [process for process in family if "beat" in process.cmdline()]
    beat.kill()
    rest, _ = up.communicate(timeout=120)
    assert up.returncode == 1
    assert "Error: beat ended with status -9" in rest
    assert psutil.wait_procs(family, timeout=120)[1] == []


def _wait_for_a_tick(database_url: str) -> None:
    engine = create_engine(database_url)
    ends = monotonic() + 120
    with engine.connect() as connection:
        while last_tick(connection)[0] is None:
            assert monotonic() < ends, "no tick within two minutes"
            connection.rollback()
            sleep(0.05)
    engine.dispose()


def _stack(database_url: str, broker_url: str) -> dict[str, str]:
    return {
        "HALO_DATABASE_URL": database_url,
        "HALO_BROKER_URL": broker_url,
        "HALO_TICK_SECONDS": "1",
        "HALO_WEB_BIND": "127.0.0.1:0",
    }


def _doctor(
    monkeypatch: pytest.MonkeyPatch, **environment: str
) -> tuple[int, dict[str, tuple[str, str]]]:
    """Run `halo doctor --json`; return its exit status and, by subject, state and words."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, ["doctor", "--json"])
    report = json.loads(result.output)
    assert report["ok"] == (result.exit_code == 0)
    findings = {
        finding["subject"]: (finding["state"], finding["said"]) for finding in report["findings"]
    }
    return result.exit_code, findings


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("schema > /dev/full", "the output: No space left on device"),
        ("schema --write /dev/null", "/dev/null: File exists"),
        ("schema --write /dev/null/x", "/dev/null/x: Not a directory"),
        ("mail receive - <&-", "there is no standard input to read"),
        ("org show $'\\xff'", "what was typed is no text; allowed is UTF-8"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_line(
    database: Engine, typed: str, said: str
) -> None:
    """A full disk, a folder that is none, no input, bytes that are no text: no traceback."""
    url = database.url.render_as_string(hide_password=False)
    ended = subprocess.run(
        ["bash", "-c", f"{HALO} {typed}"],
        env={**os.environ, "HALO_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, f"Error: {said}\n")
