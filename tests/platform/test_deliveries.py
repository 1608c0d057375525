"""What workers have in hand: held in the broker, put back in order, counted, set aside."""

import json
from datetime import UTC, datetime, timedelta
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from workers import deliveries
from workers.broker_scripts import IN_HAND, REDELIVERED, SET_ASIDE, SET_ASIDE_COUNT, TOUCHED
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
    """The oldest message of the first queue that has one; acknowledged, nothing of it is left."""
    client.lpush(_OTHER, b"first", b"second")
    taken = _take(client, "1")
    assert taken == deliveries.Delivery(_OTHER, b"first", "1", first_delivered=None)
    assert (client.hlen(IN_HAND), client.zcard(TOUCHED)) == (1, 1)
    deliveries.acknowledge(client, taken)
    assert (client.hlen(IN_HAND), client.zcard(TOUCHED)) == (0, 0)
    assert client.lrange(_OTHER, 0, -1) == [b"second"]


def test_nothing_waits_nothing_is_taken(client: Client) -> None:
    """An empty queue gives nothing, and nothing is in hand."""
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
    """What nobody touched for a minute goes back to the head of its queue."""
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
    """After a few deaths nobody gets it any more; it is kept, counted, and says why."""
    client.lpush(_QUEUE, b"poison")
    for number in range(deliveries.MOST_REDELIVERIES + 1):
        assert _take(client, str(number)) is not None
        deliveries.give_back(client, [str(number)], counts=True)
    assert _take(client, "last") is None
    [kept] = client.lrange(SET_ASIDE, 0, -1)
    head, raw = kept.split(b"\n", 1)
    told = json.loads(head)
    assert (told["queue"], told["bytes"], raw) == (_QUEUE, 6, b"poison")
    assert told["reason"] == "workers died 6 times while they had it in hand"
    assert client.get(SET_ASIDE_COUNT) == b"1"
    assert client.exists(REDELIVERED) == 0


def test_a_message_that_is_handled_at_last_is_forgotten(client: Client) -> None:
    """Its count is deleted; the count of another message stays."""
    client.lpush(_QUEUE, b"a", b"b")
    for tag in ("1", "2"):
        _take(client, tag)
    deliveries.give_back(client, ["1", "2"], counts=True)
    taken = _take(client, "3")
    assert taken is not None
    deliveries.acknowledge(client, taken)
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
    """A closed channel has no client to give; the next one touches what is still in hand."""
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
    ends = monotonic() + 30
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
    ends = monotonic() + 30
    while client.zscore(TOUCHED, "1") == 1:
        assert monotonic() < ends, "nobody touched it"
    assert deliveries.reclaim(client) == 1
    assert _waiting(client) == [b"b"]
    held.let_go("1")
