"""Serving processes: one listening socket, which HALO_WEB_PROCESSES share.

When a process dies, the socket stays, and connections that wait in it go to the others.
"""

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any, Final, NoReturn
from uuid import UUID

import structlog

from halo_engine.database import MovedAway, create_engine
from halo_engine.engine import Engine
from halo_engine.settings import ConfigurationError, Settings, load_settings
from halo_engine.sql.planning import Cursor
from halo_engine.webhooks.posting import CallRules

from .. import PACKAGE
from ..broker.lengths import waiting_in
from ..broker.scripts import SET_ASIDE, TOUCHED
from ..configuration import create_app
from ..connections import broker as connected
from ..logs.log import configure_worker_logging
from ..mail import post_office
from ..queue_names import QUEUES
from ..stack.folders import throwaway_folder
from ..stack.interruption import Interrupted, interruptible
from ..tracing.spans import require_packages, start_tracing, stop_tracing, tracer
from .allocator import give_back_freed_memory
from .counting import COUNTS_FOLDER, forget_process
from .listening import listen, url_of
from .serving import CALLERS, WRITERS, Assemble, Broker, of_one_database, serve

_POLL_SECONDS: Final = 0.2
#: In seconds: a process that lived for less is restarted after a pause.
_SHORT_LIFE_SECONDS: Final = 1.0
#: In seconds: longer than a process waits for the requests that it accepted.
_KILLED_AFTER_SECONDS: Final = 40.0

_log = structlog.get_logger(__name__)


def serve_alone(settings: Settings, listening: socket) -> None:
    """Serve in this process until told to stop."""
    give_back_freed_memory()
    configure_worker_logging(logging.INFO)
    start_tracing(settings, "web")
    ready_file = settings.ready_file
    url = url_of(listening)

    def say_ready() -> None:
        _log.info("ready", url=url)
        # Imported objects stay; looking through them for garbage takes time.
        gc.collect()
        gc.freeze()
        if ready_file:
            # The file appears complete.
            whole = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
            whole.write_text(url)
            whole.rename(ready_file)

    with ExitStack() as stack:
        serve(listening, _assembling(settings, stack), say_ready)
    stop_tracing()


def _assembling(settings: Settings, stack: ExitStack) -> Assemble:
    """Return what makes the application; the ``stack`` closes connections to the broker."""

    def broker(own: Settings, names: Callable[[], Iterable[str]] = lambda: QUEUES) -> Broker:
        return stack.enter_context(_broker(own, names))

    if settings.directory_url is None:
        return of_one_database(settings, partial(_engine, settings), broker(settings))
    # Imported late, where there are cells.
    from .cells.assembling import of_cells  # noqa: PLC0415

    return of_cells(settings, _engine, broker)


def serve_together(settings: Settings, listening: socket) -> None:
    """Run several processes until told to stop; start another one for each that dies."""
    configure_worker_logging(logging.INFO)
    alive, ours = os.pipe()
    children: list[_Child] = []
    try:
        with interruptible():
            children = [_Child(listening, alive) for _ in range(settings.web_processes)]
            while True:
                time.sleep(_POLL_SECONDS)
                for child in children:
                    child.start_again_if_dead()
    except Interrupted:
        for child in children:
            child.stop()
        for child in children:
            child.wait()
    finally:
        os.close(ours)


class _Child:
    def __init__(self, listening: socket, alive: int) -> None:
        self._descriptors = (listening.fileno(), alive)
        self._start()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        # In a session of its own it gets no Ctrl-C of a terminal, and is stopped once.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{PACKAGE}.web", *map(str, self._descriptors)],
            pass_fds=self._descriptors,
            start_new_session=True,
        )

    def start_again_if_dead(self) -> None:
        if self._process.poll() is None:
            return
        _log.error("a process died", status=self._process.returncode)
        forget_process(self._process.pid)
        if time.monotonic() - self._started_at < _SHORT_LIFE_SECONDS:
            time.sleep(_SHORT_LIFE_SECONDS)
        self._start()

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        try:
            self._process.wait(_KILLED_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve_as_child(listening: int, alive: int) -> None:
    """Serve on an inherited socket, until told to stop or until the parent is gone.

    ``alive`` is the end of a pipe of which the parent holds the other one.
    """

    def watch() -> None:
        os.read(alive, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="halo-parent", daemon=True).start()
    serve_alone(load_settings(), socket(fileno=listening))


def serve_all(settings: Settings, say: Callable[[str], None]) -> None:
    """Listen, pass the URL to ``say``, and serve until told to stop."""
    if settings.directory_url is None:
        settings.required_database_url()
    require_packages(settings)
    _forget_ready(settings.ready_file)
    listening = listen(settings.web_bind)
    say(url_of(listening))
    try:
        with throwaway_folder("metrics") as folder:
            # Read when the library is imported, here and by each child.
            os.environ[COUNTS_FOLDER] = str(folder)
            if settings.web_processes == 1:
                serve_alone(settings, listening)
            else:
                serve_together(settings, listening)
    finally:
        _forget_ready(settings.ready_file)


def _forget_ready(ready_file: Path | None) -> None:
    if ready_file:
        ready_file.unlink(missing_ok=True)


@contextmanager
def _broker(
    settings: Settings, queue_names: Callable[[], Iterable[str]] = lambda: QUEUES
) -> Iterator[Broker]:
    """Yield what sends to workers, of the settings' cell; without a broker nothing is sent, and the
    next tick finds the signals. Messages are counted in the queues of these names.
    """
    if settings.broker_url is None:
        yield Broker(lambda _: None, _send_nowhere)
        return
    # Imported late: the import reads the settings.
    from ..doorbell import ring_each  # noqa: PLC0415

    with create_app(settings) as app:
        yield Broker(
            lambda rings: ring_each(rings, app),
            lambda name, fields: app.send_task(name, kwargs=dict(fields), ignore_result=True),
            lambda: _count_messages(str(settings.broker_url), queue_names()),
        )


def _count_messages(url: str, names: Iterable[str]) -> object:
    # Imported late: the library reads the folder of the counts when it is imported.
    from .metrics.collected import Messages  # noqa: PLC0415

    client = connected(url)
    waiting = {name: waiting_in(client, name) for name in names}
    return Messages(waiting, client.zcard(TOUCHED), client.llen(SET_ASIDE))


def _send_nowhere(_name: str, _fields: Mapping[str, Any]) -> NoReturn:
    raise ConfigurationError("HALO_BROKER_URL is not set: no worker is told")


def _engine(settings: Settings, note: Callable[[UUID], object]) -> Engine:
    tracing = tracer()
    database = create_engine(
        settings.required_database_url(),
        application_name="halo-web",
        statement_timeout_seconds=settings.statement_timeout_seconds,
        pool_size=WRITERS + CALLERS,
        cursor=tracing.cursor if tracing else Cursor,
    )
    rules = CallRules(allow_private=settings.webhook_allow_private)
    return Engine(
        database,
        post_office(settings),
        ring=note,
        interruptions=(MovedAway,),
        call_rules=rules,
    )
