"""Signals, and which series each of them is a trigger for (contract §2, §4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from halo_engine.domain.reasons import ContactTypeChoice, EntryTrigger
from halo_engine.domain.series import Series


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


#: In ``changed``: all of the contact is new, and counts as changed traits.
EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class Signal:
    """One note: what happened to whom, when it happened, and when it arrived.

    ``changed`` holds the keys (``domain.fields``) of what changed, or EVERYTHING; a door whose new
    contacts count as created alone leaves it empty (contract §2). ``cursor`` is where a wide signal
    stands.
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


def triggers(signal: Signal, series: Series) -> bool:
    """Return whether ``signal`` brings its contact to the door of ``series`` (contract §4).

    "While the series is active" is judged by the instant at which it happened; ``segment_match`` by
    now, and only if the audience names what changed.
    """
    return may_trigger(signal, series) and is_in_time(signal, series)


def may_trigger(signal: Signal, series: Series) -> bool:
    """Return whether the kind of signal triggers ``series``, whenever it happened.

    Signals of one ``kind``, ``changed`` and ``event_name`` have one answer.
    """
    match series.entry_trigger:
        case EntryTrigger.MANUAL:
            return False
        case EntryTrigger.USER_CREATED:
            return _creates(signal, series)
        case EntryTrigger.EVENT:
            return (
                signal.kind is SignalKind.EVENT
                and signal.event_name == series.settings.entry_event_name
            )
        case EntryTrigger.SEGMENT_MATCH:
            return may_match_anew(signal, series)


def is_in_time(signal: Signal, series: Series) -> bool:
    """Return whether ``series`` is active at the instant by which its trigger judges that."""
    match series.entry_trigger:
        case EntryTrigger.USER_CREATED:
            return series.was_active_at(signal.arrived_at)
        case EntryTrigger.EVENT:
            return series.was_active_at(signal.happened_at)
        case _:
            return series.is_active


def _creates(signal: Signal, series: Series) -> bool:
    """A lead promoted to user counts as created for *Users only* series alone (contract §4)."""
    if signal.kind is SignalKind.PROMOTED:
        return series.contact_type is ContactTypeChoice.USER
    return signal.kind is SignalKind.CREATED


def may_match_anew(signal: Signal, series: Series) -> bool:
    """Return whether what happened can make the contact match the audience (contract §2)."""
    match signal.kind:
        case SignalKind.CREATED | SignalKind.CHANGED | SignalKind.PROMOTED:
            return EVERYTHING in signal.changed or not signal.changed.isdisjoint(
                series.audience_keys
            )
        case SignalKind.EVENT:
            return any(key.startswith("event:") for key in series.audience_keys)
        case _:
            return False
