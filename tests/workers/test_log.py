"""The shape of a log line, and what it may hold, whichever logger wrote it."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
import redis
import structlog
from kombu.exceptions import OperationalError
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from halo_engine.domain.errors import bad_input
from halo_engine.mail.transports.transports import ServerDown
from workers.logs import log
from workers.logs.log import MOST_BYTES, configure_logging
from workers.logs.redaction import safe_words

ID = UUID(int=7)


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[Any]]]:
    """Log as JSON into the test's own standard error; the call returns the entries so far."""
    before, level, hook = logging.root.handlers[:], logging.root.level, sys.excepthook
    configure_logging("json", logging.DEBUG, secrets=("hunter2",))
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    logging.root.handlers[:] = before
    logging.root.setLevel(level)
    sys.excepthook = hook
    structlog.reset_defaults()


def test_an_entry_of_ours_names_numbers_and_ids(written: Callable[[], list[Any]]) -> None:
    """A collection is shown by its kind, an error by its type; control characters are escaped."""
    _ours().info("moved", org_id=ID, count=3, rows=[{"name": "Ann"}], problem=KeyError("Ann"))
    _ours().info("refused", code="a\nb\x1b[31m\u2028")
    first, second = written()
    assert {name: first[name] for name in ("event", "level", "org_id", "count")} == {
        "event": "moved",
        "level": "info",
        "org_id": str(ID),
        "count": 3,
    }
    assert (first["rows"], first["problem"]) == ("<list>", "KeyError")
    assert second["code"] == "a\\nb\\x1b[31m\\u2028"


def test_no_line_is_longer_than_the_bound(
    written: Callable[[], list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Values are cut, many of them and those of four bytes a character shorter."""
    _ours().warning("long", text="a" * 100_000)
    _ours().warning("many", **{f"value_{number}": "\U0001f600" * 3_000 for number in range(20)})
    _ours().warning("more", **{f"value_{number}": "x" * 3_000 for number in range(2_000)})
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["long", "many", "more"]
    assert max(len(line) for line in lines) < MOST_BYTES
    assert written() == []


def test_a_library_keeps_its_template_alone(written: Callable[[], list[Any]]) -> None:
    """Of a library's line the template stays; of its arguments numbers, ids, task names and
    servers' URLs.
    """
    celery = logging.getLogger("celery.worker")
    celery.error("Task %s[%s] failed after %d: %r", "halo.identify", str(ID), 3, {"name": "Ann"})
    celery.error("Received %r.\n\nThe full contents were:\n%s", "evil\nname", "body")
    celery.error("Cannot connect to %s: %s", "redis://:secret@h:1/0", redis.ConnectionError("No."))
    celery.error("Ann's name is " + "Ann")
    celery.info("Task %s succeeded: %s", "halo.identify", "Ann")
    logging.getLogger("py.warnings").warning("%s", "source = 'Ann'")
    *events, filled_before = [each["event"] for each in written()]
    assert re.fullmatch(r"… \(tests/workers/test_log\.py:\d+\)", filled_before)
    assert events == [
        f"Task halo.identify[{ID}] failed after 3: …",
        "Received ….",
        "Cannot connect to redis://:***@h:1/0: ConnectionError: No.",
    ]


def test_a_traceback_shows_places_alone(written: Callable[[], list[Any]]) -> None:
    """Innermost first; no words of the error, no source, no variable."""

    def fail(name: str) -> None:
        raise ValueError(name)

    try:
        fail("Ann")
    except ValueError:
        logging.getLogger("celery").exception("Failed: %s", "Ann")
    [entry] = written()
    assert (entry["event"], entry["error"]) == ("Failed: …", "ValueError")
    places = [place.partition(":")[2].split(" ")[1] for place in entry["at"].split(" < ")]
    assert places == ["fail", "test_a_traceback_shows_places_alone"]
    assert "Ann" not in json.dumps(entry)


def test_a_password_is_struck_out(written: Callable[[], list[Any]]) -> None:
    """A password that gets into an entry is replaced by stars."""
    _ours().error("odd", problem="cannot log in with hunter2")
    assert written()[0]["problem"] == "cannot log in with ***"


def test_warnings_of_one_kind_are_counted(
    written: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty a minute are written; the first after that minute says how many were left out."""
    now = 1_000.0
    limit = log._RepeatLimit(clock=lambda: now)  # noqa: SLF001 -- its clock
    handler = logging.root.handlers[0]
    monkeypatch.setattr(handler, "filters", [limit.lets_through])
    for _ in range(25):
        _ours().warning("away")
        _ours().info("settled")
    _ours().warning("other")
    entries = written()
    assert [each["event"] for each in entries].count("away") == 20
    assert [each["event"] for each in entries].count("settled") == 25
    assert entries[-1]["event"] == "other"
    now += 60
    _ours().warning("away")
    assert written()[0]["left_out"] == 5


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (bad_input("traits.email", "‘Ann’ is refused"), "Refusal: 400 bad_input"),
        (ServerDown("421 4.7.0 ann@a.example: try later"), "ServerDown: 421 4.7.0"),
        (ConnectionRefusedError(111, "Connection refused"), None),
        (redis.ResponseError("ERR unknown command 'Ann'"), "ResponseError: ERR"),
        (OperationalError("Ann"), "OperationalError"),
        (ValueError("Ann"), "ValueError"),
    ],
)
def test_errors_keep_their_codes(error: Exception, words: str | None) -> None:
    """A server's refusal shows its code, a system error its words, any other error its type."""
    assert safe_words(error) == (words or "ConnectionRefusedError: Connection refused")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT CAST(:name AS uuid)", "DataError: data that is refused (22P02)"),
        ("SELECT * FROM nowhere WHERE :name = ''", 'relation "nowhere" does not exist'),
        (
            "INSERT INTO installation (singleton, mail_down_reason) VALUES (false, :name)",
            "violates check constraint",
        ),
    ],
)
def test_errors_of_the_database_hold_no_rows(database: Engine, statement: str, words: str) -> None:
    """The line says what is wrong, without parameters and without PostgreSQL's DETAIL."""
    with pytest.raises(DBAPIError) as raised, database.begin() as connection:
        connection.execute(text(statement), {"name": "Ann"})
    assert words in safe_words(raised.value)
    assert "Ann" not in safe_words(raised.value)


def _ours() -> Any:
    return structlog.get_logger("workers.test")
