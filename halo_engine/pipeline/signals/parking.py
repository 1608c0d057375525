"""What becomes of signals that were not handled: halved batches, parked signals, copies (§1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Executable,
    Insert,
    Update,
    case,
    func,
    insert,
    literal,
    update,
)

from halo_engine.domain.series.signals import Signal
from halo_engine.journey.parking import (
    LONGEST_PAUSE,
    MOST_TEXT,
    SHORTEST_PAUSE,
    UNPARKED,
    FailedAlone,
    parked,
)
from halo_engine.pipeline.signals.inbox import are_these
from halo_engine.sql.statements import statement
from halo_engine.tables import signals
from halo_engine.work import Work

#: After so many halvings a signal has been tried alone ten times, and a page has one contact.
MOST_HALVINGS: Final = 20


def note_too_much(work: Work, batch: Sequence[Signal], limit: int, problem: str) -> bool:
    """Note that ``batch`` (at most ``limit`` signals, or a page of a wide one) was too large: the
    next try takes half. Return whether it was parked.

    A signal that is alone is parked after ``MOST_HALVINGS``. A wide one counts as under way from
    now on, so that others do not wait for its next try.
    """
    noted = work.connection.execute(_halve_signals(work, batch, limit, problem))
    return any(noted.scalars())


@statement("halve_signals")
def _halve_signals(work: Work, waiting: Sequence[Signal], limit: int, error: str) -> Executable:
    first = waiting[0]
    halved = signals.c.attempts + 1
    values: dict[str, Any] = {"attempts": halved}
    if first.kind.is_wide:
        # Keep the stored cursor: another worker may have moved it on meanwhile.
        values["cursor"] = func.coalesce(signals.c.cursor, literal({}, signals.c.cursor.type))
    else:
        # The waiting may have been smaller than its limit: halve what it really had.
        values["attempts"] = func.greatest(halved, (limit // len(waiting)).bit_length())
    if len(waiting) == 1:
        parks = halved >= MOST_HALVINGS
        values["parked_at"] = case((parks, work.now))
        values["error"] = case((parks, error[:MOST_TEXT]))
    return (
        update(signals)
        .where(*are_these(work, waiting))
        .values(values)
        .returning(signals.c.parked_at.is_not(None))
    )


def park_signal(work: Work, fault: FailedAlone) -> None:
    """Park a signal that failed alone, so that the rest of the queue goes on."""
    work.connection.execute(_parking(work, fault))


@statement("park_signal")
def _parking(work: Work, fault: FailedAlone) -> Update:
    return (
        update(signals)
        .where(signals.c.org_id == work.org_id, signals.c.id == fault.id)
        .values(parked(signals, work.now, fault))
    )


def unpark_signals(
    work: Work, *which: ColumnElement[bool], values: Mapping[str, Any] = UNPARKED
) -> list[int]:
    """Put parked signals back at their place in the queue; return their ids."""
    back = work.connection.scalars(_unparking(work, values, which))
    return sorted(back)


@statement("unpark_signals", values=UNPARKED)
def _unparking(
    work: Work, values: Mapping[str, Any], which: tuple[ColumnElement[bool], ...]
) -> Executable:
    return (
        update(signals)
        .where(signals.c.org_id == work.org_id, signals.c.parked_at.is_not(None), *which)
        .values(values)
        .returning(signals.c.id)
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy of a signal that waits for one series, while the others handled it: from which
    ``cursor``, why (``problem``), and how many ``tries`` that counts as.
    """

    signal: Signal
    series_id: UUID | None
    problem: str
    cursor: Mapping[str, object] | None = None
    tries: int = 0


def keep_for_later(work: Work, kept: Sequence[Kept]) -> None:
    """Insert the copies of signals, parked; a tick retries them."""
    if not kept:
        return
    rows = [
        {
            "org_id": work.org_id,
            "kind": each.signal.kind,
            "end_user_id": each.signal.contact_id,
            "company_id": each.signal.company_id,
            "automation_id": each.series_id,
            "changed": sorted(each.signal.changed),
            "event_name": each.signal.event_name,
            "event_id": each.signal.event_id,
            "happened_at": each.signal.happened_at,
            "created_at": each.signal.arrived_at,
            "cursor": each.cursor,
            "parked_at": work.now,
            "error": each.problem[:MOST_TEXT],
            "failed_at": work.now,
            "tries": each.tries,
            "retry_at": work.now + SHORTEST_PAUSE,
        }
        for each in kept
    ]
    work.connection.execute(_keeping(), rows)


@statement("keep_signals_for_later")
def _keeping() -> Insert:
    return insert(signals)


def put_off(work: Work, waiting: Sequence[Signal], problem: str) -> None:
    """Park signals of withheld series; it does not count as a try."""
    if not waiting:
        return
    work.connection.execute(_put_off_signals(work, waiting, problem))


@statement("put_off_signals")
def _put_off_signals(work: Work, waiting: Sequence[Signal], error: str) -> Update:
    return (
        update(signals)
        .where(*are_these(work, waiting))
        .values(
            parked_at=work.now,
            error=error[:MOST_TEXT],
            failed_at=func.coalesce(signals.c.failed_at, work.now),
            retry_at=work.now + LONGEST_PAUSE,
        )
    )
