"""An installation of two cells as processes: a worker and a beat for each, one web process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, text

from halo_engine.cells.joining import add_cell
from halo_engine.settings import Settings
from tests.cells.conftest import url_of
from tests.cli.console import Console
from tests.web.conftest import Answer, Web
from workers.configuration import EngineApp, create_app
from workers.stack.children import Child
from workers.stack.folders import throwaway_folder
from workers.stack.processes import running_processes, stack_environment, start_web
from workers.stack.servers import Servers

PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Org:
    """An organisation, and the cell where it was made."""

    id: UUID
    key: str
    widget_key: str
    cell: str


@dataclass
class Installation:
    """What runs: the directory, the databases of the cells by name, their workers and beats.

    ``app`` calls tasks as an application does; ``halo`` is the command.
    """

    directory: Engine
    databases: dict[str, Engine]
    folder: Path
    app: EngineApp
    halo: Console
    web: Web
    processes: dict[str, tuple[Child, Child]] = field(default_factory=dict)

    def mails(self, cell: str) -> list[str]:
        """Return the mails that went out from a cell."""
        folder = self.folder / cell / "mail"
        return sorted(each.read_text() for each in folder.glob("*.eml"))

    def organization(self, cell: str, **options: str) -> Org:
        """Make an organisation in a cell, with a series that greets every new user."""
        key = f"org-{uuid4()}"
        given = [each for name, value in options.items() for each in (f"--{name}", value)]
        made = self.halo.json("org", "create", key, "--cell", cell, *given)
        return Org(UUID(made["id"]), key, made["widget_key"], cell)

    def greets(self, org: Org) -> None:
        """Give the organisation a series whose first mail goes out at once."""
        file = self.halo.file(f"{org.key}.yaml", _WELCOME)
        self.halo("series", "apply", file, "--org", org.key)
        self.halo("series", "activate", "welcome", "--org", org.key)

    def task(self, name: str, **fields: Any) -> Any:
        """Call a task as an application does, and return its answer."""
        return self.app.send_task(name, kwargs=fields).get(timeout=PATIENCE_SECONDS)

    def identify(self, org: Org, user: str, **more: Any) -> Answer:
        """Identify a user over HTTP."""
        return self.web.post("/api/sdk/users/identify", org.widget_key, {"user_id": user, **more})

    def users(self, cell: str, org: Org) -> list[str]:
        """Return the users of an organisation that a cell's database has."""
        asked = text("SELECT external_id FROM end_users WHERE org_id = :org ORDER BY id")
        with self.databases[cell].connect() as connection:
            return list(connection.scalars(asked, {"org": org.id}))


_WELCOME = """
    series:
      welcome:
        entry_trigger: user_created
        steps:
          - key: hello
            email: {subject: Hello, body: Hello there}
"""


def wait_until(holds: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition holds; fail naming it when it does not in two minutes."""
    ends = monotonic() + seconds
    while not holds():
        assert monotonic() < ends, f"not within {seconds:.0f} s: {what}"
        sleep(0.05)


@contextmanager
def running_cells(
    directory: Engine, databases: dict[str, Engine], broker_url: str, **settings: object
) -> Iterator[Installation]:
    """Run an installation with these databases as its cells, the first one in front."""
    with ExitStack() as stack:
        folder = stack.enter_context(throwaway_folder("cells"))
        with directory.begin() as connection:
            for name, database in databases.items():
                add_cell(connection, name, url_of(database))
        given = {"directory_url": url_of(directory), "tick_seconds": 1, **settings}
        processes = {}
        for name, database in databases.items():
            own = folder / name
            own.mkdir()
            environment = stack_environment(
                Servers(url_of(database), broker_url),
                cell=name,
                mail_folder=own / "mail",
                worker_concurrency=1,
                **given,
            )
            processes[name] = stack.enter_context(running_processes(own, environment, logs=own))
        first = next(iter(databases.values()))
        servers = Servers(url_of(first), broker_url)
        environment = stack_environment(servers, web_bind="127.0.0.1:0", **given)
        child, address = start_web(folder, environment, log=folder / "web.log")
        stack.callback(child.stop)
        app = create_app(Settings(broker_url=broker_url))
        halo = Console(first, broker_url, folder, HALO_DIRECTORY_URL=url_of(directory))
        web = Web(address, child, first, environment)
        yield Installation(directory, databases, folder, app, halo, web, processes)
