"""The processes that make calls of the engine or of bare SQL, each on a connection of its own.

Workers have processes of their own, too: threads of one engine would wait for each other.
"""

import json
import multiprocessing
import time
from collections.abc import Callable
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
from benchmarks.ground import Crowd, connected
from halo_engine.contacts.identifying.identify import IdentifyCall, identify, identifying
from halo_engine.database import create_engine
from halo_engine.domain.clients.meaning import ClientMessage
from halo_engine.domain.clients.segment import message_of
from halo_engine.doors.batch import BatchAnswer, BatchCall, RefusedCall, perform_batch
from halo_engine.doors.over_http.clients import SEGMENT_PUBLIC, TakenMessage
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.work import OrgRef, Work

CONNECTIONS = 4


#: By the engine's door, by its batches, by those of Segment's clients, and by the bare statement.
ENGINE, BATCH, SEGMENT, BARE = "engine", "batch", "segment", "bare"
#: Calls of a batch.
BATCHED = 100


@dataclass(frozen=True, slots=True)
class _Order:
    """An order for one process: so many calls of a kind, in round number ``turn``."""

    kind: str
    turn: int
    calls: int
    lane: int


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds that a run took in the callers, and in the database's processes."""

    caller: float
    database: float


class Lanes:
    """The processes, each with a connection by the engine and a bare one."""

    def __init__(self, crowd: Crowd, calls: int) -> None:
        self.calls = calls
        self._crowd = crowd
        self._turns = count(1)
        self._costs: dict[str, list[Cost]] = {kind: [] for kind in (ENGINE, BATCH, SEGMENT, BARE)}
        self._processes: list[SpawnProcess] = []
        self._pipes: list[Connection[Any, Any]] = []

    def __enter__(self) -> "Lanes":
        context = multiprocessing.get_context("spawn")
        for _ in range(CONNECTIONS):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve_orders,
                args=(theirs, self._crowd.url, self._crowd.org_id),
                daemon=True,
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
        self._run(ENGINE)

    def batches(self) -> None:
        """Let every process make its calls by batches, each of mixed doors."""
        self._run(BATCH)

    def messages(self) -> None:
        """Let every process send batches of Segment's messages."""
        self._run(SEGMENT)

    def floor(self) -> None:
        """Let every process make its calls by the bare statement."""
        self._run(BARE)

    def per_call(self, kind: str) -> Cost:
        """Return the cost of a call, over all counted runs."""
        costs = self._costs[kind][1:]
        calls = self.calls * CONNECTIONS * len(costs)
        return Cost(
            sum(each.caller for each in costs) / calls, sum(each.database for each in costs) / calls
        )

    def _run(self, kind: str) -> None:
        turn = next(self._turns)
        for lane, pipe in enumerate(self._pipes):
            pipe.send(_Order(kind, turn, self.calls, lane))
        costs = [pipe.recv() for pipe in self._pipes]
        self._costs[kind].append(
            Cost(sum(each.caller for each in costs), sum(each.database for each in costs))
        )


def _serve_orders(pipe: "Connection[Any, Any]", url: str, org_id: UUID) -> None:
    """Serve orders until there is none; the process of one connection."""
    database = create_engine(url, application_name="halo-bench", pool_size=1)
    engine = Engine(database, PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example")))
    bare = connected(url)
    asked = "SELECT pg_backend_pid() FROM organizations WHERE key = 'bench'"
    with database.connect() as connection:
        backend = psutil.Process(connection.exec_driver_sql(asked).scalar_one())
    backends = {BARE: psutil.Process(bare.info.backend_pid)}
    while (order := pipe.recv()) is not None:
        at = backends.get(order.kind, backend)
        began = _cpu(at), time.process_time()
        if order.kind == BATCH:
            _do_batches(engine, org_id, order)
        elif order.kind == SEGMENT:
            _do_messages(engine, org_id, order)
        else:
            bare_or_not = order.kind == BARE
            call = _upserts(bare, org_id) if bare_or_not else _identifies(engine, org_id)
            for number in range(order.calls):
                call(*_user(order, number))
        ended = _cpu(at), time.process_time()
        pipe.send(Cost(ended[1] - began[1], ended[0] - began[0]))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _user(order: _Order, number: int) -> tuple[str, dict[str, Any]]:
    """Return a user that is new when ``number`` is even, else one that is known and differs."""
    side = order.kind[0]
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
            in_one_trip=partial(identifying, asked),
        )

    return call


def _do_batches(engine: Engine, org_id: UUID, order: _Order) -> None:
    for first in range(0, order.calls, BATCHED):
        calls = [_mixed(order, number) for number in range(first, first + BATCHED)]
        batch = BatchCall(calls=calls)
        answer = engine.perform(OrgRef(id=org_id), partial(_batch, batch))
        assert not any(isinstance(each, RefusedCall) for each in answer.answers)


def _batch(call: BatchCall, work: Work) -> BatchAnswer:
    return perform_batch(work, call)


def _do_messages(engine: Engine, org_id: UUID, order: _Order) -> None:
    """Do batches of messages, as the route does once it has read them."""
    for first in range(0, order.calls, BATCHED):
        some = [_message(order, number) for number in range(first, first + BATCHED)]
        outcomes = engine.perform(OrgRef(id=org_id), partial(_take_messages, messages=some))
        assert all(isinstance(each, TakenMessage) for each in outcomes)


def _take_messages(work: Work, messages: list[ClientMessage]) -> list[Any]:
    return list(SEGMENT_PUBLIC.perform(work, messages))


def _message(order: _Order, number: int) -> ClientMessage:
    """Return a message: of ten, five identify, four track, one names a company."""
    name, traits = _user(order, number)
    sent = {"messageId": f"{name}-{order.turn}-{order.lane}-{number}"}
    if number % 10 in (0, 1, 2, 3, 4):
        return message_of("identify", {**sent, "userId": name, "traits": traits})
    known = f"u{1 + order.lane + CONNECTIONS * number}"
    if number % 10 == 5:
        return message_of("group", {**sent, "userId": known, "groupId": f"company {number % 50}"})
    return message_of(
        "track", {**sent, "userId": known, "event": "paid", "properties": {"n": number}}
    )


def _mixed(order: _Order, number: int) -> dict[str, Any]:
    """Return a message: of ten, four identify, four track, one is a company's, one a lead's."""
    name, traits = _user(order, number)
    known = f"u{1 + order.lane + CONNECTIONS * number}"
    match number % 10:
        case 0 | 1 | 2 | 3:
            return {"door": "identify", "user_id": name, "traits": traits}
        case 4:
            return {"door": "companies.identify", "id": name, "traits": {"plan": "pro"}}
        case 5:
            return {"door": "leads.capture", "email": f"lead.{traits['email']}"}
    return {"door": "track", "event": "paid", "user_id": known, "properties": {"n": number}}


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
