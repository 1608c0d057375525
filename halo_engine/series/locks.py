"""The series lock, between transactions that move contacts and those that change series (contract
§4, guard 1).

Enrolling, ending and advancing runs takes the organisation's lock *shared*; activating, pausing,
resuming, stopping and saving take it *exclusively*. PostgreSQL queues both fairly: a pause waits
for the batches under way, no newer batch overtakes it, and after its commit nobody is admitted. See
``docs/decisions/0004-locks.md``.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, Text, cast, func, select

from halo_engine.sql.parameters import parameter
from halo_engine.sql.planning import PLANNED_WITHOUT_VALUES
from halo_engine.sql.prepared import BoundStatement, prepared
from halo_engine.work import Work

#: The first key of the two-part advisory locks; one number for each purpose.
SERIES_LOCK = 1
DRAIN_LOCK = 2
ADDRESS_LOCK = 3
CALL_LOCK = 4
WAITING_LOCK = 5
ENTRY_LOCK = 6
SURGE_LOCK = 7
MAIL_LOCK = 8
DIRECTORY_LOCK = 9
ARRIVALS_LOCK = 13
MOVE_LOCK = 10
MOVER_LOCK = 11
KEY_LOCK = 12


def lock_key(org_id: UUID) -> int:
    """Return the second key: 31 bits of the random part of an id, an organisation's or a contact's;
    those that share it merely wait.
    """
    return org_id.int & 0x7FFFFFFF


@prepared("hold_series_still")
def _sharing() -> Select[Any]:
    return _held_by(func.pg_advisory_xact_lock_shared)


@prepared("lock_series_for_change")
def _excluding() -> Select[Any]:
    return _held_by(func.pg_advisory_xact_lock)


def _held_by(lock: Callable[..., Any]) -> Select[Any]:
    # The clock is read after the wait: PostgreSQL evaluates the FROM before the selected columns.
    return select(
        func.clock_timestamp().label("held_at"), PLANNED_WITHOUT_VALUES.label("planned")
    ).select_from(lock(SERIES_LOCK, parameter("lock_key")))


@prepared("lock_signals")
def _locking_signals() -> Select[Any]:
    held = func.pg_advisory_xact_lock(DRAIN_LOCK, parameter("lock_key"))
    return select(cast(held, Text).label("held"))


def hold_series_still(work: Work) -> Work:
    """Keep the organisation's series from changing until this transaction ends; return the work as
    of the instant at which the lock is held. Later statements use generic plans
    (``sql.planning.PLANNED_WITHOUT_VALUES``).

    With the instant before the wait, a contact could enter a series before its activation, or be
    sent mail in a window that has closed since.
    """
    [held] = holding_series_still(work.org_id).rows(work.connection)
    return _as_of(work, held["held_at"])


def holding_series_still(org_id: UUID) -> BoundStatement:
    """Return the same as a bound statement, to be sent first in a round trip."""
    return BoundStatement(_sharing(), {"lock_key": lock_key(org_id)})


def lock_series_for_change(work: Work) -> Work:
    """Wait until every transaction that moves contacts in the organisation's series has committed,
    block new ones until this transaction ends, and return the work as of now.

    A change happens when the lock is held. With the instant before the wait, an activation would
    miss contacts who came during the wait, and a period of a series could end before it began.
    """
    [held] = _excluding().rows(work.connection, {"lock_key": lock_key(work.org_id)})
    return _as_of(work, held["held_at"])


def _as_of(work: Work, instant: datetime) -> Work:
    """Return the work at ``instant`` of the database's clock, unless a caller gave another."""
    return replace(work, now=instant) if work.reads_clock else work


def lock_signals(connection: Connection, org_id: UUID) -> None:
    """Lock the organisation's signals: one transaction handles them at a time, since their order of
    arrival counts (§1).
    """
    _locking_signals().rows(connection, {"lock_key": lock_key(org_id)})
