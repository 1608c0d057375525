"""The access log: a line for each request, written soon and cheaply (contract §12).

Its values are our own words and numbers, and a request id of safe characters: the route's template
for the path, and nothing of a query, a body, a header or an address. So it does not go through
``workers.logs.log``, which would take a tenth of the time of a call.
"""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

#: Written if no route was found, or no route has the method.
NONE: Final = "none"

_JSON: Final = (
    '{"timestamp":"%sZ","level":"info","event":"answered","method":"%s","route":"%s","status":%d,'
    '"seconds":%.6f,"request_id":"%s"}\n'
)
_TEXT: Final = "%sZ [info] answered method=%s route=%s status=%d seconds=%.6f request_id=%s\n"


class Answered(NamedTuple):
    """A request that was answered: the route's template, and how long it took."""

    method: str
    route: str
    status: int
    seconds: float
    request_id: str


def _to_standard_error(lines: str) -> None:
    sys.stderr.write(lines)
    sys.stderr.flush()


def access_log(
    log_format: str, write: Callable[[str], object] = _to_standard_error
) -> Callable[[Sequence[Answered]], None]:
    """Return what writes a line for each of the answers, as JSON or as text."""
    template = _JSON if log_format == "json" else _TEXT

    def note(answers: Sequence[Answered]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")[:23]
        write("".join([template % (at, *each) for each in answers]))

    return note
