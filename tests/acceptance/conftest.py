"""A stack: database, broker, a real worker and a real beat as processes."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pytest
from kombu import Queue
from sqlalchemy import Engine, func, insert, make_url

from halo_engine.database import create_engine
from halo_engine.settings import Settings
from halo_engine.tables import organizations
from halo_engine.work import OrgRef
from tests.conftest import clone_of
from tests.pipeline.sandbox import Sandbox
from workers.broker.scripts import REDELIVERED
from workers.configuration import EngineApp, create_app
from workers.connections import broker
from workers.queue_names import CALLS_QUEUE
from workers.stack.folders import throwaway_folder
from workers.stack.processes import APP, running_processes, stack_environment
from workers.stack.servers import Servers

_PATIENCE_SECONDS = 120.0
_LOOK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True)
class Stack:
    """A running stack as applications and operators see it: tasks, database, mail."""

    app: EngineApp
    database: Engine
    mail: Path

    def ask(self, task: str, **call: Any) -> Any:
        """Call a task and wait for its answer."""
        return self.app.send_task(task, kwargs=call).get(timeout=_PATIENCE_SECONDS)

    def redeliver(self, task: str, first_delivered: datetime, **call: Any) -> Any:
        """Call a task by a message that was delivered before, to a worker that died with it."""
        spare = f"spare-{uuid4()}"
        queue: Any = Queue(spare, routing_key=spare)
        sent = self.app.send_task(task, kwargs=call, queue=queue)
        client = broker(str(self.app.conf.broker_url))
        raw = client.lpop(spare)
        assert isinstance(raw, bytes)
        digest = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        client.hset(REDELIVERED, digest, f"1 {first_delivered.timestamp()}")
        client.rpush(CALLS_QUEUE, raw)
        return sent.get(timeout=_PATIENCE_SECONDS)

    def organization(self) -> str:
        """Create an organisation; its key is its widget key."""
        key = f"acceptance-{uuid4()}"
        with self.database.begin() as connection:
            connection.execute(
                insert(organizations).values(
                    key=key,
                    name=key,
                    widget_key=key,
                    created_at=func.now(),
                    reevaluated_at=func.now(),
                )
            )
        return key

    def sandbox(self, key: str) -> Sandbox:
        """Return a way to look into the organisation, and to write beside the tasks, now."""
        return Sandbox(self.database, OrgRef(key=key), now=datetime.now(UTC))

    def wait_until(
        self, holds: Callable[[], bool], what: str, seconds: float = _PATIENCE_SECONDS
    ) -> None:
        """Wait until a condition holds; fail naming it when it does not in two minutes."""
        ends = monotonic() + seconds
        while not holds():
            assert monotonic() < ends, f"not within {seconds:.0f} s: {what}"
            sleep(_LOOK_AGAIN_SECONDS)


@pytest.fixture(scope="session")
def start_stack(
    servers: Servers, administrate: Callable[[str], None], template: str
) -> Callable[..., AbstractContextManager[Stack]]:
    """Run a worker and a beat that ticks every second, with settings, on their own database.

    ``level`` is how much they write into ``worker.log`` and ``beat.log`` in the folder ``logs``,
    ``app`` what Celery's options name as the worker's.
    """
    return lambda **settings: _running_stack(servers, administrate, template, **settings)


@contextmanager
def _running_stack(
    servers: Servers,
    administrate: Callable[[str], None],
    template: str,
    *,
    level: str = "INFO",
    logs: Path | None = None,
    app: Sequence[str | Path] = APP,
    **settings: object,
) -> Iterator[Stack]:
    name = f"halo_acceptance_{uuid4().hex}"
    administrate(f"CREATE DATABASE {name} {clone_of(template)}")
    url = make_url(servers.database_url).set(database=name).render_as_string(hide_password=False)
    own = Servers(url, servers.broker_url)
    # What another module's tests had set aside is nothing of this installation's.
    broker(servers.broker_url).flushdb()
    with throwaway_folder("acceptance") as folder:
        mail = folder / "mail"
        environment = stack_environment(own, tick_seconds=1, mail_folder=mail, **settings)
        with running_processes(folder, environment, logs=logs or folder, level=level, app=app):
            caller = create_app(Settings(database_url=url, broker_url=servers.broker_url))
            database = create_engine(url, application_name="halo-acceptance")
            yield Stack(caller, database, mail)
            database.dispose()
    administrate(f"DROP DATABASE {name} WITH (FORCE)")
