"""An installation whose parts can be broken and mended one by one: real servers, real processes."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import psutil
import redis

from tests.mail.mail_server import MailServer, mail_server
from workers.connections import broker
from workers.stack.children import Child, StackError
from workers.stack.folders import throwaway_folder
from workers.stack.postgres import start_postgres
from workers.stack.processes import stack_environment, start_beat, start_worker
from workers.stack.servers import Servers
from workers.stack.valkey import start_valkey

WORKERS: Final = ("worker-1", "worker-2")
BEAT: Final = "beat"
DATABASE: Final = "database"
BROKER: Final = "broker"

#: Limits of seconds rather than minutes, so that what a killed worker had comes back soon.
_SETTINGS: Final[Mapping[str, object]] = {
    "tick_seconds": 1,
    "statement_timeout_seconds": 8,
    "soft_limit_seconds": 20,
    "hard_limit_seconds": 30,
    "lease_seconds": 45,
    "mail_from_address": "hi@acme.example",
}
#: How long a part may take to come up again on a busy machine.
_PATIENCE_SECONDS: Final = 60.0


@dataclass
class Plant:
    """The parts by name; all of them are durable, as in production."""

    folder: Path
    mail: MailServer
    database_url: str = ""
    broker_url: str = ""
    _parts: dict[str, Child] = field(default_factory=dict)
    _starts: Counter[str] = field(default_factory=Counter)

    def start(self, part: str) -> None:
        """Start a part that does not run, however long the other parts keep it from starting."""
        ends = monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._parts[part] = self._started(part)
                return
            except StackError:
                # The parts that it needs may be broken as well; what it left may still be ending.
                if monotonic() > ends:
                    raise
                sleep(0.2)

    def _started(self, part: str) -> Child:
        if part == DATABASE:
            child, self.database_url = start_postgres(self.folder)
            return child
        if part == BROKER:
            child, self.broker_url = start_valkey(self.folder)
            return child
        environment = stack_environment(
            Servers(self.database_url, self.broker_url), smtp_url=self.mail.url, **_SETTINGS
        )
        start = start_beat if part == BEAT else start_worker
        # A log is begun anew at each start: one for each.
        self._starts[part] += 1
        log = self.folder / f"{part}-{self._starts[part]}.log"
        return start(self.folder, environment, name=part, log=log)

    def restart(self, part: str) -> None:
        """Stop a part politely, and start it again."""
        self._parts[part].stop()
        self.start(part)

    def kill(self, part: str) -> None:
        """Kill a part with everything that it started (SIGKILL)."""
        for process in self.processes(part):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._parts[part].stop()

    def signal(self, part: str, signum: signal.Signals) -> None:
        """Send a signal to a part's own process."""
        self._parts[part].process.send_signal(signum)

    def freeze(self, part: str, seconds: float) -> None:
        """Stop a part and its children for some seconds (SIGSTOP), and let them go on."""
        frozen = self.processes(part)
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        sleep(seconds)  # how long it hangs is the fault itself
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def processes(self, part: str) -> list[psutil.Process]:
        """Return a part's process and its children, the parent first."""
        try:
            parent = psutil.Process(self._parts[part].process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def revive(self, part: str) -> None:
        """Start a part again if it has ended by itself, as a supervisor does."""
        if self._parts[part].exited:
            self._parts[part].stop()
            self.start(part)

    def client(self) -> redis.Redis:
        """Return a client of the broker."""
        return broker(self.broker_url)

    def stop(self) -> None:
        """Stop everything that runs, the servers last."""
        for part in (BEAT, *WORKERS, BROKER, DATABASE):
            if part in self._parts:
                self._parts[part].stop()


@contextmanager
def running_plant(prepare: Callable[[Plant], None]) -> Iterator[Plant]:
    """Run an installation for the body's time; ``prepare`` it before its processes start."""
    with throwaway_folder("chaos") as folder, mail_server(pipelining=True) as mail:
        plant = Plant(folder, mail)
        try:
            for server in (DATABASE, BROKER):
                plant.start(server)
            prepare(plant)
            for part in (*WORKERS, BEAT):
                plant.start(part)
            yield plant
        finally:
            plant.stop()
            kept = os.environ.get("HALO_TEST_CHAOS_LOGS")
            if kept:
                Path(kept).mkdir(parents=True, exist_ok=True)
                for log in folder.glob("*.log"):
                    (Path(kept) / log.name).write_bytes(log.read_bytes())
