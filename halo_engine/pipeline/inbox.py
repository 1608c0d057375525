"""The queue of signals: read them in order of arrival, remove what was handled, park what failed
(§1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Delete,
    Executable,
    Insert,
    Select,
    Update,
    any_,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.series.signals import Signal, SignalKind
from halo_engine.enrollment.events import event_of_signal
from halo_engine.journey.parking import (
    LONGEST_PAUSE,
    MOST_TEXT,
    SHORTEST_PAUSE,
    UNPARKED,
    FailedAlone,
    parked,
)
from halo_engine.series.lifecycle import held_by_pause
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import signals
from halo_engine.work import Work

#: After so many halvings a signal has been tried alone ten times, and a page has one contact.
MOST_HALVINGS: Final = 20


def next_signals(
    work: Work, limit: int, *, beside_wide: bool, only: Sequence[int] | None = None
) -> list[Signal]:
    """Return the oldest waiting signals, at most ``limit``; their order does not matter within the
    batch.

    The batch ends before a contact's second signal and before a wide one; a wide one comes alone.
    After a batch that was too large it is halved (``note_too_much``). ``beside_wide`` skips wide
    ones that are under way, unless nothing else waits. ``only`` takes these signals, if they still
    wait. The caller holds the lock on signals (``series.locks``).
    """
    if only is not None:
        rows = _these_waiting().rows(
            work.connection, {"org_id": work.org_id, "signal_ids": list(only)}
        )
        return [_signal(row) for row in rows]
    asked = {"org_id": work.org_id, "limit": limit}
    rows = _waiting_beside_wide().rows(work.connection, asked) if beside_wide else []
    rows = rows or _waiting().rows(work.connection, asked)
    batch: list[Signal] = []
    contacts = set()
    room = max(limit >> rows[0]["attempts"], 1) if rows else 0
    for row in rows[:room]:
        signal = _signal(row)
        if signal.kind.is_wide:
            return batch or [signal]
        if signal.contact_id in contacts:
            return batch
        contacts.add(signal.contact_id)
        batch.append(signal)
    return batch


def _signal(row: Mapping[str, Any]) -> Signal:
    return Signal(
        id=row["id"],
        kind=SignalKind(row["kind"]),
        contact_id=row["end_user_id"],
        company_id=row["company_id"],
        series_id=row["automation_id"],
        changed=frozenset(row["changed"]),
        event_name=row["event_name"],
        happened_at=row["happened_at"],
        arrived_at=row["created_at"],
        cursor=row["cursor"],
        attempts=row["attempts"],
        event_id=row["event_id"],
    )


#: Conditions: the signals that wait, and those asked for by id.
_IS_WAITING: Final = (
    signals.c.org_id == parameter("org_id"),
    signals.c.parked_at.is_(None),
    ~held_by_pause(),
)
_IS_ASKED: Final = signals.c.id == any_(parameter("signal_ids"))


@prepared("read_waiting_signals")
def _waiting() -> Select[Any]:
    return _in_order(*_IS_WAITING).limit(parameter("limit"))


@prepared("read_waiting_signals_beside_wide")
def _waiting_beside_wide() -> Select[Any]:
    return _in_order(*_IS_WAITING, signals.c.cursor.is_(None)).limit(parameter("limit"))


@prepared("read_these_signals")
def _these_waiting() -> Select[Any]:
    return _in_order(*_IS_WAITING, _IS_ASKED)


def _in_order(*conditions: ColumnElement[bool]) -> Select[Any]:
    columns = [each for each in signals.c if each.name != "event_id"]
    return select(*columns, event_of_signal()).where(*conditions).order_by(signals.c.id)


@prepared("remove_signals")
def _removing() -> Delete:
    return delete(signals).where(signals.c.org_id == parameter("org_id"), _IS_ASKED)


def remove(work: Work, handled: Sequence[Signal]) -> None:
    """Delete handled signals, in the transaction that handled them."""
    given = {"org_id": work.org_id, "signal_ids": [signal.id for signal in handled]}
    _removing().rows(work.connection, given)


def keep_cursor(work: Work, signal: Signal, cursor: Mapping[str, object], *, quick: bool) -> None:
    """Store a wide signal's cursor, in the transaction that worked the page; after a ``quick`` page
    the next one may be twice as large, up to the usual size.
    """
    work.connection.execute(_keep_signal_cursor(work, signal, cursor, quick))


@statement("keep_signal_cursor", cursor={})
def _keep_signal_cursor(
    work: Work, signal: Signal, cursor: Mapping[str, object], quick: bool
) -> Update:
    attempts = max(signal.attempts - 1, 0) if quick else signal.attempts
    return update(signals).where(*_these(work, [signal])).values(cursor=cursor, attempts=attempts)


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
        .where(*_these(work, waiting))
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
        .where(*_these(work, waiting))
        .values(
            parked_at=work.now,
            error=error[:MOST_TEXT],
            failed_at=func.coalesce(signals.c.failed_at, work.now),
            retry_at=work.now + LONGEST_PAUSE,
        )
    )


def _these(work: Work, given: Sequence[Signal]) -> list[ColumnElement[bool]]:
    ids = literal([signal.id for signal in given], ARRAY(BigInteger()))
    return [signals.c.org_id == work.org_id, signals.c.id == any_(ids)]
