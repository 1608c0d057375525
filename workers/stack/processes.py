"""A real worker and a real beat as child processes."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .. import PACKAGE
from .children import Child, Stopping, start_child, wait_until
from .servers import Servers

#: Running tasks may finish (warm shutdown); those that do not are given back (cold shutdown).
_WORKER_STOPPING = Stopping(((signal.SIGTERM, 8.0), (signal.SIGQUIT, 5.0)))
_COLD_AFTER_SECONDS = 1
_LEVEL = "INFO"
_WEB_STOPPING = Stopping(((signal.SIGTERM, 10.0),))
#: Celery's options that name the workers' app.
APP = ("-A", f"{PACKAGE}.app")
_BEAT_STOPPING = Stopping(((signal.SIGTERM, 5.0),))


def stack_environment(servers: Servers, **settings: object) -> dict[str, str]:
    """This process's environment with the servers' URLs and further settings in it.

    A setting is given by its field's name: `tick_seconds=1` becomes `HALO_TICK_SECONDS=1`.
    """
    named = {f"HALO_{name.upper()}": str(value) for name, value in settings.items()}
    return {
        **os.environ,
        "HALO_DATABASE_URL": servers.database_url,
        "HALO_BROKER_URL": servers.broker_url,
        **named,
    }


def start_worker(
    folder: Path,
    environment: Mapping[str, str],
    *,
    name: str = "worker",
    log: Path | None = None,
    level: str = _LEVEL,
    app: Sequence[str | Path] = APP,
) -> Child:
    """Start a worker of all queues and wait until it consumes; raise StackError when it does not.

    Several may run in one folder under different names. Without a log it shares our output; it
    writes entries of ``level`` and above. ``app`` are Celery's options that name the app.
    """
    options = ["--without-gossip", "--without-mingle", "--hostname", f"{name}@%h"]
    patient = {**environment, "HALO_SOFT_SHUTDOWN_SECONDS": str(_COLD_AFTER_SECONDS)}
    arguments = ["worker", *options, f"--loglevel={level}"]
    return _started(folder, name, (*app, *arguments), patient, log, _WORKER_STOPPING)


def start_beat(
    folder: Path,
    environment: Mapping[str, str],
    *,
    name: str = "beat",
    log: Path | None = None,
    level: str = _LEVEL,
    app: Sequence[str | Path] = APP,
) -> Child:
    """Start a beat and wait until it has begun; raise StackError when it does not."""
    arguments = ["beat", f"--loglevel={level}"]
    return _started(folder, name, (*app, *arguments), environment, log, _BEAT_STOPPING)


@contextmanager
def running_processes(
    folder: Path,
    environment: Mapping[str, str],
    *,
    logs: Path | None = None,
    level: str = _LEVEL,
    app: Sequence[str | Path] = APP,
) -> Iterator[tuple[Child, Child]]:
    """Run one worker, of this ``app``, and one beat during the body; `logs` is a folder for their
    output.
    """
    with ExitStack() as stack:
        log = logs / "worker.log" if logs else None
        worker = start_worker(folder, environment, log=log, level=level, app=app)
        stack.callback(worker.stop)
        log = logs / "beat.log" if logs else None
        beat = start_beat(folder, environment, log=log, level=level)
        stack.callback(beat.stop)
        yield worker, beat


def start_web(
    folder: Path,
    environment: Mapping[str, str],
    *,
    name: str = "web",
    log: Path | None = None,
) -> tuple[Child, str]:
    """Start `halo web` and wait until it serves; return it, and the URL at which it answers."""
    ready = folder / f"{name}.ready"
    child = _ready(folder, name, ["-m", f"{PACKAGE}.web"], environment, log, _WEB_STOPPING)
    return child, ready.read_text()


def _started(
    folder: Path,
    name: str,
    arguments: Sequence[str | Path],
    environment: Mapping[str, str],
    log: Path | None,
    stopping: Stopping,
) -> Child:
    command = ["-m", "celery", "-q", *arguments]
    return _ready(folder, name, command, environment, log, stopping)


def _ready(
    folder: Path,
    name: str,
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    log: Path | None,
    stopping: Stopping,
) -> Child:
    """Start Python with this command, and wait until it has written its ready file."""
    ready = folder / f"{name}.ready"
    ready.unlink(missing_ok=True)
    child = start_child(
        folder,
        name,
        [sys.executable, "-P", *command],
        environment={**environment, "HALO_READY_FILE": str(ready)},
        log=log,
        stopping=stopping,
    )
    try:
        wait_until(child, ready.exists, "it was ready")
    except BaseException:
        child.stop()
        raise
    return child
