"""Parking what failed: out of the queue, for a while or until a person says so (contract §1, §5).

Signals and due rows are parked by one rule. A failure counts as a *try* where others came through;
where nothing does, only the moment is at fault. What has had ``TRIES`` over ``LEAST_TIME`` is *set
aside*: a person has to bring it back. Until then it is tried again by itself, after a pause as long
as it has been failing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    Table,
    case,
    func,
    literal,
    null,
    update,
)

from halo_engine.tables import automation_recipients
from halo_engine.tables.enrollments import IS_ACTIVE, IS_PENDING, IS_PROCESSING, NEVER
from halo_engine.work import Work

#: So often a thing has to fail where others come through, and over so long, to be set aside.
TRIES: Final = 5
LEAST_TIME: Final = timedelta(minutes=5)
#: The shortest and the longest pause before another try; a tick comes once a minute.
SHORTEST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=1)
#: What is kept of an error.
MOST_TEXT: Final = 2_000

_INSTANT: Final = DateTime(timezone=True)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that failed alone, and what it raised; ``counts`` where others came through."""

    id: int
    problem: str
    counts: bool


def pause_after(failing_for: timedelta) -> timedelta:
    """Return how long something waits that has been failing for so long."""
    return min(max(failing_for, SHORTEST_PAUSE), LONGEST_PAUSE)


def parked(table: Table, now: datetime, fault: Fault) -> dict[str, Any]:
    """Return what a row of ``table`` becomes that failed now (signals and recipients alike)."""
    columns = table.c
    first = func.coalesce(columns.failed_at, literal(now, _INSTANT))
    tries = columns.tries + literal(int(fault.counts), Integer())
    failing_for = literal(now, _INSTANT) - first
    pause = func.least(
        func.greatest(failing_for, literal(SHORTEST_PAUSE, Interval())),
        literal(LONGEST_PAUSE, Interval()),
    )
    is_over = (tries >= TRIES) & (failing_for >= literal(LEAST_TIME, Interval()))
    return {
        "parked_at": now,
        "error": fault.problem[:MOST_TEXT],
        "failed_at": first,
        "tries": tries,
        "retry_at": case((is_over, null()), else_=literal(now, _INSTANT) + pause),
    }


#: What puts a row into the queue again; how often it failed is still known.
UNPARKED: Final[dict[str, Any]] = dict.fromkeys(("parked_at", "error", "retry_at"))
#: What a signal or a row becomes that a person gives another chance.
FORGIVEN: Final[dict[str, Any]] = {**UNPARKED, "failed_at": None, "tries": 0}
#: The same of rows, with when they were due before they failed.
IN_THE_QUEUE: Final[dict[str, Any]] = {**UNPARKED, "was_due": None}
CAME_THROUGH: Final[dict[str, Any]] = {**FORGIVEN, "was_due": None}
DUE: Final = func.coalesce(automation_recipients.c.was_due, automation_recipients.c.scheduled_for)


def park_rows(work: Work, faults: Sequence[Fault]) -> None:
    """Park active rows that failed; they stay active for every guard.

    A pending one is due again at its ``retry_at``, one under way is taken up again then.
    """
    rows = automation_recipients
    for fault in faults:
        values = parked(rows, work.now, fault)
        again = func.coalesce(values["retry_at"], NEVER)
        # Leases run on the database's clock, whatever clock the business is on.
        leased = func.clock_timestamp() + (again - literal(work.now, _INSTANT))
        work.connection.execute(
            update(rows)
            .where(rows.c.org_id == work.org_id, rows.c.id == fault.id, IS_ACTIVE)
            .values(
                **values,
                was_due=DUE,
                scheduled_for=case((IS_PENDING, again), else_=rows.c.scheduled_for),
                lease_expires_at=case((IS_PROCESSING, leased), else_=rows.c.lease_expires_at),
            )
        )


def forgive_rows(work: Work, *which: ColumnElement[bool]) -> list[int]:
    """Put parked rows back into the queue, as due as they were; return their ids."""
    rows = automation_recipients
    back = work.connection.scalars(
        update(rows)
        .where(rows.c.org_id == work.org_id, rows.c.parked_at.is_not(None), IS_ACTIVE, *which)
        .values(
            **CAME_THROUGH,
            scheduled_for=DUE,
            lease_expires_at=case(
                (IS_PROCESSING, func.clock_timestamp()), else_=rows.c.lease_expires_at
            ),
        )
        .returning(rows.c.id)
    )
    return sorted(back)
