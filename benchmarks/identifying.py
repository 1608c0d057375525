"""W3: identify on four connections at once, half of the users new, half of them changed.

Each connection is a process of its own, as workers are: an engine in threads would wait for itself.
"""

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any
from uuid import UUID

import psutil
import psycopg

from benchmarks import sql
from benchmarks.ground import Crowd, Ground, connected
from benchmarks.measuring import Side, alternate
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from halo_engine.contacts.identify import IdentifyCall, identify, identifying
from halo_engine.database import create_engine
from halo_engine.delivery.message import Sender
from halo_engine.delivery.transports import MemoryTransport
from halo_engine.engine import Engine
from halo_engine.pipeline.due import PostOffice
from halo_engine.work import OrgRef

CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class _Order:
    """What one process is to do: so many calls, the ``turn``-th time, by the engine or bare."""

    bare: bool
    turn: int
    calls: int
    lane: int


@dataclass(frozen=True, slots=True)
class _Cost:
    """CPU seconds that a run took in the callers, and in the database's processes."""

    caller: float
    database: float


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare with the bare upsert by the same connections; CPU per call is shown beside it."""
    crowd = ground.crowd(size.crowds[-2], "identify")
    with _Lanes(crowd, size.calls // CONNECTIONS) as lanes:
        taken = alternate(
            [Side(lanes.prepare, lanes.engine), Side(lanes.prepare, lanes.floor)], size.rounds
        )
        calls = lanes.calls * CONNECTIONS
        ours, bare = lanes.per_call(bare=False), lanes.per_call(bare=True)
        yield Row(
            workload="W3",
            what=f"identify on {CONNECTIONS} connections",
            size=crowd.contacts,
            of="contacts",
            engine=calls / taken.seconds(0),
            against=calls / taken.seconds(1),
            compared_with="bare upsert",
            ratio=taken.ratio(1, 0),
            target=Target(0.8, least=True),
            unit="/s",
            note=f"CPU a call: {_shown(ours)}; bare {_shown(bare)}",
            details={"calls": calls, "rounds": taken.rounds},
        )
    ground.drop(crowd)


def _shown(cost: _Cost) -> str:
    return f"{cost.caller * 1e3:.2f} + {cost.database * 1e3:.2f} ms"


class _Lanes:
    """The processes, each with a connection by the engine and a bare one."""

    def __init__(self, crowd: Crowd, calls: int) -> None:
        self.calls = calls
        self._crowd = crowd
        self._turns = count(1)
        self._costs: dict[bool, list[_Cost]] = {False: [], True: []}
        self._processes: list[SpawnProcess] = []
        self._pipes: list[Connection[Any, Any]] = []

    def __enter__(self) -> "_Lanes":
        context = multiprocessing.get_context("spawn")
        for _ in range(CONNECTIONS):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_lane, args=(theirs, self._crowd.url, self._crowd.org_id), daemon=True
            )
            process.start()
            self._processes.append(process)
            self._pipes.append(ours)
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join()

    def prepare(self) -> None:
        """Remove the signals of the last run."""
        self._crowd.clear()
        self._crowd.rest("end_users")

    def engine(self) -> None:
        """Let every process make its calls by the engine."""
        self._run(bare=False)

    def floor(self) -> None:
        """Let every process make its calls by the bare statement."""
        self._run(bare=True)

    def per_call(self, *, bare: bool) -> _Cost:
        """Return what a call cost, over all counted runs."""
        costs = self._costs[bare][1:]
        calls = self.calls * CONNECTIONS * len(costs)
        return _Cost(
            sum(each.caller for each in costs) / calls, sum(each.database for each in costs) / calls
        )

    def _run(self, *, bare: bool) -> None:
        turn = next(self._turns)
        for lane, pipe in enumerate(self._pipes):
            pipe.send(_Order(bare, turn, self.calls, lane))
        costs = [pipe.recv() for pipe in self._pipes]
        self._costs[bare].append(
            _Cost(sum(each.caller for each in costs), sum(each.database for each in costs))
        )


def _lane(pipe: "Connection[Any, Any]", url: str, org_id: UUID) -> None:
    """Serve orders until there is none; the process of one connection."""
    database = create_engine(url, application_name="halo-bench", pool_size=1)
    engine = Engine(database, PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example")))
    bare = connected(url)
    asked = "SELECT pg_backend_pid() FROM organizations WHERE key = 'bench'"
    with database.connect() as connection:
        backend = psutil.Process(connection.exec_driver_sql(asked).scalar_one())
    backends = {False: backend, True: psutil.Process(bare.info.backend_pid)}
    while (order := pipe.recv()) is not None:
        call = _upserts(bare, org_id) if order.bare else _identifies(engine, org_id)
        began = _cpu(backends[order.bare]), time.process_time()
        for number in range(order.calls):
            call(*_user(order, number))
        ended = _cpu(backends[order.bare]), time.process_time()
        pipe.send(_Cost(ended[1] - began[1], ended[0] - began[0]))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _user(order: _Order, number: int) -> tuple[str, dict[str, Any]]:
    """Return a user that is new when ``number`` is even, else one that is known and differs."""
    side = "b" if order.bare else "e"
    if number % 2 == 0:
        name = f"new-{order.turn}-{order.lane}-{number}-{side}"
    else:
        name = f"u{1 + order.lane + CONNECTIONS * number}"
    return name, {
        "email": f"{name}@acme.example",
        "name": f"Known as {order.turn}",
        "plan": f"plan {order.turn}",
        "score": order.turn,
    }


def _identifies(engine: Engine, org_id: UUID) -> Callable[[str, dict[str, Any]], None]:
    organization = OrgRef(id=org_id)

    def call(name: str, traits: dict[str, Any]) -> None:
        asked = IdentifyCall(user_id=name, traits=traits)
        engine.perform(
            organization,
            lambda work: identify(work, asked),
            by_trip=partial(identifying, asked),
        )

    return call


def _upserts(bare: psycopg.Connection[Any], org_id: UUID) -> Callable[[str, dict[str, Any]], None]:
    statement = sql.UPSERT.encode()

    def call(name: str, traits: dict[str, Any]) -> None:
        custom = json.dumps({"plan": traits["plan"], "score": traits["score"]})
        bare.execute(
            statement,
            {
                "org": org_id,
                "external_id": name,
                "email": traits["email"],
                "name": traits["name"],
                "custom": custom,
            },
        )

    return call
