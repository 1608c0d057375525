"""Check settings, servers, schema and versions, and say what to do about each fault."""

import os
import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import redis
import sqlalchemy
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy import Connection, NullPool, Select, select, text
from sqlalchemy.exc import DBAPIError

from halo_engine import ZONE_DATA, migrate
from halo_engine.mail.composing.links import NO_UNSUBSCRIBE_URL
from halo_engine.mail.transports.transports import ServerDown
from halo_engine.server_urls import masked, one_line
from halo_engine.settings import ConfigurationError, Settings, load_settings
from halo_engine.sql.statements import named, send_names, statement
from halo_engine.tables import organizations

from ..configuration import create_app
from ..connections import broker
from ..mail import smtp_transport
from ..queue_names import CALLS_QUEUE
from .cells import examine_cells
from .findings import Finding
from .queues import astray, queues_in_use
from .zones import differing

_PATIENCE_SECONDS = 3
_VERSION: Final = named(
    "read_server_version",
    text("SELECT current_setting('server_version_num')::int, current_setting('server_version')"),
)
_ENCODING: Final = named("read_server_encoding", text("SELECT current_setting('server_encoding')"))
_OLDEST_POSTGRESQL = 15
_OLDEST_REDIS = (6, 2)
_MOST_ZONES = 20
_MOST_NAMED = 10


def examine() -> list[Finding]:
    """Check everything that an installation needs; a fault is a finding and raises nothing."""
    return list(_examine())


def _examine() -> Iterator[Finding]:
    yield Finding("Python", "ok", platform.python_version())
    yield Finding("Celery", "ok", version("celery"))
    yield from _unknown_settings()
    try:
        settings = load_settings()
    except ConfigurationError as error:
        yield Finding("settings", "wrong", str(error), "Correct the variable.")
        return
    if settings.directory_url is None or settings.database_url is not None:
        yield from _database(settings)
    if settings.directory_url is not None:
        yield from examine_cells(settings)
    yield from _broker(settings)
    yield from _mail(settings)
    yield _unsubscribe_url(settings.link_bases.unsubscribe)


def _unknown_settings() -> Iterator[Finding]:
    known = {f"HALO_{name.upper()}" for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith("HALO_") and not name.startswith("HALO_TEST_") and name not in known:
            near = get_close_matches(name, known, n=1)
            remedy = (
                f"Did you mean {near[0]}?" if near else f"Known are {', '.join(sorted(known))}."
            )
            yield Finding("settings", "note", f"{name} is no setting", remedy)


def _database(settings: Settings) -> Iterator[Finding]:
    url = settings.database_url
    if url is None:
        yield _missing("database", "HALO_DATABASE_URL")
        return
    engine = sqlalchemy.create_engine(
        url, poolclass=NullPool, connect_args={"connect_timeout": _PATIENCE_SECONDS}
    )
    send_names(engine)
    try:
        with engine.connect() as connection:
            yield Finding("database", "ok", masked(url))
            yield _postgresql(connection)
            yield from _characters(connection)
            yield _zones(connection)
            yield _schema(connection)
            yield from _verification(connection)
    except DBAPIError as error:
        remedy = "Start the server, or correct HALO_DATABASE_URL."
        said = f"{masked(url)}: {one_line(error.orig or error, url)}"
        yield Finding("database", "wrong", said, remedy)


def _postgresql(connection: Connection) -> Finding:
    found, shown = connection.execute(_VERSION).one()
    if found < _OLDEST_POSTGRESQL * 10_000:
        remedy = f"Use PostgreSQL {_OLDEST_POSTGRESQL} or later."
        return Finding("PostgreSQL", "wrong", f"{shown} is too old", remedy)
    return Finding("PostgreSQL", "ok", shown)


def _characters(connection: Connection) -> Iterator[Finding]:
    encoding = connection.scalar(_ENCODING)
    if encoding != "UTF8":
        remedy = "Create the database with ENCODING 'UTF8'."
        yield Finding("encoding", "wrong", f"the database's encoding is {encoding}", remedy)
    elif not migrate.lowers_letters(connection):
        yield Finding("locale", "wrong", migrate.LOWERS_OTHERWISE, migrate.WITH_A_LOCALE)


def _zones(connection: Connection) -> Finding:
    named = f"{ZONE_DATA.version} from {ZONE_DATA.whose}"
    found = differing(connection, datetime.now(UTC))
    if not found:
        return Finding("time zones", "ok", f"{named}; PostgreSQL says the same")
    some = ", ".join(found[:_MOST_ZONES]) + (", …" if len(found) > _MOST_ZONES else "")
    said = f"{named}; PostgreSQL's are others in {len(found)}: {some}"
    remedy = (
        "What is sent and shown goes by the first. Update the server's time zones before you read"
        " its tables in local time."
    )
    return Finding("time zones", "note", said, remedy)


def _schema(connection: Connection) -> Finding:
    current, head = migrate.revision_of(connection), migrate.head_revision()
    if current == head:
        return Finding("schema", "ok", f"at {head}")
    if current is None:
        return Finding("schema", "wrong", "the database is empty", "Run `halo migrate`.")
    if not migrate.knows(current):
        remedy = "Run the code that migrated it, or newer."
        return Finding("schema", "wrong", f"at {current}, unknown to this code ({head})", remedy)
    return Finding(
        "schema", "wrong", f"at {current}, this code needs {head}", "Run `halo migrate`."
    )


def _verification(connection: Connection) -> Iterator[Finding]:
    """Note the organisations for which anybody who knows the public widget key may write."""
    if migrate.revision_of(connection) != migrate.head_revision():
        return
    found = list(connection.scalars(_find_unverified(_MOST_NAMED + 1)))
    if not found:
        return
    named = ", ".join(found[:_MOST_NAMED]) + (", …" if len(found) > _MOST_NAMED else "")
    said = f"it is off for {named}: whoever knows the widget key may write as any user"
    remedy = "Run `halo org change KEY --identity-verification`, and sign your users' tokens."
    yield Finding("identity verification", "note", said, remedy)


@statement("find_unverified_orgs")
def _find_unverified(limit: int) -> Select[Any]:
    off = select(organizations.c.key).where(organizations.c.identity_secret.is_(None))
    return off.order_by(organizations.c.key).limit(limit)


def _broker(settings: Settings) -> Iterator[Finding]:
    url = settings.broker_url
    if url is None:
        yield _missing("broker", "HALO_BROKER_URL")
        return
    try:
        version_of_broker = _broker_version(broker(url).info("server"))
        yield Finding("broker", "ok", masked(url))
        yield version_of_broker
        yield from _astray(broker(url), queues_in_use(settings))
        yield _workers(settings)
    except (redis.RedisError, BrokerError, OSError, ValueError) as error:
        remedy = "Start the server, or correct HALO_BROKER_URL."
        yield Finding("broker", "wrong", f"{masked(url)}: {one_line(error, url)}", remedy)


def _broker_version(info: dict[str, str]) -> Finding:
    if "valkey_version" in info:
        return Finding("Valkey", "ok", info["valkey_version"])
    found = info["redis_version"]
    if tuple(int(part) for part in found.split(".")[:2]) < _OLDEST_REDIS:
        oldest = ".".join(map(str, _OLDEST_REDIS))
        return Finding("Redis", "wrong", f"{found} is too old", f"Use Redis {oldest} or later.")
    return Finding("Redis", "ok", found)


def _workers(settings: Settings) -> Finding:
    names = create_app(settings).control.inspect(timeout=1.0).ping() or {}
    if not names:
        remedy = "Run `halo up`, or the Procfile's processes."
        return Finding("workers", "wrong", "none answers: nothing is sent", remedy)
    return Finding("workers", "ok", ", ".join(sorted(names)))


def _astray(client: redis.Redis, names: Sequence[str]) -> Iterator[Finding]:
    for queue, number in astray(client, names).items():
        said = f"in the queue {queue}, where no worker of ours listens: {number}"
        remedy = (
            f"Run `halo calls move --from {queue}`; name the queue {CALLS_QUEUE} when you send."
        )
        yield Finding("calls", "wrong", said, remedy)


def _mail(settings: Settings) -> Iterator[Finding]:
    transport = smtp_transport(settings)
    if transport is None or settings.smtp_url is None:
        yield _mail_folder(settings.mail_folder)
        return
    yield Finding("mail", "ok", masked(settings.smtp_url))
    if "mail_from_address" not in settings.model_fields_set:
        said = f"mail comes from {settings.mail_from_address}, which is nobody's"
        yield Finding("mail", "note", said, "Set HALO_MAIL_FROM_ADDRESS.")
    try:
        yield Finding("SMTP", "ok", transport.check())
    except ServerDown as down:
        remedy = "Start the server, or correct HALO_SMTP_URL."
        yield Finding("SMTP", "wrong", down.reason, remedy)


def _mail_folder(folder: Path) -> Finding:
    nearest = folder.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Finding("mail folder", "ok", str(folder))
    remedy = "Set HALO_MAIL_FOLDER to a folder that can be written."
    return Finding("mail folder", "wrong", f"{folder} cannot be written", remedy)


def _unsubscribe_url(url: str) -> Finding:
    if url != NO_UNSUBSCRIBE_URL:
        return Finding("unsubscribe URL", "ok", url)
    said = f"marketing emails lead to {url}, where nobody is"
    remedy = "Set HALO_PUBLIC_URL to where people reach `halo web`, before you send any."
    return Finding("unsubscribe URL", "note", said, remedy)


def _missing(subject: str, variable: str) -> Finding:
    said = f"{variable} is not set, and no `halo up` of this project runs"
    return Finding(
        subject, "wrong", said, f"Set {variable}, or run `halo up` for embedded servers."
    )
