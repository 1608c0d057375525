"""Threads for blocking work, so that it delays neither the event loop nor the stop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from .app import unavailable

_Result = TypeVar("_Result")
_Held = tuple[Future[Any], Callable[[], Any]]


class Threads:
    """So many ``threads``, and a bounded number of calls that wait for one.

    A call that is not done within ``patience_seconds`` is refused: the database may hang. The
    process does not wait for such a thread, as it would for an executor's.
    """

    def __init__(self, threads: int, most_waiting: int, patience_seconds: float = 90.0) -> None:
        self._most = threads + most_waiting
        self._patience_seconds = patience_seconds
        self._held = 0
        self._counting = threading.Lock()
        self._calls: SimpleQueue[_Held | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"halo-call-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Run ``work`` in a thread, in the caller's context, and return its result.

        Raises a 503 if too many calls wait, or if it takes too long.
        """
        with self._counting:
            if self._held >= self._most:
                raise unavailable("busy", "Too many calls are waiting; try again.")
            self._held += 1
        future: Future[_Result] = Future()
        # Not earlier: a call that was refused may still run in a thread.
        future.add_done_callback(self._let_go)
        self._calls.put((future, partial(copy_context().run, work)))
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise unavailable("busy", "The call was not done in time; try again.") from None

    def close(self) -> None:
        """End the idle threads."""
        for _ in self._threads:
            self._calls.put(None)

    def _let_go(self, _: object) -> None:
        with self._counting:
            self._held -= 1

    def _work(self) -> None:
        while self._work_next():
            # What a thread did last it must not keep until there is more to do.
            pass

    def _work_next(self) -> bool:
        """Wait for a call and do it; return whether there may be more."""
        call = self._calls.get()
        if call is None:
            return False
        future, work = call
        if future.set_running_or_notify_cancel():
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 -- the caller's
                future.set_exception(error)
            else:
                future.set_result(result)
        return True
