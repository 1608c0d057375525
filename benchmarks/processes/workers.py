"""Workers as processes of their own that tick one organisation at the same time."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

from benchmarks.ground import Crowd
from halo_engine.database import create_engine
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.advance import Advance
from halo_engine.pipeline.due import PostOffice


class Workers:
    """Running workers; ``finished`` is what each did in the last tick, rows by their ids."""

    def __init__(self, pipes: list["Connection[Any, Any]"]) -> None:
        self._pipes = pipes
        self.finished: list[list[int]] = []

    def tick(self, workers: int) -> None:
        """Let so many of them tick at once; return when all have come to the end."""
        for pipe in self._pipes[:workers]:
            pipe.send("tick")
        self.finished = [pipe.recv() for pipe in self._pipes[:workers]]


@contextmanager
def running_workers(crowd: Crowd, number: int) -> Iterator[Workers]:
    """Run so many workers for the body's time."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(number):
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, crowd.url, crowd.org_id), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            pipe.recv()
        yield Workers(pipes)
    finally:
        for process in processes:
            process.terminate()
            process.join()
            process.close()


def _work(pipe: "Connection[Any, Any]", url: str, org_id: UUID) -> None:
    database = create_engine(url, application_name="halo-bench")
    engine = Engine(database, PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example")))
    pipe.send("ready")
    while pipe.recv() == "tick":
        finished: list[int] = []
        for moved in engine.tick(org_id):
            if isinstance(moved, Advance):
                finished += [row for each in moved.finished for row in each.recipient_ids]
        pipe.send(finished)
