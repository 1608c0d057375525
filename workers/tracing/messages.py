"""The cause of a message in the broker, in its headers, as in those of HTTP requests."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .causes import MOST_JOINED, Cause, current, is_safe_id

#: The id of a request; a message may have several ids, with commas between them.
REQUEST_ID: Final = "X-Request-Id"
#: The span that leads to this one (W3C Trace Context).
TRACE_PARENT: Final = "traceparent"

_PARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def name_cause(headers: dict[str, Any], **_: object) -> None:
    """Add the current cause to a message's headers, unless they name one (signal
    `before_task_publish`).
    """
    for name, value in headers_of(current()).items():
        headers.setdefault(name, value)


def cause_in(headers: Mapping[str, Any]) -> Cause:
    """Return the cause that the headers of a message name, without ids that are unsafe in a log."""
    return Cause(
        tuple(filter(is_safe_id, _listed(headers.get(REQUEST_ID)))),
        tuple(filter(_PARENT.fullmatch, _listed(headers.get(TRACE_PARENT)))),
    )


def headers_of(cause: Cause) -> dict[str, str]:
    """Return the headers by which a message names its cause, as ``cause_in`` reads them.

    Of several spans none is named: ``traceparent`` has one.
    """
    headers = {}
    if cause.request_ids:
        headers[REQUEST_ID] = ",".join(cause.request_ids)
    if len(cause.spans) == 1:
        [headers[TRACE_PARENT]] = cause.spans
    return headers


def _listed(value: object) -> Sequence[str]:
    return value.split(",")[:MOST_JOINED] if isinstance(value, str) else ()
