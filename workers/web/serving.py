"""A process that serves: uvicorn with our bounds, and a stop that loses nothing (contract §12)."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from socket import socket
from types import FrameType
from typing import Any, Final, NamedTuple

import sqlalchemy
import structlog
import uvicorn
import uvloop

from halo_engine.engine import Engine
from halo_engine.network import is_of_this_machine, networks
from halo_engine.operators.proof import Keyring
from halo_engine.operators.sessions import Sessions
from halo_engine.settings import Settings

from ..connections import database_answers, schema_is_current
from ..logs.access import Answered, access_log
from ..tracing.spans import tracer
from .app import Application, Observer
from .bell import Bell
from .connections import IDLE_SECONDS, BoundedConnection
from .counting import notifying
from .endpoints.applications import Applications
from .endpoints.customerio import CustomerIo
from .endpoints.documentation import documentation_routes
from .endpoints.health import Health
from .endpoints.hooks import Hooks
from .endpoints.imports import Imports
from .endpoints.operator_keys import OperatorKeys
from .endpoints.operators import Operators, SendTask
from .endpoints.segment import Segment
from .gathering import Gatherer
from .links.endpoints import Links
from .links.notes import LinkNotes
from .listening import url_of
from .messages.proxies import Proxies
from .messages.rates import Rates
from .panel.origins import origin_of
from .panel.panel import Panel
from .routes import Route, Routes, Shows
from .threads import Threads
from .traced import describe, traced

#: The most sets under way at once.
WRITERS: Final = 2
#: The most calls of operators under way at once.
CALLERS: Final = 4
#: How long such a call may wait, beside the time of a statement.
_WAITS_SECONDS: Final = 30.0
#: How long a stopping process answers that it stops, at least.
_REFUSES_SECONDS: Final = 0.5
#: How long it waits for accepted requests, and then for connections to close.
_ANSWERS_SECONDS: Final = 30.0
_CLOSES_SECONDS: Final = 2

_log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """uvicorn's server; at the first signal it stops accepting calls, at the second it ends."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application
        self._stopped_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- uvicorn's
        """Begin to stop; a second signal ends the process at once."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._application.stop()
            _log.info("stops")
        else:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end: once all accepted requests are answered."""
        ends = await super().on_tick(counter)
        if self._stopped_at is None or ends:
            return ends
        since = time.monotonic() - self._stopped_at
        is_over = self._application.is_at_rest and since > _REFUSES_SECONDS
        return is_over or since > _ANSWERS_SECONDS


class Broker(NamedTuple):
    """What a process sends to workers: rings of doorbells, and tasks; ``count_messages`` counts
    the messages that wait.
    """

    ring: Callable[[Any], object]
    send_task: SendTask
    count_messages: Callable[[], Any] | None = None


#: Makes the application that is served at a URL; the stack ends what runs beside it.
Assemble = Callable[[str, AsyncExitStack], Application]


def serve(listening: socket, assemble: Assemble, say_ready: Callable[[], None]) -> None:
    """Serve on a listening socket until told to stop."""
    _allow_many_files()
    uvloop.run(_serve(listening, assemble, say_ready))


async def _serve(listening: socket, assemble: Assemble, say_ready: Callable[[], None]) -> None:
    async with AsyncExitStack() as stack:
        application = assemble(url_of(listening), stack)
        config = _config(traced(application) if tracer() else application)
        server = _Server(config, application)
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        say_ready()
        await serving


def of_one_database(
    settings: Settings, engine: Callable[[Callable[[Any], object]], Engine], broker: Broker
) -> Assemble:
    """Return what makes the application of an installation with one database.

    ``engine`` makes the engine, given what it rings.
    """

    def assemble(url: str, stack: AsyncExitStack) -> Application:
        bell = Bell(broker.ring)
        stack.callback(bell.close)
        made = engine(bell.note)
        metrics = metrics_at(settings, url, lambda: [made.database], broker, stack)
        own = routes_of(settings, url, made, broker.send_task, metrics.counts.set_of, stack)
        return build(
            settings,
            [*metrics.routes(), *documentation_routes(), *own.routes],
            metrics.counts.answers,
            own.shows_unknown,
            _is_ready,
        )

    return assemble


def metrics_at(
    settings: Settings,
    url: str,
    databases: Callable[[], Sequence[sqlalchemy.Engine]],
    broker: Broker,
    stack: AsyncExitStack,
    further: Callable[[], Iterable[Any]] | None = None,
) -> Any:
    """Return the metrics of this process and its ``databases``; ``further`` collects what replaces
    the numbers of the one database.
    """
    # Imported late: the library reads the folder of the counts when it is imported.
    from .metrics.endpoint import Metrics  # noqa: PLC0415

    is_private = is_of_this_machine(settings.public_url or url)
    metrics = Metrics(
        databases,
        token=None if is_private else settings.metrics_token,
        is_hidden=not is_private and settings.metrics_token is None,
        count_messages=broker.count_messages,
        further=further,
    )
    stack.callback(asyncio.ensure_future(metrics.note_pool()).cancel)
    return metrics


class OwnRoutes(NamedTuple):
    """The routes of calls that one database answers; ``shows_unknown`` is how a problem is shown
    that no route has.
    """

    routes: Sequence[Route]
    shows_unknown: Shows


def routes_of(
    settings: Settings,
    url: str,
    engine: Engine,
    send_task: SendTask,
    note_set: Callable[[int], None],
    stack: AsyncExitStack,
) -> OwnRoutes:
    """Return the routes of an engine's calls, with threads and caches of their own."""
    own_url = settings.public_url or url
    gatherer = Gatherer(engine, writers=WRITERS, most_waiting=settings.web_queue, note_set=note_set)
    stack.callback(gatherer.close)
    patience = settings.statement_timeout_seconds + _WAITS_SECONDS
    threads = Threads(CALLERS, settings.web_queue, patience)
    stack.callback(threads.close)
    notes = LinkNotes(engine)
    stack.callback(notes.close)
    keys = OperatorKeys(Keyring(engine.database), threads)
    operators = Operators(engine, threads, keys.proof, send_task)
    sessions = Sessions(engine.database, keys.keyring)
    links_work = is_of_this_machine(own_url)
    panel = Panel(operators, sessions, origin_of(own_url), links_work=links_work)
    routes = [
        *Applications(engine, gatherer, threads, keys.application).routes(),
        *Segment(engine, gatherer, threads, keys).routes(),
        *CustomerIo(engine, gatherer, threads, keys).routes(),
        *operators.routes(),
        Imports(operators).route(),
        *Links(engine, threads, notes).routes(),
        *Hooks(engine, threads, settings.mail_hook_secrets).routes(),
        *panel.routes(),
    ]
    return OwnRoutes(routes, panel.shows_unknown)


def _observers(settings: Settings, count: Callable[[Sequence[Answered]], None]) -> list[Observer]:
    """Return what each answer is passed to: its span, the counts, the access log."""
    listeners = [count]
    if settings.access_log:
        listeners.append(access_log(settings.log_format))
    # The span of a request ends with its answer: it is described first.
    return [describe, notifying(*listeners)] if tracer() else [notifying(*listeners)]


def _config(served: Any) -> uvicorn.Config:
    """Return uvicorn's configuration, with everything off that we do ourselves."""
    return uvicorn.Config(
        served,
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=_CLOSES_SECONDS,
    )


def build(
    settings: Settings,
    routes: Iterable[Route],
    count: Callable[[Sequence[Answered]], None],
    shows: Shows | None,
    looks: Callable[[], Mapping[str, Any] | None],
) -> Application:
    """Return the application with these routes, and those of its health (``looks``); ``shows``
    turns a problem of a path without a route into what the caller reads.
    """
    health = Health(looks, lambda: application.stopping)
    application = Application(
        Routes([*health.routes(), *routes]),
        Proxies(networks(settings.trusted_proxies)),
        rates=Rates(settings.web_rate) if settings.web_rate else None,
        observers=_observers(settings, count),
        shows=shows,
    )
    return application


def _is_ready() -> Mapping[str, Any] | None:
    return {} if database_answers() and schema_is_current() else None


def _allow_many_files() -> None:
    """Raise the limit of open files, and so of connections, as far as allowed."""
    _, most = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (most, most))
