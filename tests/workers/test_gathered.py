"""A call that was taken with others and then goes alone (§2)."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from halo_engine.domain.errors import not_found
from workers.app import app
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
