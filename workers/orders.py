"""Operators' tasks: when each was sent, and when it expires (contract §2).

After a long wait an order may no longer be what its operator wants. Whether a later order overtook
it is judged where its change is made (``halo_engine.series.orders``).
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from halo_engine.contacts.calls import Call, SentAt
from halo_engine.domain.errors import conflict, validated
from halo_engine.domain.instants import format_instant, parse_instant, parse_zone
from workers.deliveries import first_delivered
from workers.engine_task import EngineTask

#: An order that comes later than this after it was sent is refused.
EXPIRES_AFTER: Final = timedelta(minutes=10)

_UTC: Final = parse_zone("UTC")


class _Sent(Call):
    """The field that every operator's task may carry besides its own: when it was sent."""

    sent_at: SentAt = None


def sending_time(request: Any, sent_at: str | None) -> str | None:
    """Return when a call was sent; None where that is unknown.

    ``sent_at`` is what the call says. Without it a redelivered message counts as sent when it was
    first delivered. ``request`` is the running task's.
    """
    if sent_at is not None:
        return sent_at
    first = first_delivered(request)
    return None if first is None else format_instant(first)


class OperatorTask(EngineTask):
    """An operator's task: ten minutes after it was sent it is refused (409 ``expired``)."""

    @property
    def sent_at(self) -> datetime | None:
        """When the running task was sent; None where that is unknown."""
        sent_at: datetime | None = getattr(self.request, "ordered_at", None)
        return sent_at

    def _arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take the sending time out of the arguments; raise a 409 where it is too long ago."""
        said = {"sent_at": given.pop("sent_at")} if "sent_at" in given else {}
        request: Any = self.request
        sent_at = sending_time(request, validated(_Sent, said, self.name).sent_at)
        request.ordered_at = None
        if sent_at is not None:
            now = datetime.now(UTC)
            sent = min(parse_instant(sent_at, _UTC, f"{self.name}.sent_at"), now)
            if now - sent > EXPIRES_AFTER:
                minutes = EXPIRES_AFTER // timedelta(minutes=1)
                problem = f"was sent at {format_instant(sent)} and came at {format_instant(now)}"
                allowed = f"allowed are {minutes} minutes; send it anew if it is still wanted"
                raise conflict("expired", f"{self.name}: {problem}; {allowed}")
            request.ordered_at = sent
        return given
