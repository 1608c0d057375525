"""The origin of a call: who calls, and how the call came in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Via(StrEnum):
    """How a call came in."""

    COMMAND = "command"
    TASK = "task"
    HTTP = "http"
    #: By a page of the panel.
    SESSION = "session"
    #: By the widget key, an ingest key or a mail's link: no operator called.
    APP = "app"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who calls, how the call came in, and when it was sent (None if that is unknown).

    Over HTTP, ``address`` is the caller's IP address and ``request_id`` the request's id.
    """

    by: str
    via: Via
    sent_at: datetime | None = None
    address: str | None = None
    request_id: str | None = None

    @property
    def is_operators(self) -> bool:
        """Whether an operator calls; what it changes is noted in the audit log."""
        return self.via is not Via.APP
