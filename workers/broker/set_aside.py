"""List, put back and discard messages that were set aside."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal
from halo_engine.domain.times.instants import Instant

from .envelopes import Unreadable, read_envelope
from .scripts import SET_ASIDE

_PUT_BACK: Final = """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('RPUSH', KEYS[2], ARGV[2])
return 1
"""


class SetAside(Answer):
    """A message that was set aside, under a key; task and id are None if they cannot be read."""

    key: str
    at: Instant
    queue: str
    reason: str
    bytes: int
    task: str | None
    task_id: str | None
    is_whole: bool


def set_aside(client: Any) -> list[SetAside]:
    """Return the messages that are set aside, the oldest first."""
    return [found for _, _, found in _kept(client)]


def put_back(client: Any, keys: Iterable[str]) -> int:
    """Put the messages with these keys back at the heads of their queues; return how many.

    Raises a 404 for an unknown key, and a 409 for a message of which only the beginning is stored.
    """
    chosen = _chosen(client, keys)
    for _, _, found in chosen:
        if not found.is_whole:
            problem = f"{found.key}: only its beginning was kept; it can be discarded"
            raise Refusal(409, "message_cut", problem)
    # The oldest is put back last, so it is at the head.
    return sum(
        client.eval(_PUT_BACK, 2, SET_ASIDE, found.queue, record, raw)
        for record, raw, found in reversed(chosen)
    )


def discard(client: Any, keys: Iterable[str]) -> int:
    """Discard the messages with these keys; return how many. Raises a 404 for an unknown key."""
    return sum(client.lrem(SET_ASIDE, 1, record) for record, _, _ in _chosen(client, keys))


def _chosen(client: Any, keys: Iterable[str]) -> list[tuple[bytes, bytes, SetAside]]:
    wanted = set(keys)
    chosen = [each for each in _kept(client) if each[2].key in wanted]
    missing = wanted - {found.key for _, _, found in chosen}
    if missing:
        problem = f"{', '.join(sorted(missing))}: no message of that key is set aside"
        raise Refusal(404, "unknown_message", problem)
    return chosen


def _kept(client: Any) -> Iterator[tuple[bytes, bytes, SetAside]]:
    for record in reversed(client.lrange(SET_ASIDE, 0, -1)):
        head, raw = record.split(b"\n", 1)
        safe_words = json.loads(head)
        task, task_id = _names(raw)
        yield (
            record,
            raw,
            SetAside(
                key=hashlib.sha1(record, usedforsecurity=False).hexdigest()[:10],
                at=datetime.fromtimestamp(safe_words["at"], UTC),
                queue=safe_words["queue"],
                reason=safe_words["reason"],
                bytes=safe_words["bytes"],
                task=task,
                task_id=task_id,
                is_whole=safe_words["bytes"] == len(raw),
            ),
        )


def _names(raw: bytes) -> tuple[str | None, str | None]:
    try:
        headers = read_envelope(raw)["headers"]
    except Unreadable as unreadable:
        return None, unreadable.task_id
    return headers["task"], headers["id"]
