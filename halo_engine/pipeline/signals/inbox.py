"""The inbox: read signals in order of arrival, remove what was handled (contract §1)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Delete,
    Select,
    Update,
    any_,
    delete,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.series.signals import Signal, SignalKind
from halo_engine.enrollment.events import event_of_signal
from halo_engine.series.lifecycle import held_by_pause
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import signals
from halo_engine.work import Work


def next_signals(
    work: Work, limit: int, *, beside_wide: bool, only: Sequence[int] | None = None
) -> list[Signal]:
    """Return the oldest waiting signals, at most ``limit``; their order does not matter within the
    batch.

    The batch ends before a contact's second signal and before a wide one; a wide one comes alone.
    After a batch that was too large it is halved (``parking.note_too_much``). ``beside_wide`` skips
    wide ones that are under way, unless nothing else waits. ``only`` takes these signals, if they
    still wait. The caller holds the lock on signals (``series.locks``).
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
    return (
        update(signals).where(*are_these(work, [signal])).values(cursor=cursor, attempts=attempts)
    )


def are_these(work: Work, given: Sequence[Signal]) -> list[ColumnElement[bool]]:
    """Return the conditions that hold for the given signals alone."""
    ids = literal([signal.id for signal in given], ARRAY(BigInteger()))
    return [signals.c.org_id == work.org_id, signals.c.id == any_(ids)]
