"""W19: an hour of a steady load on a real worker and a real beat: nothing grows or slows down.

Half of the calls identify, half track events; a fifth of the users are new and get a mail. What the
last window shows is compared with what the fifth did.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import psutil
from psycopg import Connection

from benchmarks.ground import Crowd, Ground, connected
from benchmarks.processes.mail_server import mail_server
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from benchmarks.workloads.running.latency import TELLING
from halo_engine.settings import Settings
from workers.configuration import EngineApp, create_app
from workers.stack.folders import throwaway_folder
from workers.stack.processes import running_processes, stack_environment
from workers.stack.servers import Servers

#: The window that the last is compared with; those before it warm up.
_FIFTH: Final = 5
_PATIENCE_SECONDS: Final = 30.0
#: Of so many calls one is of a new user.
_NEW_EVERY: Final = 5
#: What only grows, and through which rows pass.
_GROWING: Final = ("end_users", "events", "messages", "automation_recipients")
_QUEUES: Final = ("signals", "automation_recipients", "automation_enrollments")

_WELCOME: Final[dict[str, Any]] = {
    "entry_trigger": "user_created",
    "steps": [{"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}],
}
_PAID: Final[dict[str, Any]] = {
    "entry_trigger": "event",
    "settings": {"reenroll_enabled": True, "entry_event_name": "paid"},
    "steps": [
        {"key": "gate", "condition": {"type": "user_property", "value": "plan=pro"}},
        {"key": "later", "delay": "1d", "email": {"subject": "Hi", "body": "Hi"}},
    ],
}


@dataclass
class _Window:
    """What one window showed: seconds from a call to its row, bytes a row, dead rows, MiB."""

    entered: list[float] = field(default_factory=list)
    bytes_a_row: dict[str, float] = field(default_factory=dict)
    dead: int = 0
    memory: dict[str, float] = field(default_factory=dict)

    @property
    def p99(self) -> float:
        """The seconds within which 99 of 100 were in."""
        return quantiles(self.entered, n=100)[98]


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare the last window with the fifth."""
    crowd = ground.crowd(size.crowds[0], "steady")
    for key, series in (("welcome", _WELCOME), ("paid", _PAID)):
        crowd.draft(key, **series)
        crowd.activate(key)
    for statement in TELLING:
        crowd.run(statement)
    servers = Servers(crowd.url, ground.servers.broker_url)
    settings = Settings(database_url=servers.database_url, broker_url=servers.broker_url)
    with throwaway_folder("bench-worker") as folder, mail_server() as server:
        smtp = f"smtp://127.0.0.1:{server.port}?tls=none"
        environment = stack_environment(servers, smtp_url=smtp, tick_seconds=5)
        with running_processes(folder, environment, logs=Path(folder)) as (worker, beat):
            pids = {"worker": worker.process.pid, "beat": beat.process.pid}
            load = _Load(create_app(settings), crowd, pids)
            rate = load.saturation(size.queued) / 3
            windows = load.run(rate, size.steady_windows, size.steady_seconds)
    ground.drop(crowd)
    yield from _rows(windows, rate, size.steady_seconds)


def _rows(windows: Sequence[_Window], rate: float, seconds: int) -> Iterator[Row]:
    fifth, last = windows[_FIFTH - 1], windows[-1]
    calls = round(rate * seconds * len(windows))

    def row(what: str, now: float, then: float, unit: str, bound: float) -> Row:
        return Row(
            workload="W19",
            what=f"{what}, {rate:.0f} calls a second",
            size=calls,
            of="calls",
            engine=now,
            against=then,
            compared_with="in the fifth window",
            ratio=now / then,
            target=Target(bound),
            unit=unit,
        )

    yield row("identify to row, p99", last.p99, fifth.p99, "s", 1.1)
    for table in _GROWING:
        now, then = last.bytes_a_row[table], fifth.bytes_a_row[table]
        yield row(f"bytes a row of {table}", now, then, "B", 1.1)
    dead = max(each.dead for each in windows[_FIFTH:])
    yield row("most dead rows of queues", dead, max(fifth.dead, round(rate * seconds)), "", 2.0)
    for name, held in last.memory.items():
        yield row(f"memory of {name}", held, fifth.memory[name], "MiB", 1.1)


class _Load:
    """Calls at a steady rate to a worker, and what is seen of it meanwhile."""

    def __init__(self, app: EngineApp, crowd: Crowd, pids: dict[str, int]) -> None:
        self._app = app
        self._crowd = crowd
        self._pids = pids
        self._sent: dict[str, float] = {}
        self._arrived: dict[str, float] = {}
        self._number = 0

    def saturation(self, calls: int) -> float:
        """Return how many calls a second a full queue is worked off with."""
        with self._listening():
            began = time.perf_counter()
            for _ in range(calls):
                self._call()
            self._wait()
            return calls / (time.perf_counter() - began)

    def run(self, rate: float, windows: int, seconds: int) -> list[_Window]:
        """Call at that rate for so many windows; return what each showed."""
        found = [_Window() for _ in range(windows)]
        with self._listening():
            began = time.perf_counter()
            first = self._number
            for window in found:
                ends = began + seconds
                names = set(self._sent)
                while (now := time.perf_counter()) < ends:
                    due = began + (self._number - first) / rate
                    if due > now:
                        time.sleep(min(due, ends) - now)
                        continue
                    self._call()
                began, first = ends, self._number
                self._wait()
                mine = self._sent.keys() - names
                window.entered = [self._arrived[name] - self._sent[name] for name in mine]
                self._look(window)
        return found

    def _call(self) -> None:
        """Identify a new user, or a known one with another plan; or track an event of one."""
        number = self._number
        self._number += 1
        known = f"u{1 + number % (self._crowd.contacts - 1)}"
        if number % _NEW_EVERY == 0:
            name = f"steady-{number}"
            self._sent[name] = time.perf_counter()
            traits = {"email": f"{name}@acme.example", "plan": "pro"}
            self._send("identify", user_id=name, traits=traits)
        elif number % 2:
            self._send("track", user_id=known, event="paid", properties={"n": number})
        else:
            self._send("identify", user_id=known, traits={"plan": f"plan {number % 7}"})

    def _send(self, door: str, **fields: Any) -> None:
        given = {"widget_key": "bench", **fields}
        self._app.send_task(f"halo.{door}", kwargs=given, ignore_result=True)

    def _wait(self) -> None:
        """Wait until every new user has entered."""
        ends = time.perf_counter() + _PATIENCE_SECONDS
        while missing := self._sent.keys() - self._arrived.keys():
            assert time.perf_counter() < ends, f"{len(missing)} never entered"
            time.sleep(0.01)

    def _look(self, window: _Window) -> None:
        for table in _GROWING:
            # A partitioned table has no size of its own.
            size = (
                "coalesce((SELECT sum(pg_total_relation_size(relid)) FROM"
                f" pg_partition_tree('{table}')), pg_total_relation_size('{table}'))"
            )
            asked = f"SELECT ({size} / greatest(count(*), 1))::float FROM {table}"
            [(window.bytes_a_row[table],)] = self._crowd.run(asked)
        names = ", ".join(f"'{name}'" for name in _QUEUES)
        asked = f"SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname IN ({names})"
        [(dead,)] = self._crowd.run(asked)
        window.dead = int(dead)
        for name, pid in self._pids.items():
            parent = psutil.Process(pid)
            held = [each.memory_info().rss for each in (parent, *parent.children(recursive=True))]
            window.memory[name] = median(held) / 2**20

    def _listening(self) -> "_Listener":
        return _Listener(self._crowd.url, self._arrived)


class _Listener:
    """Notes when rows are there, in a thread of its own."""

    def __init__(self, url: str, arrived: dict[str, float]) -> None:
        self._connection: Connection[Any] = connected(url)
        self._connection.execute("LISTEN entered")
        self._arrived = arrived
        self._ends = False
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self._thread.join()
        self._connection.close()

    def _watch(self) -> None:
        while not self._ends:
            for notice in self._connection.notifies(timeout=0.2):
                self._arrived.setdefault(notice.payload, time.perf_counter())
