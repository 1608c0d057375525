"""What a message to a worker may hold, with a real worker that reads it."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from halo_engine.tables import end_users
from tests.acceptance.conftest import Stack
from workers.broker_scripts import SET_ASIDE
from workers.configuration import CALLS_QUEUE
from workers.connections import broker
from workers.envelopes import BOUNDS


@pytest.mark.parametrize(
    "value",
    [
        {"__type__": "nope", "__value__": 1},
        {"__type__": "uuid", "__value__": "nope"},
        {"__type__": ["uuid"], "__value__": "nope"},
    ],
    ids=str,
)
def test_what_looks_like_a_type_of_the_library_is_a_value_like_any_other(
    stack: Stack, value: dict[str, Any]
) -> None:
    """Traits come from browsers: whatever they hold, the call is answered."""
    org = stack.organization()
    answered = stack.ask("halo.identify", widget_key=org, user_id="ann", traits={"odd": value})
    asked = select(end_users.c.custom_fields).where(end_users.c.id == UUID(answered["id"]))
    stored = stack.stage(org).perform(lambda work: work.connection.execute(asked).scalar_one())
    assert stored == {"odd": value}


def _nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def test_what_no_worker_can_take_is_set_aside_and_stops_nobody(stack: Stack) -> None:
    """Neither a body beyond the bounds nor one that is no JSON ends the worker; both are kept."""
    client: Any = broker(stack.app.conf.broker_url)
    before = client.llen(SET_ASIDE)
    org = stack.organization()
    traits = {"odd": _nested(BOUNDS.depth)}
    call = {"widget_key": org, "user_id": "ann", "traits": traits}
    refused = stack.app.send_task("halo.identify", kwargs=call).get(timeout=30)["refused"]
    assert (refused["status"], refused["code"]) == (400, "bad_message")
    assert refused["message"] == "body: nests deeper than 100 levels"
    client.lpush(CALLS_QUEUE, b"no json")
    stack.app.send_task("halo.identfy", kwargs={"widget_key": org})
    assert stack.ask("halo.identify", widget_key=org, user_id="ann")["created"] is True
    stack.wait_until(lambda: client.llen(SET_ASIDE) == before + 3, "three were set aside")
    kept = client.lrange(SET_ASIDE, 0, 2)
    assert sorted(json.loads(each.split(b"\n")[0])["reason"] for each in kept) == [
        "body: nests deeper than 100 levels",
        "message: is no JSON in UTF-8",
        "no task of that name takes it",
    ]


def test_a_message_of_another_client_is_read(stack: Stack) -> None:
    """Protocol 1, a body that is no base64, and only what is needed: small clients write so."""
    org = stack.organization()
    task_id = str(uuid4())
    call = {"widget_key": org, "user_id": "ann"}
    body = {"id": task_id, "task": "halo.identify", "args": [], "kwargs": call}
    message = {
        "body": json.dumps(body),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {"delivery_tag": 1},
    }
    broker(stack.app.conf.broker_url).lpush(CALLS_QUEUE, json.dumps(message))
    assert stack.app.AsyncResult(task_id).get(timeout=30)["created"] is True
