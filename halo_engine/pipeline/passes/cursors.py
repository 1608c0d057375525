"""What the cursor of a pass says: whether it is a narrow one, and what it has yet to look at.

A pass looks at *everybody*, for all series or for some, and then at the contacts that are *noted*
for it. Code that does not know narrow passes takes each for one over everybody.
"""

from collections.abc import Mapping
from typing import Any, Final

from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.signals import PART_OF, Signal, SignalKind

#: The pass is a narrow one: not everybody is looked at for every series.
NARROW: Final = "narrow"
#: The series for which everybody is looked at; without it, all.
SERIES: Final = "series"
#: Whether contacts are noted for the pass, and whether it has come to them.
NOTED: Final = "noted"
AT_NOTED: Final = "at_noted"
#: The zone in which a pass over everybody began to read dates.
ZONE: Final = "zone"

#: While a pass over everybody forgets what was noted, before it looks at anybody: up to which note.
FORGETS: Final = "forgets"
#: The pass has looked at all, and has yet to forget what was noted for it.
OVER: Final = "over"

_OF_PASSES: Final = (NARROW, SERIES, NOTED, AT_NOTED, ZONE, FORGETS, OVER)
#: Where the next page begins.
_POSITION: Final = ("created_at", "contact_id")


def begins(signal: Signal) -> bool:
    """Return whether a pass has yet to take what is noted, or to forget more of it: a copy for one
    series or one contact takes nothing.
    """
    cursor = signal.cursor or {}
    if signal.kind is not SignalKind.REEVALUATED or signal.series_id is not None:
        return False
    return PART_OF not in cursor and (ZONE not in cursor or forgets(signal))


def forgets(signal: Signal) -> bool:
    """Return whether a pass has to forget more before it looks at anybody; once it has, whatever is
    noted stays for the next.
    """
    cursor = signal.cursor or {}
    return FORGETS in cursor and not {AT_NOTED, *_POSITION} & cursor.keys()


def is_over(signal: Signal) -> bool:
    """Return whether a pass has looked at all."""
    return OVER in (signal.cursor or {})


def is_narrow(signal: Signal) -> bool:
    """Return whether a pass is a narrow one."""
    return NARROW in (signal.cursor or {})


def is_at_noted(signal: Signal) -> bool:
    """Return whether a pass has come to the contacts that are noted for it."""
    return AT_NOTED in (signal.cursor or {})


def looked_at(signal: Signal, running: RunningSeries) -> RunningSeries:
    """Return the series for which the next page of a pass is looked at."""
    cursor = signal.cursor or {}
    if AT_NOTED in cursor or SERIES not in cursor:
        return running
    ids = set(cursor[SERIES])
    return running.only([each.id for each in running.series if str(each.id) in ids])


def after_everybody(cursor: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the cursor with which a pass goes on to the noted contacts; None at its end."""
    if AT_NOTED in cursor or not cursor.get(NOTED):
        return None
    return {name: cursor[name] for name in _OF_PASSES if name in cursor} | {AT_NOTED: True}


def of_copy(cursor: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the cursor of a copy for one series: it is looked at for everybody, from the same
    place only if everybody before was looked at for it too.
    """
    if cursor is None:
        return None
    kept = {name: value for name, value in cursor.items() if name not in _OF_PASSES}
    if {NARROW, AT_NOTED} & cursor.keys():
        kept = {name: value for name, value in kept.items() if name not in _POSITION}
    return kept
