"""Counts what waits in the broker, and moves calls from a wrong queue to ``halo.calls``."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from halo_engine.answers.operations.calls import Calls, Queue
from halo_engine.cells.asking import ask_each
from halo_engine.cells.known import cells_at
from halo_engine.settings import Settings

from ..broker.envelopes import Unreadable, read_envelope
from ..broker.lengths import PRIORITY, STEPS, waiting_in
from ..broker.scripts import (
    IN_HAND,
    REDELIVERED,
    SET_ASIDE,
    SET_ASIDE_COUNT,
    TOUCHED,
)
from ..queue_names import CALLS_QUEUE, QUEUES, all_queues

#: Our tasks' names begin so; other applications' tasks are never touched.
_OURS: Final = "halo."
#: How many of another queue's oldest messages are read, and how long queues are searched for.
_MOST_LOOKED_AT: Final = 10_000
_LOOKING_SECONDS: Final = 2.0
_PAGE: Final = 500

# One atomic step: a command that is killed neither loses nor doubles a message.
_MOVE: Final = """
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
"""


def queues_in_use(settings: Settings) -> tuple[str, ...]:
    """Return the names of our queues; without an answer of the directory, those of no cell."""
    if settings.directory_url is None:
        return QUEUES
    cells = ask_each({"": partial(cells_at, settings.directory_url)})[""]
    return all_queues(cells or ())


def calls_waiting(client: Any, names: Sequence[str] = QUEUES) -> Calls:
    """Count what waits in the queues of these names, what workers have in hand, what is set aside,
    and what is astray.
    """
    taken = [float(each.split(b"\n", 2)[1]) for each in client.hvals(IN_HAND)]
    return Calls(
        queues=[_queue(client, name) for name in names],
        in_hand=client.zcard(TOUCHED),
        oldest_in_hand=datetime.fromtimestamp(min(taken), UTC) if taken else None,
        redelivered=client.hlen(REDELIVERED),
        set_aside=client.llen(SET_ASIDE),
        set_aside_ever=int(client.get(SET_ASIDE_COUNT) or 0),
        astray=astray(client, names),
    )


def _queue(client: Any, name: str) -> Queue:
    keys = [name + step for step in STEPS]
    oldest = [_sent_at(raw) for key in keys for raw in client.lrange(key, -1, -1)]
    return Queue(
        queue=name,
        waiting=waiting_in(client, name),
        oldest=min((each for each in oldest if each is not None), default=None),
    )


def _sent_at(raw: bytes) -> datetime | None:
    """Return when a message was sent; None if its call does not say."""
    try:
        call = json.loads(read_envelope(raw)["body"])[1]
        sent = datetime.fromisoformat(call["sent_at"])
    except (Unreadable, KeyError, TypeError, ValueError):
        return None
    return sent if sent.tzinfo is not None else None


def astray(client: Any, names: Sequence[str] = QUEUES) -> dict[str, int]:
    """Count our tasks in queues where no worker of ours listens, by queue; ``names`` are ours.

    In a broker with very many keys the search ends after two seconds.
    """
    found: Counter[str] = Counter()
    ends = time.monotonic() + _LOOKING_SECONDS
    for key in client.scan_iter(count=1000, _type="list"):
        name = key.decode(errors="replace").partition(PRIORITY)[0]
        if name not in names and name != SET_ASIDE:
            found[name] += sum(map(_is_ours, client.lrange(key, -_MOST_LOOKED_AT, -1)))
        if time.monotonic() > ends:
            break
    return {name: number for name, number in sorted(found.items()) if number}


def move(client: Any, source: str) -> int:
    """Move our tasks from a queue to ``halo.calls``, in order; return how many were moved.

    Other applications' messages stay where they are, in their order.
    """
    return sum(_moved(client, source + step, CALLS_QUEUE + step) for step in STEPS)


def _moved(client: Any, source: str, target: str) -> int:
    """Repeat until no message of ours is left: others may take from the list meanwhile."""
    in_all = 0
    while True:
        found = [raw for raw in _oldest_first(client, source) if _is_ours(raw)]
        moved: int = sum(client.eval(_MOVE, 2, source, target, raw) for raw in found)
        in_all += moved
        if not moved:
            return in_all


def _oldest_first(client: Any, key: str) -> Iterator[bytes]:
    last = -1
    while page := client.lrange(key, last - _PAGE + 1, last):
        yield from reversed(page)
        last -= _PAGE


def _is_ours(raw: bytes) -> bool:
    try:
        return str(read_envelope(raw)["headers"]["task"]).startswith(_OURS)
    except Unreadable:
        return False
