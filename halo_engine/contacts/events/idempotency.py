"""Idempotency keys: a call that arrives twice is done once, and answered twice (contract §2).

The statement that writes also claims the key. A call whose key is taken waits until the other call
has committed, then reads the answer here. Keys belong to the organisation: the same key at another
door counts as a key with another body.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, Text, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.contacts.calls import Call
from halo_engine.domain.errors import conflict, shown
from halo_engine.sql.statements import statement
from halo_engine.tables import idempotency_keys
from halo_engine.work import Work


def fingerprint(door: str, call: Call) -> str:
    """Return a hash that tells bodies apart: SHA-256 over the door's name and the call.

    The order of keys makes no difference, nor does a number written as ``1`` or as ``1.0``;
    ``true`` is not 1. The sending time and the user token are left out: a retry makes both anew.
    """
    said = call.model_dump(mode="json", exclude={"idempotency_key", "sent_at", "user_token"})
    text = json.dumps([door, _plain(said)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def kept_answers(work: Work, keys: Iterable[str]) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """Return fingerprint and answer of the ``keys`` that were used before, in one statement."""
    rows = work.connection.execute(_read_kept_answers(work, keys))
    return {row.key: (row.fingerprint, row.answer) for row in rows}


@statement("read_kept_answers")
def _read_kept_answers(work: Work, used_keys: Iterable[str]) -> Select[Any]:
    table = idempotency_keys
    return select(table.c.key, table.c.fingerprint, table.c.answer).where(
        table.c.org_id == work.org_id,
        table.c.key == any_(literal(list(used_keys), ARRAY(Text()))),
    )


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
