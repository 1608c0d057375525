"""Makes the application of an installation with cells."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, Protocol

import sqlalchemy

from halo_engine import migrate
from halo_engine.cells.asking import ask_each
from halo_engine.cells.directory import Cell
from halo_engine.cells.engine import CellEngine, Cells, each_rings, of_all
from halo_engine.cells.finding import Finder
from halo_engine.cells.known import KnownDirectory
from halo_engine.engine import Engine
from halo_engine.settings import ConfigurationError, Settings

from ...queue_names import all_queues
from ..app import Application
from ..bell import Bell
from ..endpoints.documentation import documentation_routes
from ..metrics.cells import CellNumbers
from ..panel.cookies import SessionCookie
from ..panel.origins import origin_of
from ..serving import Assemble, Broker, OwnRoutes, build, metrics_at, routes_of
from ..threads import Threads
from .dispatching import NOBODYS, Dispatcher

#: The most questions to servers under way at once, and in seconds how long one may take.
_ASKERS: Final = 16
_PATIENCE: Final = 15.0
#: In seconds: how long a cell may take to say whether it is ready.
_READY: Final = 0.5

MakeEngine = Callable[[Settings, Callable[[Any], object]], Engine]


class MakeBroker(Protocol):
    """Makes what a process sends to the workers of the settings' cell."""

    def __call__(self, own: Settings, names: Callable[[], Iterable[str]] = ..., /) -> Broker:
        """Return it; messages are counted in the queues of these names."""


def of_cells(settings: Settings, make_engine: MakeEngine, make_broker: MakeBroker) -> Assemble:
    """Return what makes the application; it serves cells that are added later, too.

    Raises ConfigurationError if the directory does not answer, or knows no cell.
    """
    directory = KnownDirectory.at(settings.required_directory_url())

    def assemble(url: str, stack: AsyncExitStack) -> Application:
        stack.callback(directory.read_on())
        if not directory.cells:
            why = directory.trouble or "it knows no cell; run `halo cells add`"
            raise ConfigurationError(f"HALO_DIRECTORY_URL: {why}")
        brokers: dict[str, Broker] = {}

        def make(cell: Cell) -> Engine:
            own = settings.of_cell(cell.name, cell.url)
            brokers[cell.name] = make_broker(own)
            bell = Bell(brokers[cell.name].ring)
            stack.callback(bell.close)
            return make_engine(own, bell.note)

        cells = Cells(Finder(directory), make)
        stack.callback(cells.close)

        def databases() -> Mapping[str, sqlalchemy.Engine]:
            return {name: cells.engine(name).database for name in cells.names()}

        front = make_broker(settings, lambda: all_queues(directory.cells))
        numbers = CellNumbers(databases, lambda: directory.trouble is None)
        metrics = metrics_at(settings, url, lambda: [*databases().values()], front, stack, numbers)

        def routes_in(cell: str) -> OwnRoutes:
            engine = of_all(cells) if cell == NOBODYS else _of_cell(cells, cell)
            send = front.send_task if cell == NOBODYS else brokers[cell].send_task
            return routes_of(settings, url, engine, send, metrics.counts.set_of, stack)

        threads = Threads(_ASKERS, settings.web_queue, _PATIENCE)
        stack.callback(threads.close)
        cookie = SessionCookie(origin_of(settings.public_url or url).is_secure)
        dispatcher = Dispatcher(cells.finder, threads, cookie, routes_in)
        return build(
            settings,
            [*metrics.routes(), *documentation_routes(), *dispatcher.routes()],
            metrics.counts.answers,
            dispatcher.shows_unknown,
            partial(_looks, databases, directory),
        )

    return assemble


def _of_cell(cells: Cells, cell: str) -> Engine:
    """Return the engine of a cell's application: each of its calls goes where it belongs."""
    own = cells.engine(cell)
    return CellEngine(
        own.database,
        own.post,
        ring=each_rings,
        interruptions=own.interruptions,
        call_rules=own.call_rules,
        cells=cells,
        home=cell,
    )


def _looks(
    databases: Callable[[], Mapping[str, sqlalchemy.Engine]], directory: KnownDirectory
) -> Mapping[str, Any] | None:
    """Return which cells answer, and whether the directory does; None if no cell does."""
    head = migrate.head_revision()

    def look(database: sqlalchemy.Engine) -> str:
        with database.connect() as connection:
            return "ok" if migrate.revision_of(connection) == head else "of another schema"

    asked = {name: partial(look, each) for name, each in databases().items()}
    found = {name: said or "away" for name, said in ask_each(asked, _READY).items()}
    if "ok" not in found.values():
        return None
    return {"cells": found, "directory": "ok" if directory.trouble is None else "away"}
