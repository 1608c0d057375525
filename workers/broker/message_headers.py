"""The headers and properties of a message that Celery reads, and their allowed values."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

#: Names are written into log lines and the broker's keys, so they hold no blanks and line ends.
_NAME: Final = re.compile(r"[\x21-\x7e]{1,255}")


def is_name(value: object) -> bool:
    """Whether a value is a name: an id or a task's name, for example."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_name_or_none(value: object) -> bool:
    return value is None or is_name(value)


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and 0 <= value <= 2**31)


def _is_flag(value: object) -> bool:
    return value is None or isinstance(value, bool)


def _is_instant(value: object) -> bool:
    """Accept ISO 8601, but for the first and last years, with which one cannot calculate."""
    if value is None:
        return True
    try:
        return isinstance(value, str) and 1970 <= datetime.fromisoformat(value).year <= 9000
    except ValueError:
        return False


def _is_stamps(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _is_names_of_stamps(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(it, str) for it in value))


_Check = Callable[[object], bool]

#: The headers that Celery reads, each with the check of its value.
HEADERS: Final[Mapping[str, _Check]] = {
    "id": is_name,
    "task": is_name,
    "shadow": _is_name_or_none,
    "root_id": _is_name_or_none,
    "parent_id": _is_name_or_none,
    "group": _is_name_or_none,
    "group_index": _is_count,
    "retries": _is_count,
    "replaced_task_nesting": _is_count,
    "eta": _is_instant,
    "expires": _is_instant,
    "ignore_result": _is_flag,
    "argsrepr": _is_text,
    "kwargsrepr": _is_text,
    "origin": _is_text,
    "lang": _is_text,
    "stamps": _is_stamps,
    "stamped_headers": _is_names_of_stamps,
}
#: The same of a message's properties.
PROPERTIES: Final[Mapping[str, _Check]] = {
    "correlation_id": _is_name_or_none,
    "reply_to": _is_name_or_none,
    "priority": _is_count,
    "delivery_mode": _is_count,
}


def first_fault(found: Mapping[str, Any], allowed: Mapping[str, _Check], what: str) -> str | None:
    """Return what is wrong with the first value that is not allowed; None if all are allowed."""
    for name, is_right in allowed.items():
        if not is_right(found.get(name)):
            said = "is of another type or form than Celery's" if name in found else "is missing"
            return f"{what} {name}: {said}"
    return None
