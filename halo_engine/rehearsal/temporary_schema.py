"""A temporary schema for rehearsals: a run's own tables, which no worker touches.

On an installation's own tables its workers would handle the rehearsal too, on the real clock and
with real mail. So each run makes a schema on the same server, and drops it at the end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, Engine, NullPool, event, func, make_url, select, text
from sqlalchemy import create_engine as create_plain_engine
from sqlalchemy.exc import ProgrammingError

from halo_engine import migrate
from halo_engine.database import create_engine, sqlstate
from halo_engine.settings import ConfigurationError

_PREFIX: Final = "halo_rehearsal_"
_NOT_ALLOWED: Final = "42501"


@contextmanager
def temporary_schema(url: str) -> Iterator[str]:
    """Create a schema with all tables on the database at ``url``; yield its name, drop it after.

    Drops first what killed runs left. Raises ConfigurationError where the user may not create one.
    """
    engine = create_plain_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    # Held open: the lock says that this run is alive.
    with engine.connect() as connection:
        _clear_leftovers(connection)
        schema = f"{_PREFIX}{uuid4().hex}"
        connection.execute(select(func.pg_advisory_lock(func.hashtext(schema))))
        _create(connection, schema)
        try:
            migrate.upgrade(_inside(url, schema))
            yield schema
        finally:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))


def engine_in(url: str, schema: str) -> Engine:
    """Return an engine whose sessions see the tables of ``schema`` and no others."""
    engine = create_engine(url, application_name="halo-rehearsal")

    @event.listens_for(engine, "connect")
    def _enter(connection: Any, _record: Any) -> None:
        # Nothing that is rehearsed has to survive a power cut.
        connection.execute(f"SET search_path = {schema}; SET synchronous_commit = off")
        connection.commit()

    return engine


def _create(connection: Connection, schema: str) -> None:
    try:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    except ProgrammingError as error:
        if sqlstate(error) != _NOT_ALLOWED:
            raise
        raise ConfigurationError(
            "HALO_DATABASE_URL: rehearsals make a schema of their own there, and this user may "
            "not; grant CREATE on the database, or unset it to use an embedded server"
        ) from None


def _clear_leftovers(connection: Connection) -> None:
    """Drop the schemas of dead runs: those whose lock nobody holds."""
    names = connection.scalars(
        text("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, :prefix)"),
        {"prefix": _PREFIX},
    ).all()
    for name in names:
        lock = func.hashtext(name)
        if connection.scalar(select(func.pg_try_advisory_lock(lock))):
            connection.execute(text(f"DROP SCHEMA IF EXISTS {name} CASCADE"))
            connection.execute(select(func.pg_advisory_unlock(lock)))


def _inside(url: str, schema: str) -> str:
    """Return the URL with the schema as the only one that a migration sees."""
    entered = make_url(url).update_query_dict({"options": f"-c search_path={schema}"})
    return entered.render_as_string(hide_password=False)
