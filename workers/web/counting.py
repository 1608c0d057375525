"""Passing answers on to logs and counts, and where processes count (contract §12)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from ..logs.access import NONE, Answered
from .app import Observer
from .messages.requests import Request
from .routes import Route

#: Names the folder of the processes' counts. The library reads it when it is imported.
COUNTS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def notifying(*listeners: Callable[[Sequence[Answered]], object]) -> Observer:
    """Return an observer that passes answers on to the ``listeners``, many at a time.

    It does so once the event loop has sent the answers that are ready: writing a log line for each
    by itself takes as long as sending the answer.
    """
    answers: list[Answered] = []

    def pass_on() -> None:
        given = tuple(answers)
        answers.clear()
        for each in listeners:
            each(given)

    def observe(request: Request, route: Route | None, status: int, seconds: float) -> None:
        if not answers:
            asyncio.get_running_loop().call_soon(pass_on)
        # A method that no route has may be anything.
        method, template = (NONE, NONE) if route is None else (request.method, route.template)
        answers.append(Answered(method, template, status, seconds, request.request_id))

    return observe


def forget_process(pid: int) -> None:
    """Remove a dead process's gauges; its counters stay."""
    # Imported late: the library reads the folder of the counts when it is imported.
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
