"""The partitions of ``events``, one for each month of arrival: made ahead, dropped when all of a
month is older than it is kept (contract §24, decision 72).

What changes partitions needs locks that everybody's statements wait for. So each such transaction
is short, waits for its locks some milliseconds at most, and is tried again, if need be by the next
tick. Where no tick came for long, events gather in the default partition, which then becomes
the partition of its months.
"""

import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Connection,
    Engine,
    Executable,
    Select,
    TextClause,
    Uuid,
    case,
    cast,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.exc import OperationalError, ProgrammingError

from halo_engine.database import sqlstate
from halo_engine.domain.times.retention import History
from halo_engine.sql.metadata import INSTANT
from halo_engine.sql.statements import named, statement
from halo_engine.tables import events, histories

#: So far ahead months are made: long before anything arrives in them.
AHEAD: Final = timedelta(days=62)
#: No month is longer; a partition that is was made of several.
LONGEST_MONTH: Final = timedelta(days=31)
#: How long a lock is waited for, how often that is tried in a tick, and the pause between.
_WAIT_MILLISECONDS: Final = 10
_TRIES: Final = 10
_PAUSE_SECONDS: Final = 0.05
_LOCK_NOT_AVAILABLE: Final = "55P03"
#: The table is not there any more, or there already.
_DONE_ALREADY: Final = {"42P01", "42P07"}
_DEFAULT: Final = "events_default"
_LIKE: Final = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
#: What foreign keys of events refer to.
_LOCK_REFERRED: Final = "LOCK TABLE organizations, end_users IN"
_SAMPLE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BOUNDS: Final = re.compile(r"FOR VALUES FROM \((?P<lower>[^)]+)\) TO \('(?P<upper>[^)]+)'\)")


@dataclass(frozen=True, slots=True)
class Month:
    """A partition: what arrived from ``lower`` on, before ``upper``; of the first there is no
    ``lower``.
    """

    name: str
    lower: datetime | None
    upper: datetime

    @property
    def is_one(self) -> bool:
        """Whether it holds a month; the first one, and those made of several, hold more."""
        return self.lower is not None and self.upper - self.lower <= LONGEST_MONTH


def months_of(connection: Connection) -> list[Month]:
    """Return the partitions, the oldest first, without the default one."""
    found = []
    for name, bounds in connection.execute(_READ_MONTHS):
        # While it is dropped, a partition has no bounds.
        if match := _BOUNDS.fullmatch(bounds or ""):
            lower = None if match["lower"] == "MINVALUE" else _instant(match["lower"])
            found.append(Month(name, lower, _instant(match["upper"])))
    return sorted(found, key=lambda each: each.upper)


def _instant(bound: str) -> datetime:
    """Read a bound as PostgreSQL writes it in a session whose zone is UTC."""
    return datetime.fromisoformat(bound.strip("'")).astimezone(UTC)


_READ_MONTHS: Final = named(
    "read_months",
    text("""
    SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_inherits JOIN pg_class ON oid = inhrelid
    WHERE inhparent = CAST('events' AS regclass)
"""),
)


@dataclass(frozen=True, slots=True)
class Months:
    """The partitions of a database, as a tick tends them."""

    database: Engine

    def make_ahead(self, now: datetime) -> int:
        """Make the months that are to come; return how many partitions were made.

        What the default partition holds becomes a partition of its own before: what came while no
        tick did, or came with an organisation that was moved here and is from before all months.
        """
        with self.database.connect() as connection:
            months = months_of(connection)
            earliest, latest = connection.execute(_FIND_GATHERED).one()
        # All are dropped where no tick could make the next ones in time.
        first = months[0].lower if months else None
        last = months[-1].upper if months else _beginning_of_month(earliest or now)
        if earliest is not None and first is not None and earliest < first:
            return int(self._try(_keeping_earlier(first)))
        if latest is not None:
            return self._keep_gathered(last, month_after(max(now, latest) + AHEAD))
        made = 0
        while last < now + AHEAD:
            upper = month_after(last)
            if not self._try(_making(last, upper)):
                break
            made, last = made + 1, upper
        return made

    def drop(self, month: Month, complete_for: Collection[UUID]) -> bool:
        """Drop a month in which nothing is left that somebody keeps; return whether that was done.

        For the organisations ``complete_for`` events are complete from its end on.
        """
        noted = [_noting(sorted(complete_for), month.upper)] if complete_for else []
        return self._try(*noted, _dropping(month.name))

    def _keep_gathered(self, lower: datetime, upper: datetime) -> int:
        """Make the default partition that of the months in which no tick came, and a new one."""
        if not self._try(_bounding(lower, upper)):
            return 0
        with self.database.begin() as connection:
            connection.execute(_VALIDATE)
        return int(self._try(_keeping_gathered(lower, upper)))

    def _try(self, *changes: Executable) -> bool:
        """Run changes in a transaction that waits for no lock; return whether that was done."""
        for turn in range(_TRIES):
            if turn:
                time.sleep(_PAUSE_SECONDS)
            try:
                with self.database.begin() as connection:
                    if not connection.scalar(_hold_months(_WAIT_MILLISECONDS)):
                        return False
                    for change in changes:
                        connection.execute(change)
            except OperationalError as error:
                if sqlstate(error) != _LOCK_NOT_AVAILABLE:
                    raise
            except ProgrammingError as error:
                # Another tick did it.
                if sqlstate(error) not in _DONE_ALREADY:
                    raise
                return False
            else:
                return True
        return False


def month_after(instant: datetime) -> datetime:
    """Return the beginning of the next month, in UTC."""
    return _beginning_of_month(_beginning_of_month(instant) + timedelta(days=32))


def _beginning_of_month(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def organizations_in(connection: Connection, month: Month, org_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the organisations that have an event in the month."""
    return set(connection.scalars(_find_orgs_in_month(org_ids, month.lower, month.upper)))


_FIND_GATHERED: Final = named(
    "find_gathered_events", text(f"SELECT min(created_at), max(created_at) FROM {_DEFAULT}")
)
_VALIDATE: Final = named(
    "validate_gathered_events",
    text(f"SET LOCAL statement_timeout = 0; ALTER TABLE {_DEFAULT} VALIDATE CONSTRAINT gathered"),
)


@statement("hold_months", milliseconds=10)
def _hold_months(milliseconds: int) -> Select[Any]:
    """Keep two ticks apart, and wait for locks so long at most."""
    held = func.pg_try_advisory_xact_lock(func.hashtext("events"))
    return select(held, func.set_config("lock_timeout", f"{milliseconds}ms", True))


@statement("find_orgs_in_month", org_ids=[], lower=None, upper=_SAMPLE)
def _find_orgs_in_month(
    org_ids: Sequence[UUID], lower: datetime | None, upper: datetime
) -> Select[Any]:
    org = func.unnest(literal(list(org_ids), ARRAY(Uuid()))).column_valued("holder")
    came = [events.c.created_at < upper]
    if lower is not None:
        came.append(events.c.created_at >= lower)
    some = select(events.c.id).where(events.c.org_id == org, *came)
    return select(org).where(some.exists())


@statement("make_month", lower=_SAMPLE, upper=_SAMPLE)
def _making(lower: datetime, upper: datetime) -> TextClause:
    """Make a partition; what its foreign keys refer to is locked as well, at once."""
    name = f"events_{lower:%Y_%m}"
    return text(f"""
        {_LOCK_REFERRED} SHARE ROW EXCLUSIVE MODE;
        CREATE TABLE {name} (LIKE events {_LIKE});
        ALTER TABLE events ATTACH PARTITION {name} {_for_values(lower, upper)}
    """)


@statement("bound_gathered_events", lower=_SAMPLE, upper=_SAMPLE)
def _bounding(lower: datetime, upper: datetime) -> TextClause:
    """Promise that the default partition holds these months alone, which is validated apart."""
    return text(f"""
        ALTER TABLE {_DEFAULT} DROP CONSTRAINT IF EXISTS gathered;
        ALTER TABLE {_DEFAULT} ADD CONSTRAINT gathered
            CHECK (created_at >= '{lower}' AND created_at < '{upper}') NOT VALID
    """)


@statement("keep_gathered_events", lower=_SAMPLE, upper=_SAMPLE)
def _keeping_gathered(lower: datetime, upper: datetime) -> TextClause:
    """Make the default partition that of its months, and a new one."""
    name = f"events_{lower:%Y_%m}_on"
    return text(f"""
        {_LOCK_REFERRED} ACCESS EXCLUSIVE MODE;
        ALTER TABLE events DETACH PARTITION {_DEFAULT};
        ALTER TABLE {_DEFAULT} RENAME TO {name};
        ALTER TABLE events ATTACH PARTITION {name} {_for_values(lower, upper)};
        ALTER TABLE {name} DROP CONSTRAINT gathered;
        CREATE TABLE {_DEFAULT} (LIKE events {_LIKE});
        ALTER TABLE events ATTACH PARTITION {_DEFAULT} DEFAULT
    """)


@statement("keep_earlier_events", first=_SAMPLE)
def _keeping_earlier(first: datetime) -> TextClause:
    """Make what is from before the first month a partition of its own."""
    name = f"events_before_{first:%Y_%m}"
    return text(f"""
        {_LOCK_REFERRED} SHARE ROW EXCLUSIVE MODE;
        CREATE TABLE {name} (LIKE events {_LIKE});
        INSERT INTO {name} SELECT * FROM {_DEFAULT} WHERE created_at < '{first}';
        DELETE FROM {_DEFAULT} WHERE created_at < '{first}';
        ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM (MINVALUE) TO ('{first}')
    """)


@statement("drop_month", name="events_2026_01")
def _dropping(name: str) -> TextClause:
    return text(f"DROP TABLE {name}")


@statement("note_dropped_month", org_ids=[], since=_SAMPLE)
def _noting(org_ids: Sequence[UUID], since: datetime) -> Insert:
    """Note from when on the events of organisations are complete."""
    org = func.unnest(literal(list(org_ids), ARRAY(Uuid()))).column_valued("org_id")
    said = literal({History.EVENTS.value: since.isoformat()}, JSONB())
    noted = insert(histories).from_select(
        ["org_id", "next_at", "complete_since"],
        select(org, func.now(), said),
        include_defaults=False,
    )
    table = histories
    known = table.c.complete_since[History.EVENTS.value].astext
    later = case(
        (cast(known, INSTANT) > since, table.c.complete_since),
        else_=table.c.complete_since.op("||")(said),
    )
    return noted.on_conflict_do_update(
        index_elements=[table.c.org_id], set_={"complete_since": later}
    )


def _for_values(lower: datetime, upper: datetime) -> str:
    return f"FOR VALUES FROM ('{lower}') TO ('{upper}')"
