"""W20: forty organisations in one, two and four cells; and the others while one cell is frozen."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Any, Final
from uuid import UUID

import psutil

from benchmarks import sql
from benchmarks.ground import Ground, connected
from benchmarks.measuring import Side, alternate
from benchmarks.processes.cell_drivers import Driver, Order, running_driver
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from halo_engine import migrate
from halo_engine.database import create_engine
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.series.lifecycle import activate
from halo_engine.series.save import parse_definition, save_series
from halo_engine.work import OrgRef, Work
from workers.stack.children import Child
from workers.stack.folders import throwaway_folder
from workers.stack.postgres import start_postgres

ORGANIZATIONS: Final = 40
#: As many connections in every layout, shared out to its cells.
DRIVERS: Final = 4
LAYOUTS: Final = (1, 2, 4)

_SERIES: Final[dict[str, Any]] = {
    "entry_trigger": "user_created",
    "audience_type": "all",
    "steps": [
        {"key": "gate", "condition": {"type": "user_property", "value": "email contains @"}},
        {"key": "hi", "delay": "1d", "email": {"subject": "Hi", "body": "Hi"}},
    ],
}
_turns = count(1)


@dataclass(frozen=True)
class Layout:
    """Cells with the organisations shared out to them, and the processes that work in them."""

    servers: Sequence[Child]
    drivers: Sequence[Driver]
    calls: int

    def work(self, *, but: int | None = None) -> float:
        """Do the same work in every organisation, except in those of one cell; return the seconds
        that the slowest process took.
        """
        working = [each for each in self.drivers if each.cell != but]
        order = Order(next(_turns), self.calls)
        for each in working:
            each.begin(order)
        return max(each.seconds() for each in working)

    def share(self, of_all_but: int) -> float:
        """Do all work; return the seconds that those took who are not of that cell."""
        order = Order(next(_turns), self.calls)
        for each in self.drivers:
            each.begin(order)
        taken = [(each.cell, each.seconds()) for each in self.drivers]
        return max(seconds for cell, seconds in taken if cell != of_all_but)

    @contextmanager
    def frozen(self, cell: int) -> Iterator[None]:
        """Freeze the server of a cell meanwhile: it keeps its connections, and answers nothing."""
        server = psutil.Process(self.servers[cell].process.pid)
        stopped = [server, *server.children(recursive=True)]
        for each in stopped:
            each.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for each in reversed(stopped):
                each.send_signal(signal.SIGCONT)


@contextmanager
def _layout(cells: int, calls: int) -> Iterator[Layout]:
    """Run that many servers, each with its drivers on an equal share of the cores."""
    with ExitStack() as stack:
        servers, drivers = [], []
        for cell in range(cells):
            folder = stack.enter_context(throwaway_folder("bench-cell"))
            server, url = start_postgres(folder)
            stack.callback(server.stop)
            servers.append(server)
            cores = _cores(cell, cells)
            process = psutil.Process(server.process.pid)
            for each in (process, *process.children(recursive=True)):
                # A worker of autovacuum may have ended meanwhile.
                with suppress(psutil.NoSuchProcess):
                    each.cpu_affinity(cores)
            mine = _organizations(url, ORGANIZATIONS // cells)
            for lane in range(DRIVERS // cells):
                of_lane = mine[lane :: DRIVERS // cells]
                driver = running_driver(cell, url, of_lane, cores)
                drivers.append(stack.enter_context(driver))
        yield Layout(servers, drivers, calls)


def _cores(cell: int, cells: int) -> list[int]:
    """Return the cores of a cell: an equal share, one of several's if there are too few."""
    cores = sorted(os.sched_getaffinity(0))
    if cells > len(cores):
        return [cores[cell % len(cores)]]
    each = len(cores) // cells
    return cores[cell * each : (cell + 1) * each]


def _organizations(url: str, number: int) -> list[UUID]:
    """Make organisations with an active series in an empty database; return their ids."""
    migrate.upgrade(url)
    database = create_engine(url, application_name="halo-bench")
    engine = Engine(database, PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example")))
    with connected(url) as bare:
        for n in range(number):
            bare.execute(sql.ORGANIZATION, {"key": f"org-{n}"})
        found = [row[0] for row in bare.execute("SELECT id FROM organizations ORDER BY key")]
    for org_id in found:
        engine.perform(OrgRef(id=org_id), _activated)
    database.dispose()
    return found


def _activated(work: Work) -> None:
    save_series(work, "hello", parse_definition("hello", _SERIES))
    activate(work, "hello", "bench")


def benchmark(_ground: Ground, size: Size) -> Iterator[Row]:
    """Compare with one cell that has all the cores; then freeze one cell of several."""
    calls = size.calls // ORGANIZATIONS
    with ExitStack() as stack:
        layouts = [stack.enter_context(_layout(cells, calls)) for cells in LAYOUTS]
        taken = alternate([Side(lambda: None, each.work) for each in layouts], size.rounds)
        rate = [ORGANIZATIONS * calls / taken.seconds(n) for n in range(len(LAYOUTS))]
        for n, cells in enumerate(LAYOUTS[1:], 1):
            yield _row(
                what=f"ticks and identifies in {cells} cells",
                engine=rate[n],
                against=rate[0],
                compared_with="one cell",
                ratio=taken.ratio(0, n),
                target=Target(0.9, least=True),
            )
        for cells, layout in zip(LAYOUTS[1:], layouts[1:], strict=True):
            yield _with_one_frozen(cells, layout, calls, size.rounds)


def _with_one_frozen(cells: int, layout: Layout, calls: int, rounds: int) -> Row:
    """Compare what the others do while one cell is frozen with what they do beside it."""
    ratios, rates = [], []
    others = ORGANIZATIONS * (cells - 1) // cells * calls
    for _ in range(rounds):
        beside = layout.share(of_all_but=0)
        with layout.frozen(0):
            alone = layout.work(but=0)
        ratios.append(beside / alone)
        rates.append((others / alone, others / beside))
    return _row(
        what=f"the others of {cells} cells while one is frozen",
        engine=median(alone for alone, _ in rates),
        against=median(beside for _, beside in rates),
        compared_with="beside it",
        ratio=median(ratios),
        target=Target(0.95, least=True),
    )


def _row(**values: Any) -> Row:
    return Row(workload="W20", size=ORGANIZATIONS, of="organisations", unit="/s", **values)
