"""Worker and beat log numbers and ids in short lines, and nothing of what they handle."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from celery.result import AsyncResult
from sqlalchemy import text

from tests.acceptance.conftest import Stack
from tests.acceptance.one_stack.test_main_job import draft
from tests.mail.mail_server import mail_server
from workers.logs.log import MOST_BYTES

MAILS = 100
#: Everything in here stands in a trait, a body, a key, a token or a password.
MARK = "mark3d"
SECRET = f"{MARK}-smtp-password"
BODY = f"Dear {{{{ name }}}}, {MARK} " + "word " * 2_000
WELCOME = {
    "entry_trigger": "user_created",
    "steps": [{"key": "hello", "email": {"subject": f"{MARK} {{{{ name }}}}", "body": BODY}}],
}
_INSTANT = r"\d{4}-\d\d-\d\dT[\d:.]+Z"
_BEGIN_OF_TEXT = re.compile(rf"{_INSTANT} \[(?P<level>\w+)\] ")
_BEGIN_OF_JSON = re.compile(rf'{{"timestamp":"{_INSTANT}","level":"(?P<level>\w+)",')
FORGED = "1\n2026-11-28T12:00:00.000Z [critical] forged"


@dataclass(frozen=True)
class Logs:
    """What both processes wrote while mails went out and calls went wrong."""

    log_format: str
    level: str
    lines: list[str]

    @property
    def size(self) -> int:
        """Bytes, the ends of the lines with them."""
        return sum(len(line.encode()) + 1 for line in self.lines)


@pytest.fixture(
    scope="module",
    params=[("json", "INFO"), ("console", "DEBUG")],
    ids="-".join,
)
def logs(
    request: pytest.FixtureRequest,
    start_stack: Callable[..., AbstractContextManager[Stack]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Logs:
    """Send mails, make every kind of call that goes wrong, stop, and read what was written."""
    log_format, level = request.param
    with mail_server() as server:
        server.login = ("halo", SECRET)
        url = server.url.replace("://", f"://halo:{SECRET}@") + "&tls=none"
        folder = tmp_path_factory.mktemp("logs")
        settings = {"log_format": log_format, "smtp_url": url}
        with start_stack(level=level, logs=folder, **settings) as stack:
            org = stack.organization()
            draft(stack, org, "welcome", WELCOME)
            stack.ask("halo.series.activate", org=org, series="welcome")
            for number in range(MAILS):
                _send(stack, "halo.identify", **_user(org, f"{MARK}{number}"))
            stack.wait_until(lambda: len(server.accepted) == MAILS, f"{MAILS} mails")
            _go_wrong(stack, org)
        return Logs(log_format, level, _lines(folder))


def _lines(folder: Path) -> list[str]:
    """Return what was written, but for the words with which Celery begins to stop."""
    written = "".join(path.read_text() for path in folder.iterdir())
    return re.sub(r"\nworker: (Warm|Cold) shutdown \(MainProcess\)\n", "", written).split("\n")[:-1]


def _user(org: str, name: str) -> dict[str, Any]:
    traits = {"email": f"{name}@a.example", "name": name, "plan": MARK}
    return {"widget_key": org, "user_id": name, "traits": traits}


def _send(stack: Stack, task: str, /, task_id: str | None = None, **call: Any) -> AsyncResult[Any]:
    return stack.app.send_task(task, kwargs=call, task_id=task_id)


def _go_wrong(stack: Stack, org: str) -> None:
    """Make calls that are refused, unknown, forged, and one that fails in the database."""
    token = jwt.encode({"user_id": MARK, "scope": MARK}, SECRET * 2, algorithm="HS256")
    forged = {**_user(f"{MARK}-key", MARK), "user_token": token}
    _send(stack, "halo.identify", **forged)
    _send(stack, "halo.identify", task_id=f"{uuid4()} {FORGED}", **_user(org, MARK))
    _send(stack, "halo.track", widget_key=org, user_id=f"{MARK}0", event=MARK * 100)
    _send(stack, "halo.links.open", token=token)
    _send(stack, "halo.identfy", task_id=f"{uuid4()} {FORGED}", **_user(org, MARK))
    stack.app.send_task("halo.identify", args=[MARK, {"name": MARK}])
    with stack.database.begin() as connection:
        connection.execute(
            text("ALTER TABLE end_users ADD CONSTRAINT breaks CHECK (name <> 'breaks') NOT VALID")
        )
    broken = _user(org, f"{MARK}-broken")
    broken["traits"]["name"] = "breaks"
    failed = _send(stack, "halo.identify", **broken)
    stack.wait_until(failed.failed, "a failure")


def test_a_mail_costs_at_most_300_bytes(logs: Logs) -> None:
    """A mail costs at most 300 bytes of log on average, including the calls, the start and the
    stop.
    """
    assert logs.size <= 300 * MAILS


def test_nothing_of_a_call_a_mail_or_a_login_is_written(logs: Logs) -> None:
    """No log line holds a trait, body, key, token or password, at any level, whatever fails."""
    assert [line for line in logs.lines if MARK in line.lower()] == []


def test_every_entry_is_one_short_line(logs: Logs) -> None:
    """Each has an instant and a level; no task id can begin a line of its own."""
    assert max(map(len, map(str.encode, logs.lines))) < MOST_BYTES
    begin = _BEGIN_OF_JSON if logs.log_format == "json" else _BEGIN_OF_TEXT
    levels = [found and found["level"] for found in map(begin.match, logs.lines)]
    assert set(levels) == {"info", "warning", "error"}
    if logs.log_format == "json":
        assert all(isinstance(json.loads(line), dict) for line in logs.lines)


def test_what_happened_is_counted(logs: Logs) -> None:
    """The mails in the log's entries add up; refusals and failures are logged with their codes."""
    written = "\n".join(logs.lines)
    sent = sum(map(int, re.findall(r"mails_sent\W+(\d+)", written)))
    assert sent == MAILS
    for said in ("unknown_widget_key", "bad_call", "IntegrityError", "halo_engine/database.py"):
        assert said in written
