"""Real servers for the tests: embedded ones, or those that HALO_TEST_* name.

`HALO_TEST_DATABASE_URL` names a PostgreSQL whose user may create databases; each run makes its own
there and drops them. `HALO_TEST_BROKER_URL` names a Redis or Valkey database, which is emptied.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from halo_engine import database as halo_database
from halo_engine import migrate
from halo_engine.settings import Settings
from workers.connections import broker
from workers.stack.folders import throwaway_folder
from workers.stack.servers import Servers, running_servers

# What the developer's shell sets for a real installation must not reach a test.
for _name in [name for name in os.environ if name.startswith("HALO_")]:
    if not _name.startswith("HALO_TEST_"):
        del os.environ[_name]

_numbers = count(1)

#: Where the tests of a module share something costly, and so are run by one process.
_TOGETHER = ("tests/acceptance/", "tests/fuzz/", "tests/pipeline/test_plans.py", "tests/plans/")


class _EachAlone(LoadScopeScheduling):  # type: ignore[misc]
    """Every test goes to whichever process is free, but for those that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith(_TOGETHER) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _EachAlone:
    """Share the tests between the processes that `make test` starts."""
    return _EachAlone(config, log)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and a broker for the whole run; what a test needs are the fixtures below."""
    named = Settings(
        database_url=os.environ.get("HALO_TEST_DATABASE_URL"),
        broker_url=os.environ.get("HALO_TEST_BROKER_URL"),
    )
    with (
        throwaway_folder("test") as folder,
        running_servers(
            folder, database_url=named.database_url, broker_url=named.broker_url, durable=False
        ) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def administrate(servers: Servers) -> Iterator[Callable[[str], None]]:
    """Run a statement outside any transaction on the server: CREATE and DROP DATABASE."""
    engine = create_engine(servers.database_url, isolation_level="AUTOCOMMIT")

    def run(statement: str) -> None:
        with engine.connect() as connection:
            connection.execute(text(statement))

    yield run
    engine.dispose()


@pytest.fixture(scope="session")
def empty(servers: Servers) -> str:
    """How CREATE DATABASE makes an empty one, in a locale that the engine works with."""
    engine = create_engine(servers.database_url)
    with engine.connect() as connection:
        fits = migrate.lowers_letters(connection)
    engine.dispose()
    locale = "" if fits else " LOCALE_PROVIDER libc LOCALE 'C.UTF-8'"
    return f"TEMPLATE template0 ENCODING 'UTF8'{locale}"


@pytest.fixture(scope="session")
def template(servers: Servers, administrate: Callable[[str], None], empty: str) -> Iterator[str]:
    """The name of a migrated database to clone, which nobody may connect to."""
    with _database(servers, administrate, empty) as url:
        migrate.upgrade(url.render_as_string(hide_password=False))
        administrate(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
        yield str(url.database)


@pytest.fixture
def empty_database(
    servers: Servers, administrate: Callable[[str], None], empty: str
) -> Iterator[str]:
    """The URL of a new database without any table."""
    with _database(servers, administrate, empty) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def database(
    servers: Servers, administrate: Callable[[str], None], template: str
) -> Iterator[Engine]:
    """An engine on a new, migrated database of the test's own."""
    with _engine(servers, administrate, template) as engine:
        yield engine


@pytest.fixture(scope="module")
def new_database(
    servers: Servers, administrate: Callable[[str], None], template: str
) -> Iterator[Callable[[], Engine]]:
    """Make an engine on a new, migrated database, which lasts until the module's tests are over."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(_engine(servers, administrate, template))


@pytest.fixture(scope="session")
def shared_database(
    servers: Servers, administrate: Callable[[str], None], template: str
) -> Iterator[Engine]:
    """An engine on one migrated database, for tests that keep to an organisation of their own."""
    with _engine(servers, administrate, template) as engine:
        yield engine


@pytest.fixture
def broker_url(servers: Servers) -> str:
    """The URL of an empty broker."""
    broker(servers.broker_url).flushdb()
    return servers.broker_url


@contextmanager
def _engine(
    servers: Servers, administrate: Callable[[str], None], template: str
) -> Iterator[Engine]:
    with _database(servers, administrate, f"TEMPLATE {template}") as url:
        engine = halo_database.create_engine(
            url.render_as_string(hide_password=False), application_name="halo-test", pool_size=4
        )
        yield engine
        engine.dispose()


@contextmanager
def _database(servers: Servers, administrate: Callable[[str], None], options: str) -> Iterator[URL]:
    name = f"halo_test_{os.getpid()}_{next(_numbers)}"
    administrate(f"CREATE DATABASE {name} {options}")
    yield make_url(servers.database_url).set(database=name)
    administrate(f"DROP DATABASE {name} WITH (FORCE)")
