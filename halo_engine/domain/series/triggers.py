"""Which series a signal triggers (contract §2, §4).

A signal *tells* of topics, and a series *listens to* topics. The signal triggers the series if they
share a topic and the series is active in time. So ``domain.series.running`` looks series up by
topic.
"""

from collections.abc import Collection, Iterator
from typing import Final
from uuid import UUID

from halo_engine.domain.fields.catalogue import MEMBERSHIP_KEY
from halo_engine.domain.fields.filter_groups import filter_keys
from halo_engine.domain.reasons import ContactTypeChoice, EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.signals import EVERYTHING, Signal, SignalKind

#: What happened, and to which field, event or series.
Topic = tuple[SignalKind, str | UUID | None]

#: The prefix of event keys; as a topic: an event fired, whichever it is.
_EVENTS: Final = "event:"

#: Keys of changes that are no fields: list membership, suppression, events of a mail.
LIST_KEY: Final = "list"
SUPPRESSION_KEY: Final = "suppression"
MAIL_KEY: Final = "mail"


def topics_of(signal: Signal) -> Iterator[Topic]:
    """Yield the topics of ``signal``; a silent change has none."""
    match signal.kind:
        case SignalKind.SILENT:
            return
        case SignalKind.EVENT:
            yield SignalKind.EVENT, signal.event_name
            yield SignalKind.CHANGED, _EVENTS
        case SignalKind.ACTIVATED:
            yield SignalKind.ACTIVATED, signal.series_id
        case _:
            yield signal.kind, None
            for key in signal.changed:
                yield SignalKind.CHANGED, key


def listens_to(series: Series) -> Iterator[Topic]:
    """Yield the topics on which contacts may enter ``series`` (the table of contract §4)."""
    match series.entry_trigger:
        case EntryTrigger.MANUAL:
            yield SignalKind.ACTIVATED, series.id
        case EntryTrigger.USER_CREATED:
            yield SignalKind.CREATED, None
            if series.contact_type is ContactTypeChoice.USER:
                yield SignalKind.PROMOTED, None
        case EntryTrigger.EVENT:
            yield SignalKind.EVENT, series.settings.entry_event_name
        case EntryTrigger.SEGMENT_MATCH:
            yield SignalKind.ACTIVATED, series.id
            yield SignalKind.REEVALUATED, None
            for key in (*series.audience_keys, EVERYTHING):
                yield SignalKind.CHANGED, key
            if any(key.startswith(_EVENTS) for key in series.audience_keys):
                yield SignalKind.CHANGED, _EVENTS
            # A lead who becomes a user is new to the series, whatever its audience filters are.
            if series.contact_type is ContactTypeChoice.USER:
                yield SignalKind.PROMOTED, None


def may_bring_data(signal: Signal, series: Series) -> bool:
    """Return whether those who wait to enter ``series`` are judged again: after each change of them
    that is not silent (§23). An event changes what an audience sees that counts events.
    """
    match signal.kind:
        case SignalKind.SILENT | SignalKind.ACTIVATED | SignalKind.REEVALUATED:
            return False
        case SignalKind.EVENT:
            return any(key.startswith(_EVENTS) for key in series.audience_keys)
        case _:
            return True


def is_in_time(signal: Signal, series: Series) -> bool:
    """Return whether ``series`` was active at the instant that counts for its trigger (§4)."""
    match series.entry_trigger:
        case EntryTrigger.USER_CREATED:
            return series.was_active_at(signal.arrived_at)
        case EntryTrigger.EVENT:
            return series.was_active_at(signal.happened_at)
        case _:
            return series.is_active


def asked_beside(series: Series) -> Collection[str]:
    """Return the keys of changes that guards of a ``segment_match`` series ask about, and that
    trigger nothing: a contact whom such a guard refused enters at the next pass (contract §4).
    """
    keys = filter_keys(series.exit_filters) | {"email", SUPPRESSION_KEY}
    if any(key.startswith(_EVENTS) for key in keys):
        keys |= {_EVENTS}
    if series.settings.one_per_company:
        keys |= {MEMBERSHIP_KEY}
    return keys


def told_keys(signal: Signal) -> Collection[str]:
    """Return the keys of what changed: of an event that events did."""
    return {_EVENTS} if signal.kind is SignalKind.EVENT else signal.changed


def is_for_passes(signal: Signal) -> bool:
    """Return whether the change itself waits for the next pass: a silent one, and a new contact
    whose traits do not count as changed (contract §2). What became of a mail is asked by nobody.
    """
    if signal.kind is SignalKind.SILENT:
        return signal.changed != {MAIL_KEY}
    return signal.kind is SignalKind.CREATED and EVERYTHING not in signal.changed
