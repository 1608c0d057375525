"""What the commands need of the installation that they run in; nothing here knows a broker."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog

from halo_engine.answers.calls import Calls
from halo_engine.engine import Engine


@dataclass(frozen=True, slots=True)
class Installation:
    """The way to the engine, to a server for rehearsals, and to whether anybody works.

    ``engine`` opens the engine on the installation's database for a command's time; it rings for
    a worker after each commit. ``rehearsal_server`` gives the URL of a PostgreSQL on which the
    command may make a schema of its own. ``worker_answers`` takes a second to say no. ``calls``
    counts what waits outside the database; None where nothing is known of it.
    """

    engine: Callable[[], AbstractContextManager[Engine]]
    rehearsal_server: Callable[[], AbstractContextManager[str]]
    worker_answers: Callable[[], bool]
    calls: Callable[[], Calls | None] = lambda: None


def log_to_standard_error() -> None:
    """Keep what the engine logs out of what a command prints."""
    # Made anew for each entry: whoever runs a command may have exchanged standard error since.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
