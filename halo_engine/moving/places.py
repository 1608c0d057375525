"""The two databases of a move, and the locks that a mover holds in each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine, Select, Text, TextClause, cast, event, func, select, text
from sqlalchemy.exc import DBAPIError

from halo_engine.database import create_engine, sqlstate
from halo_engine.domain.errors import bad_input, conflict, shown
from halo_engine.series.locks import MOVER_LOCK, lock_key
from halo_engine.server_urls import one_line
from halo_engine.sql.statements import as_sent, statement

_NOT_ALLOWED: Final = "42501"


@dataclass(frozen=True)
class Place:
    """A database that an organisation leaves or goes to, by the name of its cell."""

    name: str
    database: Engine

    @contextmanager
    def transaction(self, *, as_replica: bool = False) -> Iterator[Connection]:
        """Open a transaction, and commit it at the end.

        With ``as_replica`` neither foreign keys nor triggers act: the rows come from a database
        where they did. Raises a 409 where the account may not do that.
        """
        with self.database.begin() as connection:
            if as_replica:
                self._act_as_replica(connection)
            yield connection

    @contextmanager
    def still(self) -> Iterator[Connection]:
        """Open a transaction in which every statement sees the same instant."""
        with self.database.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def _act_as_replica(self, connection: Connection) -> None:
        try:
            connection.execute(_acting_as_replica())
        except DBAPIError as error:
            if sqlstate(error) != _NOT_ALLOWED:
                raise
            raise conflict(
                "move_not_allowed",
                f"Cell {self.name}: its account may not set session_replication_role. Allowed is a "
                "superuser, or: GRANT SET ON PARAMETER session_replication_role TO the account.",
            ) from None


@statement("act_as_replica")
def _acting_as_replica() -> Select[Any]:
    return select(func.set_config("session_replication_role", "replica", True))


@contextmanager
def opened(name: str, url: str) -> Iterator[Place]:
    """Connect to a cell's database for a move: its statements may take as long as they need."""
    engine = create_engine(
        url, application_name="halo-move", statement_timeout_seconds=0, pool_size=6
    )
    event.listen(engine, "connect", _take_time)
    try:
        yield Place(name, engine)
    finally:
        engine.dispose()


def check_it_answers(place: Place, url: str, field: str) -> None:
    """Raise a 400 for ``field`` if the database at ``url`` does not answer."""
    try:
        with place.transaction():
            pass
    except DBAPIError as error:
        said = one_line(error.orig or error, url)
        problem = f"{shown(place.name)} does not answer: {said}; allowed is a database that does"
        raise bad_input(field, problem, "database_away") from None


def _take_time(connection: Any, _record: object) -> None:
    # A copy of the largest table leaves other transactions of the move idle.
    connection.execute(as_sent(_taking_time()))
    connection.commit()


@statement("take_time")
def _taking_time() -> TextClause:
    return text("SELECT set_config('idle_in_transaction_session_timeout', '0', false)")


@contextmanager
def one_mover(places: tuple[Place, ...], org_id: UUID, org_key: str) -> Iterator[None]:
    """Be the only mover of an organisation in these databases; raises a 409 if there is one."""
    if not places:
        yield
        return
    place, *rest = places
    with place.database.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        if not connection.scalar(_try_to_be_the_mover(lock_key(org_id))):
            raise conflict(
                "move_under_way",
                f"Organisation {org_key!r} is being moved, or its move taken back, at this moment. "
                "Allowed is one mover at a time.",
            )
        try:
            with one_mover(tuple(rest), org_id, org_key):
                yield
        finally:
            if not connection.invalidated:
                connection.execute(_stop_being_the_mover(lock_key(org_id)))


@statement("try_to_be_mover")
def _try_to_be_the_mover(lock_key: int) -> Select[Any]:
    return select(func.pg_try_advisory_lock(MOVER_LOCK, lock_key))


@statement("stop_being_mover")
def _stop_being_the_mover(lock_key: int) -> Select[Any]:
    return select(cast(func.pg_advisory_unlock(MOVER_LOCK, lock_key), Text))
