"""A temporary schema for rehearsals: a run's own tables, which no worker touches.

On an installation's own tables its workers would handle the rehearsal too, on the real clock and
with real mail. So each run makes a schema on the same server, and drops it at the end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import (
    Connection,
    Engine,
    NullPool,
    Select,
    TextClause,
    column,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy import create_engine as create_plain_engine
from sqlalchemy.exc import ProgrammingError

from halo_engine import migrate
from halo_engine.database import create_engine, sqlstate
from halo_engine.settings import ConfigurationError
from halo_engine.sql.statements import as_sent, send_names, statement

_PREFIX: Final = "halo_rehearsal_"
_NOT_ALLOWED: Final = "42501"


@contextmanager
def temporary_schema(url: str) -> Iterator[str]:
    """Create a schema with all tables on the database at ``url``; yield its name, drop it after.

    It first drops the schemas of killed runs. Raises ConfigurationError if the user may not create
    one.
    """
    engine = create_plain_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    send_names(engine)
    # Held open: the lock says that this run is alive.
    with engine.connect() as connection:
        _clear_leftovers(connection)
        schema = f"{_PREFIX}{uuid4().hex}"
        connection.execute(_locking(schema))
        _create(connection, schema)
        try:
            migrate.upgrade(_inside(url, schema))
            yield schema
        finally:
            connection.execute(_dropping(schema))


def engine_in(url: str, schema: str) -> Engine:
    """Return an engine whose sessions see the tables of ``schema`` and no others."""
    engine = create_engine(url, application_name="halo-rehearsal")

    @event.listens_for(engine, "connect")
    def _enter(connection: Any, _record: Any) -> None:
        # A rehearsal need not survive a power cut.
        connection.execute(as_sent(_entering(schema)))
        connection.commit()

    return engine


@statement("enter_schema")
def _entering(schema: str) -> TextClause:
    return text(f"SET search_path = {schema}; SET synchronous_commit = off")


def _create(connection: Connection, schema: str) -> None:
    try:
        connection.execute(_creating(schema))
    except ProgrammingError as error:
        if sqlstate(error) != _NOT_ALLOWED:
            raise
        raise ConfigurationError(
            "HALO_DATABASE_URL: rehearsals make a schema of their own there, and this user may "
            "not; grant CREATE on the database, or unset it to use an embedded server"
        ) from None


def _clear_leftovers(connection: Connection) -> None:
    """Drop the schemas of dead runs: those whose lock nobody holds."""
    for schema in connection.scalars(_finding()).all():
        if connection.scalar(_trying_to_lock(schema)):
            connection.execute(_dropping(schema))
            connection.execute(_unlocking(schema))


@statement("find_schemas")
def _finding() -> Select[Any]:
    return (
        select(column("nspname"))
        .select_from(text("pg_namespace"))
        .where(func.starts_with(column("nspname"), _PREFIX))
    )


@statement("create_schema")
def _creating(schema: str) -> TextClause:
    return text(f"CREATE SCHEMA {schema}")


@statement("drop_schema")
def _dropping(schema: str) -> TextClause:
    return text(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@statement("lock_schema")
def _locking(schema: str) -> Select[Any]:
    return select(func.pg_advisory_lock(func.hashtext(schema)))


@statement("try_to_lock_schema")
def _trying_to_lock(schema: str) -> Select[Any]:
    return select(func.pg_try_advisory_lock(func.hashtext(schema)))


@statement("unlock_schema")
def _unlocking(schema: str) -> Select[Any]:
    return select(func.pg_advisory_unlock(func.hashtext(schema)))


def _inside(url: str, schema: str) -> str:
    """Return the URL with the schema as the only one that a migration sees."""
    entered = make_url(url).update_query_dict({"options": f"-c search_path={schema}"})
    return entered.render_as_string(hide_password=False)
