"""Processes that work in cells: each identifies contacts of its organisations, and ticks."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

import psutil

from halo_engine.contacts.identifying.identify import IdentifyCall, identify, identifying
from halo_engine.database import create_engine
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.work import OrgRef

#: After so many calls in each organisation all of them are ticked.
_CALLS_A_TICK = 10


@dataclass(frozen=True, slots=True)
class Order:
    """So many calls in each organisation, in round number ``turn``."""

    turn: int
    calls: int


@dataclass(frozen=True, slots=True)
class Driver:
    """A process that works in the organisations of one cell."""

    cell: int
    pipe: "Connection[Any, Any]"

    def begin(self, order: Order) -> None:
        """Begin to work off an order."""
        self.pipe.send(order)

    def seconds(self) -> float:
        """Wait until the order is done; return how long that took."""
        taken: float = self.pipe.recv()
        return taken


@contextmanager
def running_driver(
    cell: int, url: str, org_ids: Sequence[UUID], cores: Sequence[int]
) -> Iterator[Driver]:
    """Run a process on these cores that works in these organisations, on one connection."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_orders, args=(theirs, url, org_ids, cores), daemon=True)
    process.start()
    try:
        yield Driver(cell, ours)
    finally:
        ours.send(None)
        process.join()


def _serve_orders(
    pipe: "Connection[Any, Any]", url: str, org_ids: Sequence[UUID], cores: Sequence[int]
) -> None:
    psutil.Process().cpu_affinity([*cores])
    database = create_engine(url, application_name="halo-bench", pool_size=1)
    engine = Engine(database, PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example")))
    while (order := pipe.recv()) is not None:
        began = time.perf_counter()
        for number in range(order.calls):
            for org_id in org_ids:
                _identify(engine, org_id, order.turn, number)
            if number % _CALLS_A_TICK == _CALLS_A_TICK - 1:
                _tick(engine, org_ids)
        _tick(engine, org_ids)
        pipe.send(time.perf_counter() - began)


def _identify(engine: Engine, org_id: UUID, turn: int, number: int) -> None:
    """Identify a user that is new when ``number`` is even, else one that is known and differs."""
    name = f"new-{turn}-{number}" if number % 2 == 0 else f"known-{number}"
    traits = {"email": f"{name}@acme.example", "plan": f"plan {turn}", "score": turn}
    call = IdentifyCall(user_id=name, traits=traits)
    engine.perform(
        OrgRef(id=org_id),
        lambda work: identify(work, call),
        in_one_trip=partial(identifying, call),
    )


def _tick(engine: Engine, org_ids: Sequence[UUID]) -> None:
    for org_id in org_ids:
        for _ in engine.tick(org_id):
            pass
