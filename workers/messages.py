"""How arguments of calls are read: what Celery writes beside JSON, and what looks like it."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

from kombu.serialization import register
from kombu.utils import json

_INT64: Final = 2**63


def read_every_message() -> None:
    """Have this process read arguments as JSON values, at any depth (contract §2).

    kombu writes a date as an object of ``__type__`` and ``__value__``. One that holds a value of
    that type is read as its instant, text or number. Any other stands as it is: kombu would throw
    the whole message away, and traits come from browsers, so anybody may send one.
    """
    read = partial(json.loads, object_hook=_as_told)
    register("json", json.dumps, read, "application/json", "utf-8")


def _as_told(found: dict[str, Any]) -> Any:
    if found.keys() != {"__type__", "__value__"}:
        return found
    try:
        return _plain(json.object_hook(found))
    except Exception:  # noqa: BLE001 -- whatever a type makes of a value that is none of its own
        return found


def _plain(value: object) -> Any:
    """Return the JSON value that says the same; what has none stays, for the doors to refuse.

    That is a naive datetime, which is no instant, and bytes.
    """
    match value:
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat()
        case datetime():
            return value
        case date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case Decimal():
            return _number(value)
    return value


def _number(value: Decimal) -> float:
    """Return it as an int64 where it is one, else as a double."""
    if value.is_finite() and -_INT64 <= value < _INT64 and value == value.to_integral_value():
        return int(value)
    return float(value)
