"""Park what failed: take it out of the queue, for a while or until a person retries it (contract
§1, §5).

One rule holds for signals and due rows. A failure counts as a *try* only if others succeeded; if
nothing succeeds, the cause is general. After ``TRIES`` over at least ``LEAST_TIME`` it is *set
aside*, and only a person brings it back. Until then it is retried, each time after a pause as long
as it has been failing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Executable,
    Integer,
    Interval,
    Table,
    Update,
    case,
    func,
    literal,
    null,
    update,
)

from halo_engine.sql.statements import statement
from halo_engine.tables import automation_recipients
from halo_engine.tables.enrollments import DUE, IS_ACTIVE, IS_PENDING, IS_PROCESSING, NEVER
from halo_engine.work import Work

#: It is set aside after so many failures while others succeed, spread over at least so long.
TRIES: Final = 5
LEAST_TIME: Final = timedelta(minutes=5)
#: The shortest and the longest pause before another try; a tick comes once a minute.
SHORTEST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=1)
#: The most characters stored of an error.
MOST_TEXT: Final = 2_000

_INSTANT: Final = DateTime(timezone=True)


@dataclass(frozen=True, slots=True)
class FailedAlone:
    """A signal or row that failed alone, and its error; ``counts`` as a try if others succeeded."""

    id: int
    problem: str
    counts: bool


def pause_after(failing_for: timedelta) -> timedelta:
    """Return the pause before the next try, after failing for so long."""
    return min(max(failing_for, SHORTEST_PAUSE), LONGEST_PAUSE)


def parked(table: Table, now: datetime, fault: FailedAlone) -> dict[str, Any]:
    """Return the values of a row of ``table`` (signals or recipients) that failed now."""
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


#: Puts a row back into the queue; its tries still count.
UNPARKED: Final[dict[str, Any]] = dict.fromkeys(("parked_at", "error", "retry_at"))
#: The same for what a person retries: its tries are forgotten.
RESET: Final[dict[str, Any]] = {**UNPARKED, "failed_at": None, "tries": 0}
#: The same two for recipient rows, which also remember when they were due.
IN_THE_QUEUE: Final[dict[str, Any]] = {**UNPARKED, "was_due": None}
SUCCEEDED: Final[dict[str, Any]] = {**RESET, "was_due": None}


def park_rows(work: Work, faults: Sequence[FailedAlone]) -> None:
    """Park active rows that failed; they stay active for every guard.

    At ``retry_at`` a pending row is due again, and the lease of a leased one expires.
    """
    for fault in faults:
        work.connection.execute(_park_row(work, fault))


@statement("park_row")
def _park_row(work: Work, fault: FailedAlone) -> Update:
    rows = automation_recipients
    values = parked(rows, work.now, fault)
    again = func.coalesce(values["retry_at"], NEVER)
    # Leases always run on the database's clock.
    leased = func.clock_timestamp() + (again - literal(work.now, _INSTANT))
    return (
        update(rows)
        .where(rows.c.org_id == work.org_id, rows.c.id == fault.id, IS_ACTIVE)
        .values(
            **values,
            was_due=DUE,
            scheduled_for=case((IS_PENDING, again), else_=rows.c.scheduled_for),
            lease_expires_at=case((IS_PROCESSING, leased), else_=rows.c.lease_expires_at),
        )
    )


def unpark_rows(work: Work, *which: ColumnElement[bool]) -> list[int]:
    """Put parked rows back into the queue, due as before; return their ids."""
    back = work.connection.scalars(_unpark_rows(work, which))
    return sorted(back)


@statement("unpark_rows")
def _unpark_rows(work: Work, which: tuple[ColumnElement[bool], ...]) -> Executable:
    rows = automation_recipients
    return (
        update(rows)
        .where(rows.c.org_id == work.org_id, rows.c.parked_at.is_not(None), IS_ACTIVE, *which)
        .values(
            **SUCCEEDED,
            scheduled_for=DUE,
            lease_expires_at=case(
                (IS_PROCESSING, func.clock_timestamp()), else_=rows.c.lease_expires_at
            ),
        )
        .returning(rows.c.id)
    )
