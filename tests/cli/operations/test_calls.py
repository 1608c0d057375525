"""`halo calls`, and what status and doctor say about calls in the broker."""

import json
from typing import Any

import pytest
from celery import Celery

from tests.cli.console import Console
from workers.broker import deliveries
from workers.broker.scripts import SET_ASIDE
from workers.connections import broker
from workers.queue_names import CALLS_QUEUE

Client = Any


@pytest.fixture
def client(broker_url: str) -> Client:
    """A client of the broker."""
    return broker(broker_url)


@pytest.fixture
def send(broker_url: str) -> Any:
    """Publish like a plain Celery application that names no queue."""
    app = Celery("somebody", broker=broker_url, set_as_current=False)

    def publish(task: str, number: int, queue: str | None = None, **said: Any) -> None:
        app.send_task(task, queue=queue, kwargs={"number": number, **said})

    yield publish
    app.close()


def _numbers(client: Client, queue: str) -> list[tuple[str, int]]:
    """Return the numbers of a queue's tasks, in the order in which they will be taken."""
    waiting = [json.loads(raw)["headers"] for raw in reversed(client.lrange(queue, 0, -1))]
    return [
        (it["task"], json.loads(it["kwargsrepr"].replace("'", '"'))["number"]) for it in waiting
    ]


def test_calls_astray_are_moved_and_nobody_elses(bare: Console, client: Client, send: Any) -> None:
    """In a queue shared with others only our tasks are moved, in their order."""
    for number in range(4):
        send("halo.identify", number)
        send("shop.pack", number)
    send("halonen.greet", 4)
    send("halo.track", 5, queue="other")
    assert bare("calls", "move") == "4 moved from celery to halo.calls\n"
    others = [("shop.pack", number) for number in range(4)]
    assert _numbers(client, "celery") == [*others, ("halonen.greet", 4)]
    assert _numbers(client, CALLS_QUEUE) == [("halo.identify", number) for number in range(4)]
    assert bare("calls", "move") == "0 moved from celery to halo.calls\n"
    assert bare("calls", "move", "--from", "other") == "1 moved from other to halo.calls\n"
    assert "is a queue of ours" in bare("calls", "move", "--from", CALLS_QUEUE, status=2)


def test_status_and_doctor_tell_of_calls_astray(bare: Console, client: Client, send: Any) -> None:
    """Both say how many of our calls are in which queue and what to do; other applications' calls
    do not count.
    """
    client.lpush("shop:basket", "no message at all")
    client.set("celery-text", "neither")
    send("shop.pack", 1)
    assert bare.json("status")["calls"]["astray"] == {}
    send("halo.identify", 2)
    send("halo.identify", 3)
    answer = bare.json("status", status=1)
    assert answer["calls"]["astray"] == {"celery": 2}
    said = "calls in the queue celery, where no worker of ours listens: 2"
    assert [need.partition(" (")[0] for need in answer["needs"]] == [said]
    assert said in bare("status", status=1)
    findings = bare.json("doctor", status=1)["findings"]
    [found] = [it for it in findings if it["subject"] == "calls"]
    assert (found["state"], found["said"]) == (
        "wrong",
        "in the queue celery, where no worker of ours listens: 2",
    )
    assert found["remedy"].startswith("Run `halo calls move --from celery`")


def test_status_counts_what_waits_in_the_broker(bare: Console, client: Client, send: Any) -> None:
    """Status shows each queue with its oldest call, calls in hand, and calls redelivered."""
    for number in range(3):
        send("halo.users.update", number, queue=CALLS_QUEUE)
    assert client.execute_command(*deliveries.take_command("1", [CALLS_QUEUE])) is not None
    found = bare.json("status")["calls"]
    assert [(it["queue"], it["waiting"]) for it in found["queues"]] == [
        ("halo.tick", 0),
        ("halo.signals", 0),
        ("halo.calls", 2),
    ]
    assert (found["in_hand"], found["redelivered"], found["set_aside"]) == (1, 0, 0)
    assert found["oldest_in_hand"] is not None
    deliveries.give_back(client, ["1"], counts=True)
    assert bare.json("status")["calls"]["redelivered"] == 1
    client.delete(CALLS_QUEUE)
    send("halo.identify", 4, queue=CALLS_QUEUE, sent_at="2026-05-27T08:00:00+00:00")
    answer = bare.json("status", status=1)
    assert answer["calls"]["queues"][2]["oldest"] == "2026-05-27T08:00:00.000000+00:00"
    said = "calls wait longer than 5m in halo.calls: too few workers, or none"
    assert answer["needs"] == [said]
    assert "1, the oldest sent 2026-05-27 08:00 UTC" in bare("status", status=1)


def test_a_broker_that_is_away_needs_a_person(bare: Console) -> None:
    """Status says so, beside what the database says."""
    said = bare("status", status=1, HALO_BROKER_URL="redis://127.0.0.1:1/0")
    assert "→ the broker is away: " in said


def _set_aside(client: Client, raw: bytes, reason: str = "no task of that name takes it") -> None:
    client.lpush(CALLS_QUEUE, raw)
    client.execute_command(*deliveries.take_command("1", [CALLS_QUEUE]))
    deliveries.put_aside(client, "1", reason)


def test_messages_that_were_set_aside_are_listed_tried_again_and_discarded(
    bare: Console, client: Client, send: Any
) -> None:
    """Each message is named by its key, with its reason; a retried one is first in its queue."""
    send("halo.identfy", 1, queue="some")
    raw = client.rpop("some")
    _set_aside(client, raw)
    _set_aside(client, b"no json", "message: is no JSON in UTF-8")
    assert bare.json("status", status=1)["needs"] == [
        "messages set aside: 2 (see `halo calls aside`)"
    ]
    first, second = bare.json("calls", "aside")
    assert (first["task"], first["reason"]) == ("halo.identfy", "no task of that name takes it")
    assert (second["task"], second["bytes"]) == (None, 7)
    assert first["key"] in bare("calls", "aside")
    client.lpush(CALLS_QUEUE, b"later")
    assert bare("calls", "retry", first["key"]) == "1 put back\n"
    assert client.lrange(CALLS_QUEUE, 0, -1) == [b"later", raw]
    assert "no message of that key" in bare("calls", "discard", first["key"], status=1)
    assert bare("calls", "discard", "--all") == "1 discarded\n"
    assert client.llen(SET_ASIDE) == 0
    assert "name the keys" in bare("calls", "retry", status=2)


def test_a_long_message_is_kept_in_part_and_cannot_be_tried_again(
    bare: Console, client: Client
) -> None:
    """A message that is set aside is kept up to a bound; a truncated one cannot be retried."""
    _set_aside(client, b"x" * 100_001)
    [found] = bare.json("calls", "aside")
    assert (found["bytes"], found["is_whole"]) == (100_001, False)
    assert "only its beginning was kept" in bare("calls", "retry", "--all", status=1)
    assert client.llen(SET_ASIDE) == 1
