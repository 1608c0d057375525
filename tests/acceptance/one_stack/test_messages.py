"""What a message to a worker may hold, with a real worker that reads it."""

import json
from base64 import b64decode
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from halo_engine.tables import end_users, events
from tests.acceptance.conftest import Stack
from workers.broker.envelopes import BOUNDS
from workers.broker.scripts import SET_ASIDE
from workers.connections import broker
from workers.queue_names import CALLS_QUEUE


@pytest.mark.parametrize(
    "value",
    [
        {"__type__": "nope", "__value__": 1},
        {"__type__": "uuid", "__value__": "nope"},
        {"__type__": ["uuid"], "__value__": "nope"},
    ],
    ids=str,
)
def test_traits_that_look_like_celerys_types_are_plain_values(
    stack: Stack, value: dict[str, Any]
) -> None:
    """Traits that look like Celery's types are kept as plain values: traits come from browsers."""
    org = stack.organization()
    answered = stack.ask("halo.identify", widget_key=org, user_id="ann", traits={"odd": value})
    asked = select(end_users.c.custom_fields).where(end_users.c.id == UUID(answered["id"]))
    stored = stack.sandbox(org).perform(lambda work: work.connection.execute(asked).scalar_one())
    assert stored == {"odd": value}


def test_celerys_types_are_read_as_instant_text_or_number(stack: Stack) -> None:
    """Datetimes, dates, Decimals and UUIDs of a Python application are read at any depth (§2)."""
    org = stack.organization()
    summer = timezone(timedelta(hours=2))
    signed_up = datetime(2026, 5, 27, 10, 0, 0, 5, summer)
    number = UUID("6f1c1b52-0001-4000-8000-000000000000")
    deep = {"paid": [Decimal("12.50"), {"on": date(2026, 5, 1), "by": number}]}
    traits = {"signed_up_at": signed_up, "mrr": Decimal("1200"), "deep": deep, "at": signed_up}
    answered = stack.ask("halo.identify", widget_key=org, user_id="ann", traits=traits)
    assert answered["warnings"] == []
    event = {"event": "paid", "timestamp": datetime.now(UTC) - timedelta(minutes=1)}
    properties = {"amount": Decimal("0.1"), "at": signed_up}
    tracked = {**event, "user_id": "ann", "properties": properties}
    assert "refused" not in stack.ask("halo.track", widget_key=org, **tracked)
    contact, happened = end_users.c, events.c
    asked = select(contact.signed_up_at, contact.mrr, contact.custom_fields, happened.properties)
    row = stack.sandbox(org).perform(
        lambda work: work.connection.execute(
            asked.join_from(end_users, events, contact.id == happened.end_user_id).where(
                contact.id == UUID(answered["id"])
            )
        ).one()
    )
    instant = "2026-05-27T08:00:00.000005+00:00"
    on = {"on": "2026-05-01", "by": str(number)}
    assert row.signed_up_at == signed_up
    assert row.mrr == 1200
    assert row.custom_fields == {"deep": {"paid": [12.5, on]}, "at": instant}
    assert row.properties == {"amount": 0.1, "at": instant}


@pytest.mark.parametrize(
    ("task", "call", "field"),
    [
        ("halo.identify", {"traits": {"deep": [{"at": "naive"}]}}, "traits.deep[0].at"),
        ("halo.identify", {"traits": {"signed_up_at": "naive"}}, "traits.signed_up_at"),
        ("halo.identify", {"traits": {"name": "naive"}}, "traits.name"),
        ("halo.track", {"event": "paid", "timestamp": "naive"}, "timestamp"),
        ("halo.track", {"event": "paid", "properties": {"at": "naive"}}, "properties.at"),
    ],
)
def test_a_datetime_without_an_offset_is_refused_by_name(
    stack: Stack, task: str, call: dict[str, Any], field: str
) -> None:
    """A datetime without an offset is refused by name, since its instant would be a guess (§2)."""
    naive = datetime(2026, 5, 27, 8)  # noqa: DTZ001 -- what is refused
    filled = json.loads(json.dumps(call), object_hook=lambda found: _filled(found, naive))
    refused = stack.ask(task, widget_key=stack.organization(), user_id="ann", **filled)["refused"]
    assert refused["status"] == 400
    assert f"{field}: a datetime without an offset is" in refused["message"]


def _filled(found: dict[str, Any], value: object) -> dict[str, Any]:
    return {name: value if each == "naive" else each for name, each in found.items()}


def _nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def test_what_no_worker_can_take_is_set_aside_and_stops_nobody(stack: Stack) -> None:
    """A body beyond the bounds and one that is not JSON are both kept; the worker goes on."""
    client: Any = broker(stack.app.conf.broker_url)
    before = client.llen(SET_ASIDE)
    org = stack.organization()
    traits = {"odd": _nested(BOUNDS.depth)}
    call = {"widget_key": org, "user_id": "ann", "traits": traits}
    refused = stack.app.send_task("halo.identify", kwargs=call).get(timeout=120)["refused"]
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
    """Messages in protocol 1, without base64, or with the required headers alone are read."""
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
    assert stack.app.AsyncResult(task_id).get(timeout=120)["created"] is True


def test_an_answer_goes_to_the_queue_that_the_caller_names(stack: Stack) -> None:
    """With Celery's ``link`` the answer becomes the first argument of a task of the
    application's.
    """
    client: Any = broker(stack.app.conf.broker_url)
    queue = f"shop-{uuid4()}"
    stack.app.send_task(
        "halo.identify",
        kwargs={"widget_key": stack.organization(), "user_id": "ann", "traits": {"id": 1}},
        link=stack.app.signature("shop.answered", queue=queue),
    )
    stack.wait_until(lambda: client.llen(queue) == 1, "the answer came")
    message = json.loads(client.rpop(queue))
    assert message["headers"]["task"] == "shop.answered"
    [answer], _, _ = json.loads(b64decode(message["body"]))
    assert answer["refused"]["code"] == "reserved_trait"
