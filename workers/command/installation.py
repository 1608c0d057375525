"""This installation as the `halo` command uses it: database, doorbell, workers, queues."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError

from halo_engine.answers.operations.calls import Calls
from halo_engine.cells.directory import Cell
from halo_engine.cells.engine import Cells, of_all
from halo_engine.cells.finding import Finder
from halo_engine.cells.known import KnownDirectory
from halo_engine.cli.installation import Installation
from halo_engine.database import MovedAway, create_engine
from halo_engine.engine import Engine
from halo_engine.server_urls import one_line
from halo_engine.settings import Settings, load_settings
from halo_engine.webhooks.posting import CallRules

from ..configuration import create_app
from ..connections import broker
from ..mail import post_office
from ..stack.folders import throwaway_folder
from ..stack.interruption import Interrupted, interruptible
from ..stack.servers import running_servers
from .queues import calls_waiting, queues_in_use

_PING_SECONDS = 1.0


def installation() -> Installation:
    """Return the installation that the settings name; they are read when it is used."""
    return Installation(_engine, _rehearsal_server, _worker_answers, _calls)


@contextmanager
def _engine() -> Iterator[Engine]:
    """Open the engine: that of the one database, or one that finds each organisation in its
    cell.
    """
    settings = load_settings()
    if settings.directory_url is None:
        with _engine_of(settings) as engine:
            yield engine
        return
    with ExitStack() as stack:

        def make(cell: Cell) -> Engine:
            return stack.enter_context(_engine_of(settings.of_cell(cell.name, cell.url)))

        cells = Cells(Finder(KnownDirectory.at(settings.directory_url)), make)
        stack.callback(cells.close)
        cells.finder.directory.read()
        yield of_all(cells)


@contextmanager
def _engine_of(settings: Settings) -> Iterator[Engine]:
    """Open the engine of one database; without a broker the doorbell does not ring, and the next
    tick finds the work.
    """
    url = settings.required_database_url()
    # Imported late: the import reads the settings, and ends the process if they are wrong.
    from ..doorbell import ring  # noqa: PLC0415

    database = create_engine(
        url,
        application_name="halo-command",
        statement_timeout_seconds=settings.statement_timeout_seconds,
    )
    rules = CallRules(allow_private=settings.webhook_allow_private)
    try:
        if settings.broker_url is None:
            yield Engine(
                database, post_office(settings), interruptions=(MovedAway,), call_rules=rules
            )
        else:
            with create_app(settings) as app:
                yield Engine(
                    database,
                    post_office(settings),
                    ring=lambda org: ring(org, app),
                    interruptions=(MovedAway,),
                    call_rules=rules,
                )
    finally:
        database.dispose()


@contextmanager
def _rehearsal_server() -> Iterator[str]:
    """Yield the URL of the configured database, or of one that is started in a temporary folder."""
    url = load_settings().database_url
    if url is not None:
        yield url
        return
    try:
        with (
            interruptible(),
            throwaway_folder("rehearsal") as folder,
            # Only the database's setting is read.
            running_servers(folder, broker_url="redis://", durable=False) as servers,
        ):
            yield servers.database_url
    except Interrupted as interrupted:
        raise SystemExit(interrupted.exit_status) from None


def _worker_answers() -> bool:
    settings = load_settings()
    if settings.broker_url is None:
        return False
    try:
        with create_app(settings) as app:
            return bool(app.control.inspect(timeout=_PING_SECONDS).ping())
    except (RedisError, BrokerError, OSError):
        return False


def _calls() -> Calls | None:
    settings = load_settings()
    url = settings.broker_url
    if url is None:
        return None
    try:
        return calls_waiting(broker(url), queues_in_use(settings))
    except (RedisError, OSError) as error:
        return Calls(away=one_line(error, url))
