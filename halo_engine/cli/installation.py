"""What commands need from their installation; nothing here knows a broker."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog

from halo_engine.answers.operations.calls import Calls
from halo_engine.engine import Engine


@dataclass(frozen=True, slots=True)
class Installation:
    """The engine, a server for rehearsals, the workers and the broker, as commands reach them.

    ``engine`` opens the engine on the installation's database; it rings for a worker after each
    commit. ``rehearsal_server`` yields the URL of a PostgreSQL where the command may create a
    schema. ``worker_answers`` says whether a worker runs; a no takes a second. ``calls`` counts
    what waits in the broker; None if that is unknown.
    """

    engine: Callable[[], AbstractContextManager[Engine]]
    rehearsal_server: Callable[[], AbstractContextManager[str]]
    worker_answers: Callable[[], bool]
    calls: Callable[[], Calls | None] = lambda: None


def log_to_standard_error() -> None:
    """Log to standard error, so that standard output has only the command's answer."""
    # A new logger for each entry: tests replace standard error between commands.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
