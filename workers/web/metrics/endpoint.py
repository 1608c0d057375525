"""The metrics for Prometheus: requests of this server's processes, and the installation (§12).

Each process counts in files of one folder (``PROMETHEUS_MULTIPROC_DIR``); the process that is asked
adds them up. No label names an organisation, and paths are the routes' templates.
"""

import asyncio
import hmac
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

import sqlalchemy
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy.pool import QueuePool

from ...logs.access import Answered
from ..counting import COUNTS_FOLDER
from ..endpoints.proofs import anybody
from ..messages.requests import Request
from ..messages.responses import Problem, Response
from ..routes import Caller, Route
from .cells import InCells
from .collected import CountMessages, InBroker, InDatabase

#: How often each process notes the number of its connections.
_POOL_SECONDS: Final = 1.0


class ProcessCounts:
    """The counts of this process: answers by their routes' templates, and calls in sets."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._answered = Counter(
            "halo_http_requests", "Requests answered.", labels, registry=registry
        )
        self._seconds = Histogram(
            "halo_http_request_seconds",
            "How long answers took.",
            ("method", "route"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=registry,
        )
        self._calls = Histogram(
            "halo_calls_in_set",
            "How many calls went as one set.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200),
            registry=registry,
        )

        # Finding a counter by its labels takes longer than counting.
        self._found: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answers(self, given: Sequence[Answered]) -> None:
        """Count answers."""
        of_kind: defaultdict[tuple[str, str, int], list[float]] = defaultdict(list)
        for it in given:
            of_kind[it.method, it.route, it.status].append(it.seconds)
        for labels, seconds in of_kind.items():
            answered, took = self._found.get(labels) or self._find(*labels)
            answered.inc(len(seconds))
            for each in seconds:
                took.observe(each)

    def _find(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        found = self._found[method, route, status] = (
            self._answered.labels(method, route, str(status)),
            self._seconds.labels(method, route),
        )
        return found

    def set_of(self, calls: int) -> None:
        """Count a set."""
        self._calls.observe(calls)


def _in_use(pool: Any) -> int:
    # How many connections are in use; the library gives no types for it.
    used: int = pool.checkedout() if isinstance(pool, QueuePool) else 0
    return used


def _size(pool: Any) -> int:
    # How many connections the pool keeps; it may open as many more (``database.create_engine``).
    return 2 * pool.size() if isinstance(pool, QueuePool) else 0


class Metrics:
    """Answers ``/metrics``: to anybody if ``token`` is None, else by that token.

    ``is_hidden``: there is no token, and other machines can reach the server. ``databases`` are
    those whose connections are counted, ``further`` collects their numbers where there are several.
    ``count_messages`` counts the broker's messages; None without a broker.
    """

    def __init__(
        self,
        databases: Callable[[], Sequence[sqlalchemy.Engine]],
        *,
        token: str | None = None,
        is_hidden: bool = False,
        count_messages: CountMessages | None = None,
        further: Callable[[], Iterable[Metric]] | None = None,
    ) -> None:
        counts = CollectorRegistry()
        self.counts: Final = ProcessCounts(counts)
        self._databases = databases
        self._in_use = Gauge(
            "halo_pool_in_use",
            "Connections to the database that are in use.",
            registry=counts,
            multiprocess_mode="livesum",
        )
        self._size = Gauge(
            "halo_pool_size",
            "Connections to the database that there may be.",
            registry=counts,
            multiprocess_mode="livesum",
        )
        self._note()
        self._all = counts
        if COUNTS_FOLDER in os.environ:
            self._all = CollectorRegistry()
            MultiProcessCollector(self._all)  # type: ignore[no-untyped-call]
        self._all.register(InCells(further) if further else InDatabase(databases()[0]))
        self._all.register(InBroker(count_messages))
        self._token = token
        self._is_hidden = is_hidden
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="halo-metrics")

    def routes(self) -> Iterable[Route]:
        """Return the route."""
        return (Route("GET", "/metrics", anybody, self._handle, always=True),)

    async def _handle(self, request: Request, _caller: Caller) -> Response:
        if self._is_hidden or not self._is_proven(request):
            raise Problem(HTTPStatus.NOT_FOUND, "unknown_path", "There is nothing at this path.")
        loop = asyncio.get_running_loop()
        body = await loop.run_in_executor(self._thread, self._read)
        return Response(HTTPStatus.OK, body, CONTENT_TYPE_PLAIN_0_0_4.encode())

    def _is_proven(self, request: Request) -> bool:
        if self._token is None:
            return True
        given = request.headers.get(b"authorization", b"")
        return hmac.compare_digest(given, b"Bearer " + self._token.encode())

    async def note_pool(self) -> None:
        """Note each second how many connections this process uses, since another process may be
        asked.
        """
        while True:
            self._note()
            await asyncio.sleep(_POOL_SECONDS)

    def _note(self) -> None:
        pools = [each.pool for each in self._databases()]
        self._in_use.set(sum(map(_in_use, pools)))
        self._size.set(sum(map(_size, pools)))

    def _read(self) -> bytes:
        self._note()
        read: bytes = generate_latest(self._all)
        return read
