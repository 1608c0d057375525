"""Signals: stored notes that something happened (contract §1, §2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID


class SignalKind(StrEnum):
    """What happened (contract §2, the last column of the doors' table).

    The first five concern one contact; the others are *wide*: a company's contacts, a series'
    audience, everybody.
    """

    CREATED = "created"
    PROMOTED = "promoted"
    CHANGED = "changed"
    SILENT = "silent"
    EVENT = "event"
    COMPANY_CHANGED = "company_changed"
    ACTIVATED = "activated"
    REEVALUATED = "reevaluated"

    @property
    def is_wide(self) -> bool:
        """Whether it is worked in pages of contacts."""
        return self in (
            SignalKind.COMPANY_CHANGED,
            SignalKind.ACTIVATED,
            SignalKind.REEVALUATED,
        )


#: Key in the cursor of a wide signal that is kept for one contact, which failed in its page.
PART_OF: Final = "contact"
#: In ``changed``: the whole contact is new, so all its traits count as changed.
EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class Signal:
    """One note: what happened to whom, when it happened, and when it arrived.

    ``changed`` holds the keys (``domain.fields``) of what changed, or EVERYTHING. It is empty at
    doors whose new contacts count as created only (contract §2). ``series_id`` is the series that
    was activated; in other kinds, the only series that the signal is kept for. ``cursor`` is the
    position of a wide signal. ``attempts`` counts how often its batch was too large; each time the
    next batch is half as large. ``event_id`` is that of the event; None if it is gone.
    """

    id: int
    kind: SignalKind
    contact_id: UUID | None
    company_id: UUID | None
    series_id: UUID | None
    changed: frozenset[str]
    event_name: str | None
    happened_at: datetime
    arrived_at: datetime
    cursor: Mapping[str, Any] | None
    attempts: int = 0
    event_id: int | None = None
