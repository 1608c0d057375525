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
    Integer,
    any_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.signals import Signal, SignalKind
from halo_engine.journey.parking import (
    LONGEST_PAUSE,
    MOST_TEXT,
    SHORTEST_PAUSE,
    UNPARKED,
    Fault,
    parked,
)
from halo_engine.prepared import Prepared
from halo_engine.series.lifecycle import held_by_pause
from halo_engine.tables import signals
from halo_engine.tables.metadata import OrganizationId
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
    wait. The caller has the turn at signals (``series.locks``).
    """
    if only is not None:
        rows = _THESE.rows(work.connection, {"asked_org": work.org_id, "asked_ids": list(only)})
        return [_signal(row) for row in rows]
    asked = {"asked_org": work.org_id, "asked_limit": limit}
    rows = _WAITING_BESIDE_WIDE.rows(work.connection, asked) if beside_wide else []
    rows = rows or _WAITING.rows(work.connection, asked)
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
    )


#: Conditions: the signals that wait, and those asked for by id.
_IS_WAITING: Final = (
    signals.c.org_id == bindparam("asked_org", type_=OrganizationId()),
    signals.c.parked_at.is_(None),
    ~held_by_pause(),
)
_IS_ASKED: Final = signals.c.id == any_(bindparam("asked_ids", type_=ARRAY(BigInteger())))


def _waiting(*narrowed: ColumnElement[bool]) -> Prepared:
    limit = bindparam("asked_limit", type_=Integer())
    waiting = select(signals).where(*_IS_WAITING, *narrowed)
    return Prepared(waiting.order_by(signals.c.id).limit(limit))


#: Built once: every doorbell asks twice.
_WAITING: Final = _waiting()
_WAITING_BESIDE_WIDE: Final = _waiting(signals.c.cursor.is_(None))
_THESE: Final = Prepared(select(signals).where(*_IS_WAITING, _IS_ASKED).order_by(signals.c.id))
_REMOVED: Final = Prepared(
    delete(signals).where(
        signals.c.org_id == bindparam("asked_org", type_=OrganizationId()), _IS_ASKED
    )
)


def remove(work: Work, handled: Sequence[Signal]) -> None:
    """Delete handled signals, in the transaction that handled them."""
    _REMOVED.rows(
        work.connection,
        {"asked_org": work.org_id, "asked_ids": [signal.id for signal in handled]},
    )


def keep_place(work: Work, signal: Signal, cursor: Mapping[str, object], *, quick: bool) -> None:
    """Store a wide signal's cursor, in the transaction that worked the page; after a ``quick`` page
    the next one may be twice as large, up to the usual size.
    """
    attempts = max(signal.attempts - 1, 0) if quick else signal.attempts
    work.connection.execute(
        update(signals).where(*_these(work, [signal])).values(cursor=cursor, attempts=attempts)
    )


def note_too_much(work: Work, batch: Sequence[Signal], limit: int, problem: str) -> bool:
    """Note that ``batch`` (at most ``limit`` signals, or a page of a wide one) was too large: the
    next try takes half. Return whether it was parked.

    A signal that is alone is parked after ``MOST_HALVINGS``. A wide one counts as under way from
    now on, so that others do not wait for its next try.
    """
    first = batch[0]
    halved = signals.c.attempts + 1
    values: dict[str, Any] = {"attempts": halved}
    if first.kind.is_wide:
        # Keep the stored cursor: another worker may have moved it on meanwhile.
        values["cursor"] = func.coalesce(signals.c.cursor, literal({}, signals.c.cursor.type))
    else:
        # The batch may have been smaller than its limit: halve what it really had.
        values["attempts"] = func.greatest(halved, (limit // len(batch)).bit_length())
    if len(batch) == 1:
        parks = halved >= MOST_HALVINGS
        values["parked_at"] = case((parks, work.now))
        values["error"] = case((parks, problem[:MOST_TEXT]))
    noted = work.connection.execute(
        update(signals)
        .where(*_these(work, batch))
        .values(values)
        .returning(signals.c.parked_at.is_not(None))
    )
    return any(noted.scalars())


def park_signal(work: Work, fault: Fault) -> None:
    """Park a signal that failed alone, so that the rest of the queue goes on."""
    work.connection.execute(
        update(signals)
        .where(signals.c.org_id == work.org_id, signals.c.id == fault.id)
        .values(parked(signals, work.now, fault))
    )


def unpark_signals(
    work: Work, *which: ColumnElement[bool], values: Mapping[str, Any] = UNPARKED
) -> list[int]:
    """Put parked signals back at their place in the queue; return their ids."""
    back = work.connection.scalars(
        update(signals)
        .where(signals.c.org_id == work.org_id, signals.c.parked_at.is_not(None), *which)
        .values(values)
        .returning(signals.c.id)
    )
    return sorted(back)


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
    work.connection.execute(insert(signals), rows)


def put_off(work: Work, waiting: Sequence[Signal], problem: str) -> None:
    """Park signals of series that stand aside; it does not count as a try."""
    if not waiting:
        return
    work.connection.execute(
        update(signals)
        .where(*_these(work, waiting))
        .values(
            parked_at=work.now,
            error=problem[:MOST_TEXT],
            failed_at=func.coalesce(signals.c.failed_at, work.now),
            retry_at=work.now + LONGEST_PAUSE,
        )
    )


def _these(work: Work, given: Sequence[Signal]) -> list[ColumnElement[bool]]:
    ids = literal([signal.id for signal in given], ARRAY(BigInteger()))
    return [signals.c.org_id == work.org_id, signals.c.id == any_(ids)]
