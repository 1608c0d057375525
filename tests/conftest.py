"""Real servers for the tests: embedded ones, or those that HALO_TEST_* name.

`HALO_TEST_DATABASE_URL` names a PostgreSQL whose user may create databases; each run makes its own
there and drops them. `HALO_TEST_BROKER_URL` names a Redis or Valkey database, which is emptied.
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import URL, Engine, create_engine, make_url, text
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from halo_engine import database as halo_database
from halo_engine import migrate
from halo_engine.pipeline import drain, wide
from halo_engine.settings import Settings
from tests.platform.browsers import WHY_LEFT_OUT
from tests.sql.nameless import nameless
from tests.web.conftest import Web, running
from workers import connections
from workers.connections import broker
from workers.stack.folders import throwaway_folder
from workers.stack.servers import Servers, running_servers

# What the developer's shell sets for a real installation must not reach a test.
for _name in [name for name in os.environ if name.startswith("HALO_")]:
    if not _name.startswith("HALO_TEST_"):
        del os.environ[_name]

# Modules stay compiled, whatever the shell says: each process of the tests would compile ours anew,
# which is half of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_numbers = count(1)

# However long this machine stands still: a reply of the broker is waited for, a turn at signals is
# not over, and a page was quick. What a flow does would depend on it.
setattr(connections, "_BROKER_TIMEOUT_SECONDS", 120.0)  # noqa: B010 -- it is private
drain.TURN_SECONDS = wide.QUICK_SECONDS = inf

# What is judged is what comes of an input, never how long a busy machine takes to make it.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], parent=settings.default
)
settings.load_profile("suite")

#: How many objects are made between two searches for garbage, and how many of those between two
#: longer ones. With Python's own numbers a seventh of the time went into them.
_BETWEEN_SEARCHES = (10_000, 20, 20)

#: Folders whose modules share processes, or a browser, and so are run by one process.
_FOLDERS_TOGETHER = ("tests/acceptance/one_stack/", "tests/panel/")

#: Where the tests of a module share something costly, and so are run by one process.
_TOGETHER = (
    "tests/acceptance/",
    "tests/benchmarks/test_tools.py",
    "tests/cells/test_installation.py",
    "tests/fuzz/",
    "tests/pages/",
    "tests/plans/",
    "tests/sql/test_shown.py",
    "tests/tracing/test_site.py",
    "tests/webhooks/test_processes.py",
)

#: What takes longest, and begins first: at the end no process is left alone with it.
_LONG = (
    *_FOLDERS_TOGETHER,
    *_TOGETHER,
    "tests/cli/series/test_rehearsals.py",
    "tests/platform/test_command.py",
    "tests/properties/",
    "tests/races/",
    "tests/web/document/",
    "tests/web/test_hooks_killed.py",
    "tests/webhooks/test_two_workers.py",
    "tests/workers/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; the rest stays in its order."""
    items.sort(key=lambda item: not (item.nodeid.startswith(_LONG) or "/random/" in item.nodeid))


def pytest_collection_finish() -> None:
    """Search for garbage less often, and never among the collected tests: they stay to the end."""
    gc.freeze()
    gc.set_threshold(*_BETWEEN_SEARCHES)


class _EachAlone(LoadScopeScheduling):  # type: ignore[misc]
    """Every test goes to whichever process is free, but for those that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        for folder in _FOLDERS_TOGETHER:
            if nodeid.startswith(folder):
                return folder
        return nodeid.partition("::")[0] if nodeid.startswith(_TOGETHER) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _EachAlone:
    """Share the tests between the processes that `make test` starts."""
    return _EachAlone(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say it plainly if no browser tried the panel."""
    skipped = terminalreporter.stats.get("skipped", ())
    if any(WHY_LEFT_OUT in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(WHY_LEFT_OUT, yellow=True, bold=True)


@pytest.fixture(scope="session")
def nameless_statements() -> Iterator[list[str]]:
    """Statements that the product sent during the test without a declared name."""
    with nameless() as found:
        yield found


@pytest.fixture(autouse=True)
def _statements_have_names(nameless_statements: list[str]) -> Iterator[None]:
    """Fail a test in which the product sends a statement without a declared name (decision 34)."""
    nameless_statements.clear()
    yield
    assert nameless_statements == []


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


@pytest.fixture(scope="session")
def web(servers: Servers, administrate: Callable[[str], None], template: str) -> Iterator[Web]:
    """A web process on a database of its own, for tests that keep to organisations of their own."""
    with _engine(servers, administrate, template) as engine, running(servers, engine) as web:
        yield web


@pytest.fixture
def broker_url(servers: Servers) -> str:
    """The URL of an empty broker."""
    broker(servers.broker_url).flushdb()
    return servers.broker_url


def clone_of(template: str) -> str:
    """How CREATE DATABASE copies a database: its files as they are, in a third of the time."""
    return f"TEMPLATE {template} STRATEGY FILE_COPY"


@contextmanager
def _engine(
    servers: Servers, administrate: Callable[[str], None], template: str
) -> Iterator[Engine]:
    with _database(servers, administrate, clone_of(template)) as url:
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
