"""What becomes of a task that is refused, loses its database, or fails."""

import json
import time
from typing import Any

import pytest
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import ProgrammingError

from halo_engine.domain.errors import conflict
from halo_engine.settings import Settings
from workers import engine_task
from workers.cells import InOtherCells
from workers.circling import SentOn
from workers.configuration import EngineApp, create_app
from workers.connections import broker
from workers.engine_task import EngineTask
from workers.queue_names import CALLS_QUEUE


@pytest.fixture
def app() -> EngineApp:
    """An app whose tasks run in this process, retries included."""
    return create_app(Settings())


def test_a_refusal_is_the_answer_and_is_not_tried_again(app: EngineApp) -> None:
    """A refusal comes back as data after one run (contract §11)."""
    runs = []

    @app.task(name="test.refuse")
    def refuse() -> None:
        runs.append(1)
        raise conflict("series_not_draft", "status: is active; only a draft can be changed")

    assert refuse.apply().get() == {
        "refused": {
            "status": 409,
            "code": "series_not_draft",
            "message": "status: is active; only a draft can be changed",
        }
    }
    assert len(runs) == 1


def test_arguments_by_position_are_refused(app: EngineApp) -> None:
    """Positional arguments are refused, and the answer says how to call the task (contract §11)."""

    @app.task(name="test.named")
    def named(**fields: object) -> int:
        return len(fields)

    message = "test.named, arguments: 2 by position are refused; allowed are keyword arguments"
    answer = {"status": 400, "code": "bad_call", "message": message}
    assert named.apply(args=("acme", "welcome")).get() == {"refused": answer}
    assert named.apply(kwargs={"org": "acme"}).get() == 1


def test_a_lost_database_is_tried_again(app: EngineApp) -> None:
    """A task whose server is away runs until the server is back."""
    runs = []

    @app.task(name="test.lost")
    def lost() -> int:
        runs.append(1)
        if len(runs) < 3:
            create_engine("postgresql+psycopg://127.0.0.1:1/none").connect()
        return len(runs)

    assert lost.apply().get() == 3


def test_a_task_gives_up_in_the_end(app: EngineApp) -> None:
    """After five more tries the lost database is the task's failure."""
    runs = []

    @app.task(name="test.gone")
    def gone() -> None:
        runs.append(1)
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        gone.apply().get()
    assert len(runs) == 6


def test_any_other_error_fails_at_once(app: EngineApp) -> None:
    """A fault of ours is raised after one run: another run would meet it again."""
    runs = []

    @app.task(name="test.fault")
    def fault() -> None:
        runs.append(1)
        raise KeyError("x")

    with pytest.raises(KeyError):
        fault.apply().get()
    assert len(runs) == 1


def test_a_table_that_is_missing_is_looked_for_again(app: EngineApp, database: Engine) -> None:
    """A missing table is retried, since a migration may be under way, and fails in the end."""
    runs = []

    @app.task(name="test.early")
    def early(migrated_at: int) -> int:
        runs.append(1)
        column = "key" if len(runs) >= migrated_at else "not_there_yet"
        with database.connect() as connection:
            connection.execute(text(f"SELECT {column} FROM organizations"))
        return len(runs)

    assert early.apply(kwargs={"migrated_at": 3}).get() == 3
    runs.clear()
    with pytest.raises(ProgrammingError, match="not_there_yet"):
        early.apply(kwargs={"migrated_at": 10}).get()
    assert len(runs) == 6


def test_a_soft_limit_that_ends_a_pause_loses_no_call(
    app: EngineApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that met an outage late is handed back all the same (contract §2)."""

    def reach_the_limit(_seconds: float) -> None:
        raise SoftTimeLimitExceeded

    @app.task(name="test.late")
    def late() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(time, "sleep", reach_the_limit)
    with pytest.raises(Reject) as raised:
        late()
    assert vars(raised.value)["requeue"] is True


def _elsewhere(app: EngineApp) -> EngineTask:
    """A call of another cell's organisation."""

    @app.task(name="test.elsewhere", shared=False)
    def elsewhere() -> None:
        raise InOtherCells("b")

    return elsewhere


def _end(task: EngineTask, retries: int = 0) -> Any:
    """Run a task as a message that applications sent; return what ends it."""
    task.push_request(
        id="1",
        properties={"delivery_tag": "1"},
        delivery_info={"exchange": "", "routing_key": CALLS_QUEUE},
        retries=retries,
        kwargs={},
        called_directly=False,
    )
    with pytest.raises(Exception) as raised:  # noqa: PT011 -- whatever it is, it is looked at
        task()
    return raised.value


def _away(monkeypatch: pytest.MonkeyPatch) -> EngineApp:
    """An app whose broker is away; pauses end at once."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    app = create_app(Settings(broker_url="redis://127.0.0.1:1/0"))
    app.conf.task_publish_retry = False
    return app


def test_a_call_that_cannot_be_sent_on_goes_back_to_its_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the broker is away, another cell's call is neither failed nor acknowledged."""
    ended = _end(_elsewhere(_away(monkeypatch)))
    assert isinstance(ended, Reject)
    assert vars(ended) == {"reason": "broker: ConnectionError", "requeue": True}


def test_a_call_that_goes_round_waits(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call comes back from the other cell while its organisation is on its way there: it is tried
    again after some seconds, and that is none of its few tries. If the broker does not take it, it
    goes back to its queue.
    """
    sent_on = SentOn()
    monkeypatch.setattr(engine_task, "SENT_ON", sent_on)
    elsewhere = _elsewhere(create_app(Settings(broker_url=broker_url)))
    assert isinstance(_end(elsewhere), Ignore)
    assert sent_on.has("1")
    for retries in (0, 12):
        ended = _end(elsewhere, retries)
        assert isinstance(ended, Retry)
        assert ended.when == 5.0
        raw: Any = broker(broker_url).rpop(CALLS_QUEUE)
        assert json.loads(raw)["headers"]["retries"] == retries
    lost = _end(_elsewhere(_away(monkeypatch)))
    assert isinstance(lost, Reject)
    assert vars(lost)["requeue"] is True
