"""Idempotency keys: a call that arrives twice is answered twice and done once (contract §2).

A door claims the key in the statement that writes; whoever finds it taken waits for the one who has
it, and then asks here. A key is the organisation's own, whatever the door: at another door it is a
key with another body.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Text, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.contacts.calls import Call
from halo_engine.domain.errors import conflict, shown
from halo_engine.tables import idempotency_keys
from halo_engine.work import Work


def fingerprint(door: str, call: Call) -> str:
    """Return what tells one body from another: SHA-256 over the door and what the call says.

    The order of keys makes no difference, nor does a number written as ``1`` or as ``1.0``;
    ``true`` is not 1. When the call was sent is no part of it: it is sent anew.
    """
    said = call.model_dump(mode="json", exclude={"idempotency_key", "sent_at"})
    text = json.dumps([door, _plain(said)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def kept_answers(work: Work, keys: Iterable[str]) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """Return fingerprint and answer of the ``keys`` that were used before, in one statement."""
    table = idempotency_keys
    rows = work.connection.execute(
        select(table.c.key, table.c.fingerprint, table.c.answer).where(
            table.c.org_id == work.org_id,
            table.c.key == any_(literal(list(keys), ARRAY(Text()))),
        )
    )
    return {row.key: (row.fingerprint, row.answer) for row in rows}


def answer_as_before(key: str, body: str, kept: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the kept answer if it was given to ``body``, a fingerprint; else raise a 409."""
    first_body, answer = kept
    if first_body != body:
        raise conflict(
            "idempotency_key_reused",
            f"idempotency_key: {shown(key)} was used with another body; allowed is a new key, "
            "or the same body again",
        )
    return answer


def _plain(value: Any) -> Any:
    """Write whole floats as integers, the way that PostgreSQL compares JSON numbers."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
