"""Calls that wait in the broker are done together by a real worker (§2)."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from celery.result import AsyncResult
from kombu import Queue
from sqlalchemy import func, select

from halo_engine.tables import end_users, events
from tests.acceptance.conftest import Stack
from workers.broker.scripts import IN_HAND, TOUCHED
from workers.connections import broker
from workers.queue_names import CALLS_QUEUE

_PATIENCE_SECONDS = 120.0


@pytest.fixture
def send_together(stack: Stack) -> Callable[..., list[AsyncResult[Any]]]:
    """Send calls so that all of them wait before a worker takes the first one."""

    def send(*calls: tuple[str, dict[str, Any]], **options: Any) -> list[AsyncResult[Any]]:
        client: Any = broker(str(stack.app.conf.broker_url))
        spare = f"spare-{uuid4()}"
        queue: Any = Queue(spare, routing_key=spare)
        sent = [
            stack.app.send_task(task, kwargs=fields, queue=queue, **options)
            for task, fields in calls
        ]
        messages = [json.loads(raw) for raw in client.lrange(spare, 0, -1)]
        for message in messages:
            # Where a call goes that is tried again.
            message["properties"]["delivery_info"]["routing_key"] = CALLS_QUEUE
        client.rpush(CALLS_QUEUE, *map(json.dumps, messages))
        client.delete(spare)
        return sent

    return send


def _answers(sent: list[AsyncResult[Any]]) -> list[Any]:
    return [each.get(timeout=_PATIENCE_SECONDS) for each in sent]


def _in_hand(stack: Stack) -> int:
    client: Any = broker(str(stack.app.conf.broker_url))
    return int(client.hlen(IN_HAND)) + int(client.zcard(TOUCHED))


def test_each_call_that_went_with_others_has_its_own_answer(
    stack: Stack, send_together: Callable[..., list[AsyncResult[Any]]]
) -> None:
    """In a set of two organisations' calls a bad call is refused alone, and no message stays in
    hand.
    """
    one, other = stack.organization(), stack.organization()
    calls: list[tuple[str, dict[str, Any]]] = []
    for number in range(150):
        whose = {"widget_key": (one, other)[number % 2]}
        calls.append(("halo.identify", {**whose, "user_id": f"u{number}"}))
    calls[7] = ("halo.identify", {"widget_key": one, "user_id": "u7", "traits": {"id": 1}})
    calls[8] = ("halo.identify", {"widget_key": "nobody's", "user_id": "u8"})
    calls[9] = ("halo.identify", {"widget_key": one})
    calls[10] = ("halo.leads.capture", {"widget_key": other, "email": "new@x.example"})
    answers = _answers(send_together(*calls))
    assert [answers[place]["refused"]["status"] for place in (7, 8, 9)] == [400, 401, 400]
    assert answers[10]["created"] is True
    rest = [each for place, each in enumerate(answers) if not 7 <= place <= 10]
    assert {each["created"] for each in rest} == {True}
    stack.wait_until(lambda: _in_hand(stack) == 0, "all are acknowledged")


def test_calls_about_one_contact_keep_their_order(
    stack: Stack, send_together: Callable[..., list[AsyncResult[Any]]]
) -> None:
    """The call that was sent last decides. The first call is about somebody else: an idle worker
    takes it alone, so a second process may overtake it.
    """
    org = stack.organization()
    call = {"widget_key": org, "user_id": "ann"}
    plans = [("halo.identify", {**call, "traits": {"plan": number}}) for number in range(30)]
    _answers(send_together(("halo.identify", {**call, "user_id": "bob"}), *plans))
    known = select(end_users.c.custom_fields).where(end_users.c.external_id == "ann")
    assert stack.sandbox(org).perform(
        lambda work: work.connection.scalar(known.where(end_users.c.org_id == work.org_id))
    ) == {"plan": 29}


def test_a_call_that_overtakes_the_contacts_first_is_tried_again(
    stack: Stack, send_together: Callable[..., list[AsyncResult[Any]]]
) -> None:
    """A call for a contact that is still unknown is retried alone for a minute; the others of its
    set are done at once.
    """
    org = stack.organization()
    paid = {"widget_key": org, "event": "paid", "user_id": "ann"}
    sent = send_together(
        ("halo.track", paid),
        ("halo.track", {**paid, "user_id": None, "session_id": "s"}),
        ("halo.identify", {"widget_key": org, "user_id": "ann"}),
    )
    assert [each["event"] for each in _answers(sent[:2])] == ["paid", "paid"]
    counted = select(func.count()).select_from(events)
    assert (
        stack.sandbox(org).perform(
            lambda work: work.connection.scalar(counted.where(events.c.org_id == work.org_id))
        )
        == 2
    )


def test_a_call_with_a_callback_is_answered_by_celery_itself(
    stack: Stack, send_together: Callable[..., list[AsyncResult[Any]]]
) -> None:
    """A call with a callback is done alone, while those beside it go as a set."""
    client: Any = broker(str(stack.app.conf.broker_url))
    org, queue = stack.organization(), f"shop-{uuid4()}"
    calls = [("halo.identify", {"widget_key": org, "user_id": f"u{each}"}) for each in range(5)]
    link = stack.app.signature("shop.answered", queue=queue)
    assert len(_answers(send_together(*calls, link=link))) == 5
    stack.wait_until(lambda: client.llen(queue) == 5, "all answers were passed on")
