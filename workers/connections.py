"""A worker process's connections: one engine, one broker client, made after the fork."""

from functools import cache
from urllib.parse import parse_qs, urlsplit

import redis
import sqlalchemy
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine, NullPool
from sqlalchemy.exc import DBAPIError

from halo_engine import migrate
from halo_engine.database import create_engine
from halo_engine.settings import load_settings
from halo_engine.sql.planning import Cursor

from .tracing.spans import tracer

_BROKER_TIMEOUT_SECONDS = 2.0
_PROBE_SECONDS = 3


@cache
def database() -> Engine:
    """This process's engine on HALO_DATABASE_URL; raises ConfigurationError when it is not set."""
    settings = load_settings()
    tracing = tracer()
    return create_engine(
        settings.required_database_url(),
        application_name="halo-worker",
        statement_timeout_seconds=settings.statement_timeout_seconds,
        cursor=tracing.cursor if tracing else Cursor,
    )


def database_answers() -> bool:
    """Return whether the database takes a new connection now, within a few seconds."""
    probe = sqlalchemy.create_engine(
        load_settings().required_database_url(),
        poolclass=NullPool,
        connect_args={"connect_timeout": _PROBE_SECONDS},
    )
    try:
        probe.connect().close()
    except DBAPIError:
        return False
    return True


def schema_is_current() -> bool:
    """Return whether the database is there and at the schema that this code expects."""
    try:
        current, head = migrate.current_and_head(load_settings().required_database_url())
    except DBAPIError:
        return False
    return current == head


@cache
def broker(url: str) -> redis.Redis:
    """This process's client of the broker at `url` (the settings' form, also `redis+socket:`).

    It gives up after two seconds: its callers have work that must not wait for the broker.
    """
    parts = urlsplit(url)
    if parts.scheme == "redis+socket":
        number = parse_qs(parts.query).get("virtual_host", ["0"])[0]
        url = f"unix://{parts.path}?db={number}"
    client: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=_BROKER_TIMEOUT_SECONDS,
        socket_connect_timeout=_BROKER_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        client_name="halo",
    )
    return client


def open_connections(**_: object) -> None:
    """Begin a worker process with connections of its own (signal `worker_process_init`)."""
    database.cache_clear()
    broker.cache_clear()
    database()


def close_connections(**_: object) -> None:
    """Close the connections when a worker process ends (signal `worker_process_shutdown`)."""
    database().dispose()
