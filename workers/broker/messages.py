"""Read the arguments of calls, with the types that Celery's JSON adds (dates, Decimals)."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

from kombu.serialization import register
from kombu.utils import json

_INT64: Final = 2**63


def read_every_message() -> None:
    """Make this process read arguments as JSON values, at any depth (contract §2).

    kombu writes a date as an object with ``__type__`` and ``__value__``. If the value fits the
    type, the object is read as an instant, a text or a number. Otherwise it stays as it is: traits
    come from browsers, so anybody may send such an object, and kombu would drop the whole message.
    """
    read = partial(json.loads, object_hook=_typed)
    register("json", json.dumps, read, "application/json", "utf-8")


def _typed(found: dict[str, Any]) -> Any:
    if found.keys() != {"__type__", "__value__"}:
        return found
    try:
        return _plain(json.object_hook(found))
    except Exception:  # noqa: BLE001 -- whatever a type makes of a value that is none of its own
        return found


def _plain(value: object) -> Any:
    """Return the JSON value with the same meaning.

    Bytes and naive datetimes, which are no instants, have none. They stay, and the doors refuse
    them.
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
    """Return the number as an int64 if it is one, else as a double."""
    if value.is_finite() and -_INT64 <= value < _INT64 and value == value.to_integral_value():
        return int(value)
    return float(value)
