"""Calls that wait behind each other in the broker go as one set (contract §2, decision 36).

Messages that are taken together become one message of the task ``halo.gathered``. Its parts are
acknowledged, handed back and counted like single messages.
"""

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from celery.worker import state

from ..tracing.messages import cause_in, headers_of
from .deliveries import Delivery
from .envelopes import Envelope, Unreadable, read_envelope
from .scripts import GATHERED

TASK: Final = "halo.gathered"

#: Headers on which Celery itself acts: a call with one of them comes alone.
_NOT_PLAIN: Final = ("eta", "expires", "retries", "group", "stamps", "replaced_task_nesting")


def gathered(taken: Sequence[Delivery]) -> tuple[Envelope | None, int]:
    """Return a message that does the first calls together, and how many those are.

    If they are fewer than two, it returns None: the first message goes alone. A call is taken along
    unless it cannot be read, or asks for more than an answer: a callback, a delay, a limit.
    """
    calls: list[dict[str, Any]] = []
    for each in taken:
        call = _plain_call(each)
        if call is None:
            break
        calls.append(call)
    if len(calls) < 2:
        return None, 1
    return _message(calls), len(calls)


def _plain_call(taken: Delivery) -> dict[str, Any] | None:
    try:
        envelope = read_envelope(taken.raw)
    except Unreadable:
        return None
    headers = envelope["headers"]
    arguments, fields, embedded = json.loads(envelope["body"])
    is_plain = (
        headers["task"] in GATHERED
        and not arguments
        and not any((embedded or {}).values())
        and not any(headers.get(name) for name in _NOT_PLAIN)
        and headers["id"] not in state.revoked
    )
    if not is_plain:
        return None
    return {
        "task": headers["task"],
        "id": headers["id"],
        "tag": taken.tag,
        "fields": fields,
        "wants_answer": not headers.get("ignore_result"),
        "caused_by": headers_of(cause_in(headers)),
    }


def _message(calls: Sequence[dict[str, Any]]) -> Envelope:
    task_id = str(uuid4())
    following = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))
    return {
        "body": json.dumps([[], {"calls": calls}, following]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {
            "id": task_id,
            "task": TASK,
            "root_id": task_id,
            "lang": "py",
            "retries": 0,
            "ignore_result": True,
            "argsrepr": "()",
            "kwargsrepr": "{}",
        },
        "properties": {
            "correlation_id": task_id,
            "body_encoding": None,
            "delivery_info": {"exchange": "", "routing_key": ""},
        },
    }
