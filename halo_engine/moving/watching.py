"""The triggers of a move, which note each row that is written, and refuse it after the switch.

They are on the tables while a move is under way, and fire for its organisation alone. Making one
waits for the writers of its table, and all later writers wait behind it: so it waits for an
instant, and tries again.
"""

import random
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Select, Table, TextClause, func, select, text
from sqlalchemy.exc import DBAPIError

from halo_engine.database import sqlstate
from halo_engine.domain.errors import conflict
from halo_engine.moving.places import Place
from halo_engine.series.locks import MOVE_LOCK, lock_key
from halo_engine.sql.statements import statement
from halo_engine.tables import OWNED, end_users, organizations

#: What is watched; the organisation's own row too, which is not noted but refused.
WATCHED: Final = (organizations, *OWNED)

_NO_LOCK: Final = "55P03"
_DEADLOCK: Final = "40P01"
#: How long a lock is waited for, in milliseconds, and how often.
_WAIT: Final = 100
_MOST_TRIES: Final = 60
#: At these tries a vacuum is waited for: PostgreSQL stops one of its own for which somebody has
#: waited for ``deadlock_timeout``. It may go on for hours; all writers wait meanwhile, so the wait
#: is long a few times only, and never longer than this in milliseconds.
_LONG_TRIES: Final = (8, 16, 32)
_LONGEST_WAIT: Final = 1_500
#: The pause between two tries grows from the first to the longest.
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0


def watch(place: Place, org_id: UUID) -> int:
    """Note the organisation's changes from now on; return how many tables are watched newly."""
    return _each(place, org_id, _create, there=False)


def stop_watching(place: Place, org_id: UUID) -> int:
    """Drop the triggers; return of how many tables."""
    return _each(place, org_id, _drop, there=True)


def _each(
    place: Place, org_id: UUID, act: Callable[[Connection, UUID, Table], None], *, there: bool
) -> int:
    with place.transaction() as connection:
        watched = set(connection.scalars(_find_watched(_name(org_id))))
    tables = [table for table in WATCHED if (table.name in watched) is there]
    for table in tables:
        _patiently(place, org_id, act, table)
    return len(tables)


def _patiently(
    place: Place, org_id: UUID, act: Callable[[Connection, UUID, Table], None], table: Table
) -> None:
    for turn in range(_MOST_TRIES):
        try:
            with place.transaction() as connection:
                wait_at_most(connection, f"{_wait(connection, table, turn)}ms")
                act(connection, org_id, table)
            return
        except DBAPIError as error:
            if sqlstate(error) not in (_NO_LOCK, _DEADLOCK):
                raise
        pause = min(_FIRST_PAUSE_SECONDS * 1.3**turn, _LONGEST_PAUSE_SECONDS)
        time.sleep(random.uniform(0.5, 1.0) * pause)
    raise conflict(
        "too_busy_to_move",
        f"Cell {place.name}: a transaction has kept the table {table.name} for minutes. Allowed is "
        "to run the command again once it has ended.",
    )


def _wait(connection: Connection, table: Table, turn: int) -> int:
    if turn not in _LONG_TRIES:
        return _WAIT
    patience = connection.scalar(_find_patience_of_vacuum(table))
    if patience is None or patience + _WAIT > _LONGEST_WAIT:
        return _WAIT
    return int(patience) + _WAIT


@statement("find_patience_of_vacuum", table=end_users)
def _find_patience_of_vacuum(table: Table) -> TextClause:
    """Return ``deadlock_timeout`` in milliseconds, if a vacuum has the table or a part of it."""
    return text(
        "SELECT CAST(setting AS integer) FROM pg_settings WHERE name = 'deadlock_timeout'"
        " AND EXISTS (SELECT FROM pg_locks WHERE granted AND mode = 'ShareUpdateExclusiveLock'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        f" AND (relation = CAST('{table.name}' AS regclass) OR relation IN"
        f" (SELECT inhrelid FROM pg_inherits WHERE inhparent = CAST('{table.name}' AS regclass))))"
    )


def wait_at_most(connection: Connection, span: str) -> None:
    """Bound how long later statements of this transaction wait for a lock."""
    connection.execute(_waiting_at_most(span))


@statement("wait_at_most", span="100ms")
def _waiting_at_most(span: str) -> Select[Any]:
    return select(func.set_config("lock_timeout", span, True))


def _create(connection: Connection, org_id: UUID, table: Table) -> None:
    connection.execute(_create_trigger(org_id, table, ("INSERT", "UPDATE")))
    connection.execute(_create_trigger(org_id, table, ("DELETE",)))


def _drop(connection: Connection, org_id: UUID, table: Table) -> None:
    for name in (_name(org_id), _name(org_id, deletes=True)):
        connection.execute(_drop_trigger(name, table))


def _name(org_id: UUID, *, deletes: bool = False) -> str:
    return f"moving_{org_id.hex}" + ("_deletes" if deletes else "")


@statement("find_watched", trigger="moving_1")
def _find_watched(trigger: str) -> TextClause:
    found = text(
        "SELECT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE tgname = :trigger AND relnamespace = CAST(current_schema() AS regnamespace)"
    )
    return found.bindparams(trigger=trigger)


@statement("create_trigger", table=end_users, on=("INSERT", "UPDATE"))
def _create_trigger(org_id: UUID, table: Table, on: tuple[str, ...]) -> TextClause:
    deletes = "DELETE" in on
    own = "id" if table is organizations else "org_id"
    version = "OLD" if deletes else "NEW"
    columns = [column.name for column in table.primary_key]
    given = [str(MOVE_LOCK), str(lock_key(org_id)), str(org_id), table.name, *columns]
    arguments = ", ".join(f"'{each}'" for each in given)
    return text(
        f"CREATE TRIGGER {_name(org_id, deletes=deletes)} AFTER {' OR '.join(on)} ON {table.name}"
        f" FOR EACH ROW WHEN ({version}.{own} = '{org_id}')"
        f" EXECUTE FUNCTION note_move({arguments})"
    )


@statement("drop_trigger", trigger="moving_1", table=end_users)
def _drop_trigger(trigger: str, table: Table) -> TextClause:
    return text(f"DROP TRIGGER IF EXISTS {trigger} ON {table.name}")
