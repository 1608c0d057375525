"""The signals that wait: reading them in order of arrival, and removing what was handled (§1)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Uuid,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.signals import Signal, SignalKind
from halo_engine.prepared import Prepared
from halo_engine.series.lifecycle import held_by_pause
from halo_engine.series.locks import take_turn_at_signals
from halo_engine.tables import signals
from halo_engine.work import Work

#: After so many halvings a signal has been alone for ten, and a page is of one contact.
MOST_HALVINGS: Final = 20


def next_signals(work: Work, limit: int, *, beside_wide: bool) -> list[Signal]:
    """Return the oldest waiting signals, at most ``limit``, cut where order of arrival would
    matter.

    The batch ends before a contact's second signal and before a wide one; a wide one comes alone.
    What was too much for one go is halved (``note_too_much``). ``beside_wide`` passes over wide
    ones that are under way, unless nothing else waits. The caller has the turn at signals
    (``series.locks``).
    """
    asked = {"asked_org": work.org_id, "asked_limit": limit}
    rows = _WAITING_BESIDE_WIDE.rows(work.connection, asked) if beside_wide else []
    rows = rows or _WAITING.rows(work.connection, asked)
    batch: list[Signal] = []
    contacts = set()
    room = max(limit >> rows[0]["attempts"], 1) if rows else 0
    for row in rows[:room]:
        signal = Signal(
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
        if signal.kind.is_wide:
            return batch or [signal]
        if signal.contact_id in contacts:
            return batch
        contacts.add(signal.contact_id)
        batch.append(signal)
    return batch


def _waiting(*, beside_wide: bool) -> Prepared:
    waiting = [
        signals.c.org_id == bindparam("asked_org", type_=Uuid()),
        signals.c.parked_at.is_(None),
        ~held_by_pause(),
    ]
    if beside_wide:
        waiting.append(signals.c.cursor.is_(None))
    limit = bindparam("asked_limit", type_=Integer())
    return Prepared(select(signals).where(*waiting).order_by(signals.c.id).limit(limit))


#: Built once: every doorbell asks twice.
_WAITING: Final = _waiting(beside_wide=False)
_WAITING_BESIDE_WIDE: Final = _waiting(beside_wide=True)


_REMOVED: Final = Prepared(
    delete(signals).where(
        signals.c.org_id == bindparam("asked_org", type_=Uuid()),
        signals.c.id == any_(bindparam("asked_ids", type_=ARRAY(BigInteger()))),
    )
)


def remove(work: Work, handled: Sequence[Signal]) -> None:
    """Delete handled signals, in the transaction that handled them."""
    _REMOVED.rows(
        work.connection,
        {"asked_org": work.org_id, "asked_ids": [signal.id for signal in handled]},
    )


def keep_place(work: Work, signal: Signal, cursor: Mapping[str, object], *, quick: bool) -> None:
    """Note how far a wide signal has been worked, in the transaction that worked it; after a
    ``quick`` page the next one may be twice as large, up to its usual size.
    """
    attempts = max(signal.attempts - 1, 0) if quick else signal.attempts
    work.connection.execute(
        update(signals).where(*_these(work, [signal])).values(cursor=cursor, attempts=attempts)
    )


def note_too_much(work: Work, batch: Sequence[Signal], limit: int, problem: str) -> bool:
    """Note that ``batch``, of at most ``limit`` signals, or a page of the wide one that it is, was
    too much for one go: half of it is tried next. Return whether it was parked.

    Alone, and after ``MOST_HALVINGS``, a signal is parked. A wide one is under way from now on, so
    that others do not wait for its next try.
    """
    first = batch[0]
    halved = signals.c.attempts + 1
    values: dict[str, Any] = {"attempts": halved}
    if first.kind.is_wide:
        # As it stands: somebody else may have come further meanwhile.
        values["cursor"] = func.coalesce(signals.c.cursor, literal({}, signals.c.cursor.type))
    else:
        # A batch may have been smaller than it was allowed to be.
        values["attempts"] = func.greatest(halved, (limit // len(batch)).bit_length())
    if len(batch) == 1:
        parks = halved >= MOST_HALVINGS
        values["parked_at"] = case((parks, work.now))
        values["error"] = case((parks, problem[:2000]))
    noted = work.connection.execute(
        update(signals)
        .where(*_these(work, batch))
        .values(values)
        .returning(signals.c.parked_at.is_not(None))
    )
    return any(noted.scalars())


def park_next(work: Work, problem: str, *, beside_wide: bool) -> int | None:
    """Set aside the signal that would be handled next, and return its id: it fails alone, the rest
    goes on.
    """
    take_turn_at_signals(work.connection, work.org_id)
    batch = next_signals(work, 1, beside_wide=beside_wide)
    if not batch:
        return None
    work.connection.execute(
        update(signals)
        .where(*_these(work, batch))
        .values(parked_at=work.now, error=problem[:2000], attempts=signals.c.attempts + 1)
    )
    return batch[0].id


def _these(work: Work, given: Sequence[Signal]) -> list[ColumnElement[bool]]:
    ids = literal([signal.id for signal in given], ARRAY(BigInteger()))
    return [signals.c.org_id == work.org_id, signals.c.id == any_(ids)]
