"""The Celery app: `celery -A halo_workers.app worker` and `… beat` start from it."""

import atexit
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from celery import signals
from celery.exceptions import SecurityWarning
from sqlalchemy.exc import DBAPIError

from halo_engine import migrate
from halo_engine.settings import ConfigurationError, load_settings

from .broker.transport import use_this_transport
from .cells import require_cell, require_own_database
from .configuration import create_app
from .connections import close_connections, open_connections
from .logs.log import configure_worker_logging, forget_task, name_task
from .tracing.spans import require_packages
from .tracing.tasks import begin_task, begin_tracing, end_task, end_tracing

_log = structlog.get_logger(__name__)


def _require_servers(**_: object) -> None:
    # Celery's own warning has several lines; ours is logged when the worker is ready.
    warnings.simplefilter("ignore", SecurityWarning)
    with _clear_words():
        settings = load_settings()
        settings.required_database_url()
        settings.required_broker_url()
        require_packages(settings)
        require_own_database(settings)


def _look_at_schema(**_: object) -> None:
    """Log at the start that the schema is not this version's."""
    url = load_settings().required_database_url()
    try:
        current, head = migrate.current_and_head(url)
    except DBAPIError as error:
        _log.error("database", problem=error)
        return
    if current != head:
        _log.error(migrate.OF_ANOTHER_SCHEMA)


def _require_broker(**_: object) -> None:
    with _clear_words():
        settings = load_settings()
        settings.required_broker_url()
        require_cell(settings)


def _say_ready(**_: object) -> None:
    ready_file = load_settings().ready_file
    if ready_file:
        # Beat sends no signal when it stops, and may be stopped as soon as the file is there.
        atexit.register(_say_no_longer_ready)
        ready_file.touch()
    _log.info("ready")
    if os.geteuid() == 0:
        _log.warning("runs as root: better give it an account of its own")


def _say_no_longer_ready(**_: object) -> None:
    """Delete the ready file: at the end, and at the start, if a killed process left one."""
    ready_file = load_settings().ready_file
    if ready_file:
        ready_file.unlink(missing_ok=True)


def _answer_to_any_queue(**_: object) -> None:
    """Let this pool process publish answers to the queues that callers name (`link`)."""
    for finder in (app.amqp.queues, app.amqp.router):
        vars(finder)["create_missing"] = True


@contextmanager
def _clear_words() -> Iterator[None]:
    """End with one line and no traceback when a setting is missing or wrong."""
    try:
        yield
    except ConfigurationError as error:
        raise SystemExit(f"halo: {error}") from None


signals.celeryd_init.connect(_require_servers)
signals.celeryd_init.connect(use_this_transport)
signals.beat_init.connect(_require_broker)
signals.celeryd_init.connect(_say_no_longer_ready)
signals.beat_init.connect(_say_no_longer_ready)
signals.setup_logging.connect(configure_worker_logging)
signals.worker_process_init.connect(begin_tracing)
signals.worker_process_init.connect(open_connections)
signals.worker_process_init.connect(_answer_to_any_queue)
signals.worker_process_shutdown.connect(close_connections)
signals.worker_process_shutdown.connect(end_tracing)
signals.worker_ready.connect(_look_at_schema)
signals.worker_ready.connect(_say_ready)
signals.beat_init.connect(_say_ready)
signals.worker_shutting_down.connect(_say_no_longer_ready)
signals.task_prerun.connect(begin_task)
signals.task_prerun.connect(name_task)
signals.task_postrun.connect(end_task)
signals.task_postrun.connect(forget_task)

with _clear_words():
    app = create_app(load_settings(), set_as_current=True)
