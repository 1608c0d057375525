"""Opens an organisation's work: reads the organisation, or where it went, in a transaction."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Column, Connection, Engine, Select, exists, func, or_, select

from halo_engine.database import AtOnce, MovedAway, kept_connection, run_in_transaction
from halo_engine.domain.cell_names import is_cell_name
from halo_engine.domain.errors import not_found, unauthorized
from halo_engine.domain.series.happenings import Happening
from halo_engine.domain.times.frequency import parsed_caps
from halo_engine.domain.times.quiet_hours import parsed_quiet_hours
from halo_engine.domain.times.retention import parsed_keeps
from halo_engine.domain.values import is_storable_text
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import Rows, prepared
from halo_engine.sql.statements import statement
from halo_engine.sql.versions import row_version
from halo_engine.tables import installation, moves, organizations
from halo_engine.work import Organization, OrgRef, Work

_Result = TypeVar("_Result")

#: How many organisations a process caches.
_MOST_CACHED: Final = 10_000


@dataclass(frozen=True, slots=True)
class OrganizationTransactions:
    """Transactions on an organisation's database; ``clock`` gives the current instant, None stands
    for the database's. ``opened`` is told the organisation, as it was read.
    """

    database: Engine
    org: OrgRef
    clock: Callable[[], datetime] | None = None
    opened: Callable[[Organization], object] = lambda _: None

    @property
    def now(self) -> datetime | None:
        """The current instant, or None."""
        return self.clock() if self.clock else None

    def __call__(self, action: Callable[[Work], _Result]) -> _Result:
        """Run ``action`` in a transaction, and return what it returned."""

        def act(connection: Connection) -> _Result:
            work = open_work(connection, self.org, self.now)
            self.opened(work.org)
            return action(work)

        return run_in_transaction(self.database, act)

    def kept_connection(self) -> AbstractContextManager[AtOnce]:
        """Return a connection that is kept for short transactions."""
        return kept_connection(self.database)


def open_work(connection: Connection, ref: OrgRef, now: datetime | None) -> Work:
    """Read the organisation and, unless ``now`` is given, the database's clock, in one statement.

    A widget key that is being replaced takes a second statement. An unknown widget key is a 401,
    another unknown organisation a 404 (contract §2, §11).
    """
    column, name, value = _named_by(ref)
    rows: Rows = []
    if not isinstance(value, str) or is_storable_text(value):
        rows = _reading(column, name).rows(connection, {name: value})
        rows = rows or _read_once_more(connection, column, name, value)
    if not rows:
        if ref.widget_key is not None:
            raise unauthorized("unknown_widget_key", "This widget key names no organisation.")
        raise not_found("organisation", str(ref.key or ref.id))
    [row] = rows
    clock = row.pop("clock")
    row["quiet_hours"] = parsed_quiet_hours(row["quiet_hours"])
    row["frequency_caps"] = parsed_caps(row["frequency_caps"])
    row["keeps"] = parsed_keeps(row["keeps"])
    # A newer version may know more kinds.
    asked = row.pop("webhook_kinds")
    row["webhook_kinds"] = frozenset(kind for kind in Happening if kind in asked)
    row["announced_series"] = tuple(row["announced_series"])
    return Work(connection, Organization(**row), now or clock, reads_clock=now is None)


def _read_once_more(connection: Connection, column: str, name: str, value: object) -> Rows:
    """Read an organisation that was not found: by its widget key before, or that arrives just now.

    Raises MovedAway if it lives in another cell, or is not whole here yet.
    """
    if column == "widget_key":
        rows = _reading("old_widget_key", name).rows(connection, {name: value})
        if rows:
            return rows
    cell = _arriving_from(connection, column, value)
    rows = _reading(column, name).rows(connection, {name: value})
    if not rows and cell is not None:
        raise MovedAway(cell)
    return rows


def _arriving_from(connection: Connection, column: str, value: object) -> str | None:
    """Return the cell from which the organisation is on its way here; None if it is not, or if it
    comes from a restored database, where nobody works.

    Waits while it arrives at this moment: then it is found. Raises MovedAway if it has left.
    """
    row = connection.execute(_find_departure(column, value)).first()
    if row is not None and not is_cell_name(row.cell):
        return None
    if row is not None and row.state == "moved":
        raise MovedAway(row.cell)
    return row.cell if row is not None and row.state == "arriving" else None


@statement("find_departure", column="key", value="org-key")
def _find_departure(column: str, value: object) -> Select[Any]:
    named: dict[str, tuple[Column[Any], ...]] = {
        "id": (moves.c.org_id,),
        "key": (moves.c.org_key,),
        "widget_key": (moves.c.widget_key, moves.c.old_widget_key),
    }
    is_named = or_(*[each == value for each in named[column]])
    # The switch holds this row until the organisation's own is there.
    return select(moves.c.state, moves.c.cell).where(is_named).with_for_update(read=True)


class OrganizationCache:
    """The organisations that a process has read, by how their callers name them."""

    def __init__(self) -> None:
        self._cached: dict[OrgRef, Organization] = {}

    def get(self, ref: OrgRef) -> Organization | None:
        """Return an organisation as it was read last; it may have changed since."""
        return self._cached.get(ref)

    def keep(self, ref: OrgRef, org: Organization) -> None:
        """Cache an organisation; a full cache is emptied first."""
        if len(self._cached) >= _MOST_CACHED:
            self._cached.clear()
        self._cached[ref] = org

    def open_work(self, connection: Connection, ref: OrgRef, now: datetime | None) -> Work:
        """Open an organisation's work, with the fields that are known to be registered."""
        work = open_work(connection, ref, now)
        cached = self._cached.get(ref)
        if cached is not None and cached.id == work.org_id:
            work.org.known_fields.update(cached.known_fields)
        return work


def _named_by(ref: OrgRef) -> tuple[str, str, object]:
    """Return the column that names the organisation, the parameter, and its value."""
    if ref.id is not None:
        return "id", "org_id", ref.id
    if ref.key is not None:
        return "key", "org_key", ref.key
    return "widget_key", "widget_key", ref.widget_key


@prepared("read_org", column="id", name="org_id")
def _reading(column: str, name: str) -> Select[Any]:
    table = organizations
    columns = [table.c[name] for name in Organization.__slots__ if name in table.c]
    everywhere = exists().where(installation.c.sending_stopped_at.is_not(None))
    return select(
        *columns,
        row_version(table).label("version"),
        or_(table.c.sending_stopped_at.is_not(None), everywhere).label("sending_stopped"),
        func.clock_timestamp().label("clock"),
    ).where(table.c[column] == parameter(name))
