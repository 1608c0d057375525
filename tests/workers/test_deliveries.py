"""Messages that workers have in hand: held in the broker, returned in order, counted, set aside."""

import json
from datetime import UTC, datetime, timedelta
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from workers.broker import deliveries
from workers.broker.scripts import IN_HAND, REDELIVERED, SET_ASIDE, SET_ASIDE_COUNT, TOUCHED
from workers.connections import broker

_QUEUE = "some.queue"
_OTHER = "another.queue"


#: Of Redis; its types do not tell which answers are bytes.
Client = Any


@pytest.fixture
def client(broker_url: str) -> Client:
    """An empty broker."""
    return broker(broker_url)


def _take(client: Client, tag: str) -> deliveries.Delivery | None:
    reply: Any = client.execute_command(*deliveries.take_command(tag, [_QUEUE, _OTHER]))
    if reply is None:
        return None
    queue, raw, seen = reply
    taken = deliveries.Delivery(queue.decode(), raw, tag, None)
    return deliveries.with_first_delivery(client, taken, seen)


def _waiting(client: Client) -> list[bytes]:
    """What waits, in the order in which it will be taken."""
    waiting: list[bytes] = client.lrange(_QUEUE, 0, -1)
    return waiting[::-1]


def test_a_message_is_taken_and_held_in_one_step(client: Client) -> None:
    """The oldest message of the first queue that has one is taken and held; acknowledged, it is
    gone.
    """
    client.lpush(_OTHER, b"first", b"second")
    taken = _take(client, "1")
    assert taken == deliveries.Delivery(_OTHER, b"first", "1", first_delivered=None)
    assert (client.hlen(IN_HAND), client.zcard(TOUCHED)) == (1, 1)
    deliveries.acknowledge(client, [taken])
    assert (client.hlen(IN_HAND), client.zcard(TOUCHED)) == (0, 0)
    assert client.lrange(_OTHER, 0, -1) == [b"second"]


def test_nothing_waits_nothing_is_taken(client: Client) -> None:
    """An empty queue yields no message and no delivery."""
    assert _take(client, "1") is None
    assert client.hlen(IN_HAND) == 0


def test_what_is_handed_back_comes_first_and_in_order(client: Client) -> None:
    """The queue is again in the order of sending, in whatever order messages are handed back."""
    client.lpush(_QUEUE, b"a", b"b", b"c", b"d")
    for tag in ("1", "2", "3"):
        _take(client, tag)
    deliveries.give_back(client, ["3", "1", "2"])
    assert _waiting(client) == [b"a", b"b", b"c", b"d"]
    assert client.exists(REDELIVERED) == 0


def test_a_dead_workers_messages_are_put_back_and_a_living_workers_are_not(client: Client) -> None:
    """A message that no worker touched for a minute goes back to the head of its queue."""
    client.lpush(_QUEUE, b"a", b"b", b"c", b"d")
    for tag in ("1", "2", "3"):
        _take(client, tag)
    long_ago = datetime.now(UTC) - timedelta(seconds=deliveries.PATIENCE_SECONDS + 1)
    client.zadd(TOUCHED, {"1": long_ago.timestamp(), "3": long_ago.timestamp()})
    assert deliveries.reclaim(client) == 2
    assert _waiting(client) == [b"a", b"c", b"d"]
    assert client.hkeys(IN_HAND) == [b"2"]


def test_a_redelivered_message_knows_its_first_delivery(client: Client) -> None:
    """However often it comes again, the task is told when it came first (§2)."""
    begun = datetime.now(UTC)
    client.lpush(_QUEUE, b"a")
    _take(client, "1")
    ended = datetime.now(UTC)
    deliveries.give_back(client, ["1"], counts=True)
    _take(client, "2")
    deliveries.give_back(client, ["2"], counts=True)
    taken = _take(client, "3")
    assert taken is not None
    request = SimpleNamespace(**{deliveries.FIRST_DELIVERED: taken.first_delivered})
    first = deliveries.first_delivered(request)
    assert first is not None
    # Both clocks are this machine's; the broker's is kept to the microsecond.
    assert begun - timedelta(milliseconds=1) <= first <= ended + timedelta(milliseconds=1)
    assert deliveries.first_delivered(SimpleNamespace()) is None


def test_a_message_that_kills_its_workers_is_set_aside(client: Client) -> None:
    """After a few deaths a message is set aside, kept and counted, with the reason."""
    client.lpush(_QUEUE, b"poison")
    for number in range(deliveries.MOST_REDELIVERIES + 1):
        assert _take(client, str(number)) is not None
        deliveries.give_back(client, [str(number)], counts=True)
    assert _take(client, "last") is None
    [kept] = client.lrange(SET_ASIDE, 0, -1)
    head, raw = kept.split(b"\n", 1)
    safe_words = json.loads(head)
    assert (safe_words["queue"], safe_words["bytes"], raw) == (_QUEUE, 6, b"poison")
    assert safe_words["reason"] == "workers died 6 times while they had it in hand"
    assert client.get(SET_ASIDE_COUNT) == b"1"
    assert client.exists(REDELIVERED) == 0


def test_a_message_that_is_handled_at_last_is_forgotten(client: Client) -> None:
    """The message's count is deleted; the count of another message stays."""
    client.lpush(_QUEUE, b"a", b"b")
    for tag in ("1", "2"):
        _take(client, tag)
    deliveries.give_back(client, ["1", "2"], counts=True)
    taken = _take(client, "3")
    assert taken is not None
    deliveries.acknowledge(client, [taken])
    assert client.hlen(REDELIVERED) == 1


def test_a_message_that_is_set_aside_is_counted_no_more(client: Client) -> None:
    """Put back by an operator it begins anew, and the counts do not pile up in the broker."""
    client.lpush(_QUEUE, b"a")
    _take(client, "1")
    deliveries.give_back(client, ["1"], counts=True)
    _take(client, "2")
    deliveries.put_aside(client, "2", "no task of that name takes it")
    assert client.exists(REDELIVERED) == 0
    assert client.llen(SET_ASIDE) == 1


def test_touching_goes_on_after_a_connection_that_is_gone(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a lost connection the next one touches what is still in hand."""
    monkeypatch.setattr(deliveries, "TOUCH_SECONDS", 0.01)
    client.lpush(_QUEUE, b"a")
    _take(client, "1")
    client.zadd(TOUCHED, {"1": 1})
    asked = []

    def connection() -> Client:
        asked.append(1)
        if len(asked) == 1:
            raise AttributeError("'NoneType' object has no attribute 'hostname'")
        return client

    held = deliveries.HeldTags()
    held.begin(connection, still_running=[])
    held.hold("1")
    ends = monotonic() + 120
    while client.zscore(TOUCHED, "1") == 1:
        assert monotonic() < ends, "nobody touched it"
    held.let_go("1")


def test_a_living_worker_keeps_what_it_holds(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker touches what it has in hand while it works, however long that takes."""
    monkeypatch.setattr(deliveries, "TOUCH_SECONDS", 0.01)
    client.lpush(_QUEUE, b"a", b"b")
    for tag in ("1", "2"):
        _take(client, tag)
    client.zadd(TOUCHED, {"1": 1, "2": 1})
    held = deliveries.HeldTags()
    held.begin(lambda: client, still_running=[])
    held.hold("1")
    ends = monotonic() + 120
    while client.zscore(TOUCHED, "1") == 1:
        assert monotonic() < ends, "nobody touched it"
    assert deliveries.reclaim(client) == 1
    assert _waiting(client) == [b"b"]
    held.let_go("1")


def _call(task: str, size: int = 0) -> bytes:
    return json.dumps({"headers": {"task": task}, "body": "x" * size}).encode()


def _taken_together(client: Client) -> list[bytes]:
    _queue, first, _seen, *more = client.execute_command(
        *deliveries.take_command("1", [_QUEUE, _OTHER])
    )
    return [first, *more]


def test_calls_that_wait_behind_each_other_are_taken_together(client: Client) -> None:
    """Calls are taken up to the first message that goes alone, each under a tag of its own, in
    order.
    """
    calls = [_call("halo.identify"), _call("halo.track"), _call("halo.leads.capture")]
    alone = [_call("halo.users.update"), _call("halo.identify")]
    client.lpush(_QUEUE, *calls, *alone)
    assert _taken_together(client) == calls
    assert client.zrange(TOUCHED, 0, -1) == [b"1", b"1.001", b"1.002"]
    assert _waiting(client) == alone
    deliveries.give_back(client, [deliveries.tag_of("1", number) for number in range(3)])
    assert _waiting(client) == [*calls, *alone]


@pytest.mark.parametrize(
    "second",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"headers": {"task": ["halo.identify"]}}',
        b'{"headers": "halo.identify"}',
        _call("halo.identify", 100_000),
        _call("halo.settle"),
    ],
)
def test_whatever_else_waits_is_taken_alone(client: Client, second: bytes) -> None:
    """A long message, or another kind of call, is taken alone."""
    first = _call("halo.identify")
    client.lpush(_QUEUE, first, second, first)
    assert _taken_together(client) == [first]
    assert _waiting(client) == [second, first]


def test_no_more_are_taken_together_than_are_handled_soon(client: Client) -> None:
    """What is taken together is bounded in messages and in bytes."""
    client.lpush(_QUEUE, *[_call("halo.identify")] * 150)
    assert len(_taken_together(client)) == deliveries.MOST_TOGETHER
    client.delete(_QUEUE)
    client.lpush(_QUEUE, *[_call("halo.identify", 90_000)] * 20)
    assert len(_taken_together(client)) == 11


def test_nothing_is_taken_together_while_a_redelivery_is_counted(client: Client) -> None:
    """A redelivered message is taken alone, so that only its own deaths count."""
    calls = [_call("halo.identify")] * 2
    client.lpush(_QUEUE, *calls)
    client.hset(REDELIVERED, "digest", "1 0")
    assert _taken_together(client) == calls[:1]
