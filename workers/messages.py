"""How messages are read: what a call holds is a value, whatever it looks like."""

from functools import partial
from typing import Any

from kombu.serialization import register
from kombu.utils import json


def read_messages_as_values() -> None:
    """Have this process read JSON as values where kombu finds none of its own types in it.

    kombu writes a date as an object of ``__type__`` and ``__value__``, and cannot read a message
    with such an object that it did not write: the worker throws it away, and the call is lost.
    Traits come from browsers, so anybody may send one.
    """
    read = partial(json.loads, object_hook=_as_told)
    register("json", json.dumps, read, "application/json", "utf-8")


def _as_told(found: dict[str, Any]) -> Any:
    try:
        return json.object_hook(found)
    except Exception:  # noqa: BLE001 -- whatever a type makes of a value that is none of its own
        return found
