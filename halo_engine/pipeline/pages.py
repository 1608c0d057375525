"""The pages of a wide signal: how large the next one is, where it begins, what it came to, and what
all of them share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from halo_engine.domain.series.decisions import Exit
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.signals import PART_OF, Signal, SignalKind
from halo_engine.enrollment.enroll import Admission
from halo_engine.enrollment.pages import ContactCursor, ContactRange, noted_contacts
from halo_engine.pipeline.passes.cursors import after_everybody, is_at_noted, of_copy
from halo_engine.pipeline.signals.parking import Kept, keep_for_later
from halo_engine.series.noting import note_series
from halo_engine.work import Work

#: The key of a cursor: the part of the contacts that the signal is about, after one place and up to
#: another (``signals.PART_OF`` also names a single contact).
PART: Final = "part"
#: The series for which the signal is worked no more, since they were withheld.
WITHOUT: Final = "without"
#: Whether a company's change has told the next pass: a page that failed has not.
TOLD: Final = "told"
_SHARED: Final = (PART, PART_OF, WITHOUT, TOLD)

#: The second half of a company's change: all exits come before any entry (contract §1).
ENTRIES: Final = {"phase": "entries"}


@dataclass(frozen=True, slots=True)
class Worked:
    """The result of a page: the next page's cursor, None after the last; the series that may be
    complete by now.
    """

    cursor: Mapping[str, object] | None
    touched: Sequence[Series] = ()
    exits: Sequence[Exit] = ()
    admissions: Sequence[Admission] = ()


def shared(cursor: Mapping[str, Any]) -> dict[str, object]:
    """Return the part of a cursor that all pages share."""
    return {name: cursor[name] for name in _SHARED if name in cursor}


def carried_on(work: Work, signal: Signal, running: RunningSeries) -> dict[str, object]:
    """Return the part of the cursor that all pages share; leave behind what the series need that
    are now withheld.
    """
    carried = shared(signal.cursor or {})
    if signal.series_id is None and (left_out := _leave_out(work, signal, running)):
        carried[WITHOUT] = left_out
    if signal.kind is SignalKind.COMPANY_CHANGED:
        carried[TOLD] = True
    return carried


def _leave_out(work: Work, signal: Signal, running: RunningSeries) -> list[str]:
    """Keep a copy of the signal, which begins at this page, for each series that is now withheld;
    return the series for which the signal is worked no more.

    A pass leaves a note of each withheld series, also of those that need no copy: what it took was
    noted for all of them, and a copy is not about whoever came after the pass began.
    """
    before: list[str] = (signal.cursor or {}).get(WITHOUT, [])
    new = {id_: each for id_, each in running.kept_for(signal) if str(id_) not in before}
    copied = of_copy(signal.cursor)
    keep_for_later(work, [Kept(signal, id_, each.problem, copied) for id_, each in new.items()])
    left = [*new]
    if signal.kind is SignalKind.REEVALUATED:
        left = [id_ for id_ in running.aside if str(id_) not in before]
        note_series(work, *left)
    return [*before, *map(str, left)]


def is_at_exits(signal: Signal) -> bool:
    """Return whether a company's change is in its first half."""
    is_at_entries = (signal.cursor or {}).get("phase") == ENTRIES["phase"]
    return signal.kind is SignalKind.COMPANY_CHANGED and not is_at_entries


def next_phase(signal: Signal) -> Mapping[str, object] | None:
    """Return the cursor with which a signal goes on after the last contact; None at its end."""
    return ENTRIES if is_at_exits(signal) else after_everybody(signal.cursor or {})


def share(signal: Signal, contacts: int) -> int:
    """Return the size of a page: ``contacts``, halved for each time that it was too large."""
    return max(contacts >> signal.attempts, 1)


def was_quick(signal: Signal) -> bool | None:
    """Return whether the page before was quick; None before the first. A page that was too large
    was not.
    """
    quick = (signal.cursor or {}).get("quick")
    return None if quick is None and not signal.attempts else bool(quick)


def rest_of(signal: Signal) -> ContactRange:
    """Return the contacts that are left for the signal: those that existed when it arrived, within
    its part if it has one.
    """
    cursor = signal.cursor or {}
    after, last = map(ContactCursor.of_cursor, cursor.get(PART, (None, None)))
    begins_after = ContactCursor.of_cursor(cursor) or after
    if is_at_noted(signal):
        return noted_contacts(begins_after, signal.id)
    # A copy of a pass may be about a contact that was noted for it, and created after it began.
    until = max(signal.arrived_at, last.created_at) if last else signal.arrived_at
    return ContactRange(begins_after, last, until, signal.company_id)


def entered(
    signal: Signal,
    page: ContactRange,
    touched: Sequence[Series],
    admissions: Sequence[Admission],
) -> Worked:
    """Return what a page came to in which contacts entered: after the last, which series it
    ``touched``.
    """
    if page.last is None or page.last == rest_of(signal).last:
        return Worked(None, touched, admissions=admissions)
    return Worked({**(signal.cursor or {}), **page.last.as_cursor()}, admissions=admissions)
