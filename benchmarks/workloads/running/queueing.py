"""W17: a queue of identifies that one worker empties, as fast as a queue of no-op tasks."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from celery.result import AsyncResult

from benchmarks.ground import Ground
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from benchmarks.workloads.running.serving import alternated, ratio
from halo_engine.settings import Settings
from workers.configuration import EngineApp, create_app
from workers.stack.folders import throwaway_folder
from workers.stack.processes import stack_environment, start_worker
from workers.stack.servers import Servers

#: Celery's own task that answers what it is given.
_NOOP = "celery.accumulate"
_PATIENCE_SECONDS = 600.0

_ENTERED = "SELECT count(*) FROM automation_enrollments WHERE org_id = %(org)s"


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare from when the worker is ready to the last answer, and the last enrollment."""
    crowd = ground.crowd(size.crowds[0], "queue")
    crowd.draft(
        "welcome",
        entry_trigger="user_created",
        steps=[{"key": "hi", "delay": "1d", "email": {"subject": "Hi", "body": "Hi"}}],
    )
    crowd.activate("welcome")
    servers = Servers(crowd.url, ground.servers.broker_url)
    app = create_app(Settings(database_url=servers.database_url, broker_url=servers.broker_url))
    turns = iter(range(1_000))

    def emptied(send: str) -> float:
        turn = next(turns)
        *_, last = [_sent(app, send, turn, number) for number in range(size.queued)]
        with throwaway_folder("bench-queue") as folder:
            environment = stack_environment(servers, mail_folder=folder / "mail")
            worker = start_worker(folder, environment, log=Path(folder) / "worker.log")
            began = time.perf_counter()
            try:
                last.get(timeout=_PATIENCE_SECONDS)
                while send != _NOOP and crowd.run(_ENTERED)[0][0] < size.queued:
                    time.sleep(0.01)
                return time.perf_counter() - began
            finally:
                worker.stop()

    sides = (lambda: emptied("halo.identify"), lambda: emptied(_NOOP))
    ours, noop = alternated(sides, size.rounds, crowd.clear)
    ground.drop(crowd)
    yield Row(
        workload="W17",
        what="a queue of identifies, until all have entered",
        size=size.queued,
        of="calls",
        engine=sorted(ours)[len(ours) // 2],
        against=sorted(noop)[len(noop) // 2],
        compared_with="no-op tasks",
        ratio=ratio(ours, noop),
        target=Target(1.5),
    )


def _sent(app: EngineApp, task: str, turn: int, number: int) -> AsyncResult[Any]:
    if task == _NOOP:
        return app.send_task(task, args=[number])
    user = f"queued-{turn}-{number}"
    traits = {"email": f"{user}@acme.example", "plan": "pro"}
    call = {"widget_key": "bench", "user_id": user, "traits": traits}
    return app.send_task(task, kwargs=call)
