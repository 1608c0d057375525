"""What goes wrong: a table of faults, each of which breaks one part and mends it."""

import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from time import sleep
from typing import Final

import psutil
import psycopg
import redis

from tests.torture.chaos.plant import BEAT, BROKER, DATABASE, WORKERS, Plant

Fault = Callable[[Plant, random.Random], None]


def _away(chance: random.Random) -> None:
    """Let a part be away for a moment, or for longer than a connection is patient."""
    sleep(chance.choice((0.0, 0.5, 2.0, 6.0)))


def _kill_worker(plant: Plant, chance: random.Random) -> None:
    worker = chance.choice(WORKERS)
    plant.kill(worker)
    plant.start(worker)


def _kill_both_workers(plant: Plant, chance: random.Random) -> None:
    for worker in WORKERS:
        plant.kill(worker)
    _away(chance)
    for worker in WORKERS:
        plant.start(worker)


def _kill_pool_process(plant: Plant, chance: random.Random) -> None:
    children = plant.processes(chance.choice(WORKERS))[1:]
    if children:
        with suppress(psutil.NoSuchProcess):
            chance.choice(children).kill()


def _stop_worker_warm(plant: Plant, chance: random.Random) -> None:
    plant.restart(chance.choice(WORKERS))


def _stop_worker_cold(plant: Plant, chance: random.Random) -> None:
    worker = chance.choice(WORKERS)
    plant.signal(worker, signal.SIGQUIT)
    plant.restart(worker)


def _freeze_worker(plant: Plant, chance: random.Random) -> None:
    plant.freeze(chance.choice(WORKERS), chance.uniform(1, 8))


def _kill_beat(plant: Plant, chance: random.Random) -> None:
    plant.kill(BEAT)
    _away(chance)
    plant.start(BEAT)


def _freeze_beat(plant: Plant, chance: random.Random) -> None:
    plant.freeze(BEAT, chance.uniform(1, 5))


def _crash_database(plant: Plant, chance: random.Random) -> None:
    plant.kill(DATABASE)
    _away(chance)
    plant.start(DATABASE)


def _restart_database(plant: Plant, chance: random.Random) -> None:
    plant.signal(DATABASE, signal.SIGINT)
    _away(chance)
    plant.restart(DATABASE)


def _freeze_database(plant: Plant, chance: random.Random) -> None:
    plant.freeze(DATABASE, chance.uniform(0.5, 4))


def _end_sessions(plant: Plant, _chance: random.Random) -> None:
    url = plant.database_url.replace("postgresql+psycopg://", "postgresql://")
    with suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def _crash_broker(plant: Plant, chance: random.Random) -> None:
    plant.kill(BROKER)
    _away(chance)
    plant.start(BROKER)


def _restart_broker(plant: Plant, chance: random.Random) -> None:
    plant.signal(BROKER, signal.SIGTERM)
    _away(chance)
    plant.restart(BROKER)


def _freeze_broker(plant: Plant, chance: random.Random) -> None:
    plant.freeze(BROKER, chance.uniform(0.5, 4))


def _empty_broker(plant: Plant, _chance: random.Random) -> None:
    with suppress(redis.RedisError):
        plant.client().flushall()


def _drop_broker_connections(plant: Plant, _chance: random.Random) -> None:
    with suppress(redis.RedisError):
        plant.client().client_kill_filter(_type="normal", skipme=True)


def _stop_mail_server(plant: Plant, chance: random.Random) -> None:
    plant.mail.stop()
    _away(chance)
    plant.mail.start()


def _drop_mail_connections(plant: Plant, _chance: random.Random) -> None:
    plant.mail.drop_connections()


#: Those of one lane come one after the other, so that no two break the same part at once.
LANES: Final[Mapping[str, tuple[Fault, ...]]] = {
    "processes": (
        _kill_worker,
        _kill_both_workers,
        _kill_pool_process,
        _stop_worker_warm,
        _stop_worker_cold,
        _freeze_worker,
        _kill_beat,
        _freeze_beat,
    ),
    "database": (_crash_database, _restart_database, _freeze_database, _end_sessions),
    "broker": (
        _crash_broker,
        _restart_broker,
        _freeze_broker,
        _empty_broker,
        _drop_broker_connections,
    ),
    "mail server": (_stop_mail_server, _drop_mail_connections),
}
#: How long a lane is quiet between two faults, in seconds.
_QUIET: Final[Mapping[str, tuple[float, float]]] = {
    "processes": (1.0, 5.0),
    "database": (6.0, 18.0),
    "broker": (6.0, 18.0),
    "mail server": (5.0, 15.0),
}


@dataclass
class Faults:
    """Faults that happen until they are stopped; ``counted`` says how often each did."""

    plant: Plant
    seed: int
    counted: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    _over: Event = field(default_factory=Event)

    def run(self, seconds: float) -> None:
        """Break parts for so long, in every lane at once; at the end everything runs again."""
        lanes = [Thread(target=self._lane, args=(name,)) for name in LANES]
        for lane in lanes:
            lane.start()
        self._over.wait(seconds)
        self._over.set()
        for lane in lanes:
            lane.join()
        for part in (DATABASE, BROKER, *WORKERS, BEAT):
            self.plant.revive(part)

    def _lane(self, name: str) -> None:
        chance = random.Random(f"{self.seed} {name}")
        while not self._over.wait(chance.uniform(*_QUIET[name])):
            fault = chance.choice(LANES[name])
            try:
                fault(self.plant, chance)
                if name == "processes":
                    for part in (*WORKERS, BEAT):
                        self.plant.revive(part)
            except Exception as error:  # noqa: BLE001 -- a lane that ends would hide it
                self.problems.append(f"{fault.__name__}: {type(error).__name__}: {error}")
            self.counted[fault.__name__.strip("_")] += 1
