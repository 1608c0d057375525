"""How messages are read: none is thrown away for what a call holds."""

from functools import partial
from typing import Any

from kombu.serialization import register
from kombu.utils import json


def read_every_message() -> None:
    """Have this process read an object that only looks like one of kombu's types as it stands.

    kombu writes a date as an object of ``__type__`` and ``__value__``, and cannot read a message in
    which such an object holds no value of that type: the worker throws it away, and the call is
    lost. Traits come from browsers, so anybody may send one. One that does hold such a value is
    still read as that; the doors refuse what is not JSON by name.
    """
    read = partial(json.loads, object_hook=_as_told)
    register("json", json.dumps, read, "application/json", "utf-8")


def _as_told(found: dict[str, Any]) -> Any:
    try:
        return json.object_hook(found)
    except Exception:  # noqa: BLE001 -- whatever a type makes of a value that is none of its own
        return found
