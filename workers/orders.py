"""Operators' tasks: their sending time, and when they expire (contract §2).

After a long wait an operator may no longer want a change. Whether a later call overtook it is
checked where the change is made (``halo_engine.series.orders``).
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from halo_engine.contacts.calls import Call, SentAt
from halo_engine.domain.errors import conflict, validated
from halo_engine.domain.times.instants import format_instant, parse_instant, parse_zone

from .broker.deliveries import first_delivered
from .engine_task import EngineTask

#: An order is refused if it comes later than this after it was sent.
EXPIRES_AFTER: Final = timedelta(minutes=10)

_UTC: Final = parse_zone("UTC")


class _Sent(Call):
    """The sending time, which every operator's task may carry besides its own fields."""

    sent_at: SentAt = None


def sending_time(request: Any, sent_at: str | None) -> str | None:
    """Return when a call was sent; None if that is unknown.

    ``sent_at`` is the call's own field. Without it, a redelivered message counts as sent when it
    was first delivered. ``request`` is the running task's.
    """
    if sent_at is not None:
        return sent_at
    first = first_delivered(request)
    return None if first is None else format_instant(first)


class OperatorTask(EngineTask):
    """An operator's task: ten minutes after it was sent it is refused (409 ``expired``)."""

    @property
    def sent_at(self) -> datetime | None:
        """When the running task was sent; None if that is unknown."""
        sent_at: datetime | None = getattr(self.request, "ordered_at", None)
        return sent_at

    def _arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take the sending time out of the arguments; raise a 409 if it is too long ago."""
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
