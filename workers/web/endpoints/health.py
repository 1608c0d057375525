"""Answer whether the process lives, and whether it can serve (contract §12)."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from ..messages.requests import Request
from ..messages.responses import Response, answered, problem
from ..routes import Caller, Route
from .proofs import anybody

#: The answer takes no longer than this, whatever the database does.
_PATIENCE_SECONDS: Final = 0.9


@dataclass
class Health:
    """Answers ``/healthz`` and ``/readyz``.

    ``looks`` returns what there is to say if the database is there, with this version's schema;
    else None. It may hang, so it runs in a thread, one check at a time, whose result goes to all
    requests meanwhile.
    """

    looks: Callable[[], Mapping[str, Any] | None]
    is_stopping: Callable[[], bool]
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="halo-ready")
    )
    _look: asyncio.Future[Mapping[str, Any] | None] | None = None

    def routes(self) -> tuple[Route, ...]:
        """Return the routes."""
        return (
            Route("GET", "/healthz", anybody, self._lives, always=True),
            Route("GET", "/readyz", anybody, self._is_ready, always=True),
        )

    async def _lives(self, _request: Request, _caller: Caller) -> Response:
        return answered({"ok": True})

    async def _is_ready(self, _request: Request, _caller: Caller) -> Response:
        if self.is_stopping():
            return _not_ready("stopping", "The server stops.")
        if self._look is None or self._look.done():
            loop = asyncio.get_running_loop()
            self._look = loop.run_in_executor(self._thread, self.looks)
        # A next request may begin another check before this one's result is read.
        look = self._look
        done, _ = await asyncio.wait([look], timeout=_PATIENCE_SECONDS)
        if not done:
            return _not_ready("database_away", "The database does not answer within a second.")
        if look.exception() is not None or (found := look.result()) is None:
            problem_ = "The database is away, or its schema is of another version (`halo doctor`)."
            return _not_ready("database_away", problem_)
        return answered({"ok": True, **found})


def _not_ready(code: str, detail: str) -> Response:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, code, detail, ((b"retry-after", b"1"),))
