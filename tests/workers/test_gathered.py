"""A call that was taken with others and then goes alone (§2)."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import kombu.exceptions
import pytest
import redis
from celery.exceptions import Reject

from halo_engine.database import MovedAway
from halo_engine.domain.errors import not_found
from halo_engine.work import OrgRef
from workers import cells
from workers.app import app
from workers.cells import NotSentOn
from workers.circling import SentOn
from workers.tasks import gathered as tasks

_TASK = "halo.companies.identify"


def test_a_call_that_goes_alone_was_sent_when_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call without `sent_at` counts as sent on arrival, so it undoes nothing
    that was sent later.
    """
    app.loader.import_default_modules()
    unknown = not_found("contact", "ann")
    engine = SimpleNamespace(perform_set=lambda _org, calls: [unknown] * len(calls))
    alone: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks, "engine", lambda: engine)
    monkeypatch.setattr(tasks, "store_results", lambda *_: None)
    monkeypatch.setattr(
        app.tasks[_TASK], "apply_async", lambda **sent: alone.append(sent["kwargs"])
    )
    fields = {"widget_key": "k", "id": "acme", "user_id": "ann"}
    given: list[dict[str, Any]] = [fields, {**fields, "sent_at": "2026-01-01T12:00:00Z"}]
    calls = [
        {"task": _TASK, "id": str(place), "fields": each, "wants_answer": False, "caused_by": {}}
        for place, each in enumerate(given)
    ]
    began = datetime.now(UTC)
    tasks.gathered(calls=calls)
    assert [{**each, "sent_at": None} for each in alone] == [{**fields, "sent_at": None}] * 2
    first, said = (datetime.fromisoformat(each["sent_at"]) for each in alone)
    assert began.replace(microsecond=0) <= first <= datetime.now(UTC)
    assert said == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_calls_whose_answers_cannot_be_stored_do_not_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such calls are committed; done again, an event without a key would count twice."""

    def away(*_: object) -> None:
        raise redis.ConnectionError

    engine = SimpleNamespace(perform_set=lambda _org, calls: [{}] * len(calls))
    monkeypatch.setattr(tasks, "engine", lambda: engine)
    monkeypatch.setattr(tasks, "store_results", away)
    fields = {"widget_key": "k", "event": "paid", "user_id": "ann"}
    call = {
        "task": "halo.track",
        "id": "1",
        "fields": fields,
        "wants_answer": True,
        "caused_by": {},
    }
    tasks.gathered(calls=[call])


class _Broker:
    """A broker that is away for some tries to send messages on."""

    def __init__(self, away_for: int) -> None:
        self.away_for = away_for
        self.sent: list[tuple[list[str], list[str]]] = []

    def send_on(self, _url: str, tags: list[str], cells: list[str]) -> None:
        self.away_for -= 1
        if self.away_for >= 0:
            raise NotSentOn("broker: ConnectionError")
        self.sent.append((tags, cells))


def _sets_of(monkeypatch: pytest.MonkeyPatch, broker: _Broker) -> list[str]:
    """Let "moved" live in another cell; return the organisations whose calls are done."""
    done: list[str] = []

    def perform_set(org: OrgRef, calls: list[Any]) -> list[Any]:
        if org.widget_key == "moved":
            raise MovedAway("b")
        done.append(str(org.widget_key))
        return [{}] * len(calls)

    monkeypatch.setattr(tasks, "engine", lambda: SimpleNamespace(perform_set=perform_set))
    monkeypatch.setattr(tasks, "note_moved", lambda *_: None)
    monkeypatch.setattr(tasks, "store_results", lambda *_: None)
    monkeypatch.setattr(tasks, "send_on", broker.send_on)
    monkeypatch.setattr(tasks, "SENT_ON", SentOn())
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    return done


def _tracked(tag: str, widget_key: str) -> dict[str, Any]:
    fields = {"widget_key": widget_key, "event": "paid", "user_id": "ann"}
    named = {"task": "halo.track", "id": tag, "tag": tag}
    return {**named, "fields": fields, "wants_answer": False, "caused_by": {}}


def test_calls_that_moved_wait_for_the_broker_once_others_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All calls of an organisation go on, and nothing is done twice."""
    broker = _Broker(away_for=2)
    done = _sets_of(monkeypatch, broker)
    tasks.gathered(calls=[_tracked("1", "stays"), _tracked("2", "moved"), _tracked("3", "moved")])
    assert (done, broker.sent) == (["stays"], [(["2", "3"], ["b"])])


def test_a_set_goes_back_if_nothing_is_done_and_the_broker_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The move is no reason to send a single call of it on, and to acknowledge the others."""
    monkeypatch.setattr(cells, "own_cell", lambda: "a")
    broker = _Broker(away_for=1)
    done = _sets_of(monkeypatch, broker)
    with pytest.raises(Reject) as raised:
        tasks.gathered(calls=[_tracked("1", "moved"), _tracked("2", "moved")])
    assert vars(raised.value)["requeue"] is True
    assert (done, broker.sent) == ([], [])


def test_a_call_that_goes_alone_waits_for_the_broker_once_others_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are not done twice, and it is not lost."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(tasks, "store_results", lambda *_: None)
    outcomes: list[Any] = [{}, ValueError()]
    engine = SimpleNamespace(perform_set=lambda _org, _calls: outcomes)
    monkeypatch.setattr(tasks, "engine", lambda: engine)
    tries: list[str] = []

    def away_twice(**sent: Any) -> None:
        tries.append(sent["task_id"])
        if len(tries) < 3:
            raise kombu.exceptions.OperationalError

    monkeypatch.setattr(app.tasks["halo.track"], "apply_async", away_twice)
    tasks.gathered(calls=[_tracked("1", "acme"), _tracked("2", "acme")])
    assert tries == ["2", "2", "2"]


def test_calls_that_go_round_wait_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent on before comes again after a pause; the others of its set go on."""
    broker = _Broker(away_for=0)
    _sets_of(monkeypatch, broker)
    alone: list[tuple[str, float]] = []
    monkeypatch.setattr(
        app.tasks["halo.track"],
        "apply_async",
        lambda **sent: alone.append((sent["task_id"], sent["countdown"])),
    )
    tasks.gathered(calls=[_tracked("1", "moved")])
    tasks.gathered(calls=[_tracked("1", "moved"), _tracked("2", "moved")])
    assert broker.sent == [(["1"], ["b"]), (["2"], ["b"])]
    assert alone == [("1", 5.0)]
