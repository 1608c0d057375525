"""W8: a real worker under a steady rate of identifies, from the call to the recipient's row."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from psycopg import Connection

from benchmarks.ground import Crowd, Ground, connected
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from halo_engine.settings import Settings
from workers.configuration import EngineApp, create_app
from workers.stack.folders import throwaway_folder
from workers.stack.processes import running_processes, stack_environment
from workers.stack.servers import Servers

RATE: Final = 100
_NOOPS_PER_SECOND: Final = 10
_PATIENCE_SECONDS: Final = 30.0
#: Celery's own task that answers what it is given.
_NOOP: Final = "celery.accumulate"

# Notifies of each row when it is committed, at the same cost for every row.
_TELL = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('entered', external_id) FROM end_users
    WHERE org_id = NEW.org_id AND id = NEW.end_user_id;
    RETURN NULL;
END $$
"""
_ON_ROW = """
CREATE TRIGGER tells AFTER INSERT ON automation_recipients FOR EACH ROW EXECUTE FUNCTION tell()
"""
#: Makes the database tell of every row of ``automation_recipients``, on the channel ``entered``.
TELLING: Final = (_TELL, _ON_ROW)


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare percentiles with those of a no-op task's round trip in the same run."""
    crowd = ground.crowd(size.crowds[-2], "latency")
    crowd.draft(
        "welcome",
        entry_trigger="user_created",
        steps=[{"key": "hi", "delay": "1d", "email": {"subject": "Hi", "body": "Hi"}}],
    )
    crowd.activate("welcome")
    for statement in TELLING:
        crowd.run(statement)
    servers = Servers(crowd.url, ground.servers.broker_url)
    settings = Settings(database_url=servers.database_url, broker_url=servers.broker_url)
    with throwaway_folder("bench-worker") as folder:
        environment = stack_environment(servers, mail_folder=folder / "mail")
        with running_processes(folder, environment, logs=Path(folder)):
            load = _Load(create_app(settings), crowd)
            load.run(2)
            entered, returned = load.run(size.latency_seconds)
    ground.drop(crowd)
    for name, bound in (("p50", 3.0), ("p99", 5.0)):
        ours, noop = _percentile(entered, name), _percentile(returned, name)
        yield Row(
            workload="W8",
            what=f"identify to row at {RATE}/s, {name}",
            size=len(entered),
            of="calls",
            engine=ours,
            against=noop,
            compared_with=f"no-op task's round trip, {name}",
            ratio=ours / noop,
            target=Target(bound),
        )


def _percentile(seconds: Sequence[float], name: str) -> float:
    return quantiles(seconds, n=100)[int(name[1:]) - 1]


class _Load:
    """Calls at a steady rate, and the instants at which their results were there."""

    def __init__(self, app: EngineApp, crowd: Crowd) -> None:
        self._app = app
        self._crowd = crowd
        self._runs = 0

    def run(self, seconds: int) -> tuple[list[float], list[float]]:
        """Call for so long; return the latencies of the rows, and those of the no-op tasks."""
        self._runs += 1
        calls = [f"w8-{self._runs}-{number}" for number in range(seconds * RATE)]
        arrived: dict[str, float] = {}
        returned: list[float] = []
        listener = connected(self._crowd.url)
        listener.execute("LISTEN entered")
        watching = threading.Thread(
            target=_watch, args=(listener, len(calls), arrived), daemon=True
        )
        beating = threading.Thread(target=self._round_trips, args=(seconds, returned), daemon=True)
        watching.start()
        beating.start()
        sent = self._send(calls)
        beating.join()
        watching.join()
        listener.close()
        return _taken(sent, arrived), returned

    def _send(self, calls: Sequence[str]) -> dict[str, float]:
        sent = {}
        began = time.perf_counter()
        for number, user in enumerate(calls):
            _sleep_until(began + number / RATE)
            sent[user] = time.perf_counter()
            self._app.send_task(
                "halo.identify",
                kwargs={
                    "widget_key": "bench",
                    "user_id": user,
                    "traits": {"email": f"{user}@acme.example", "plan": "pro"},
                },
                ignore_result=True,
            )
        return sent

    def _round_trips(self, seconds: int, returned: list[float]) -> None:
        began = time.perf_counter()
        for number in range(seconds * _NOOPS_PER_SECOND):
            _sleep_until(began + number / _NOOPS_PER_SECOND)
            asked = time.perf_counter()
            self._app.send_task(_NOOP, args=[number]).get(timeout=_PATIENCE_SECONDS)
            returned.append(time.perf_counter() - asked)


def _taken(sent: Mapping[str, float], arrived: Mapping[str, float]) -> list[float]:
    missing = sent.keys() - arrived.keys()
    assert not missing, f"{len(missing)} of {len(sent)} never entered"
    return [arrived[user] - at for user, at in sent.items()]


def _watch(listener: Connection[Any], calls: int, arrived: dict[str, float]) -> None:
    for notice in listener.notifies(timeout=_PATIENCE_SECONDS):
        arrived[notice.payload] = time.perf_counter()
        if len(arrived) == calls:
            return


def _sleep_until(instant: float) -> None:
    time.sleep(max(0.0, instant - time.perf_counter()))
