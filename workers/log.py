"""One line an entry on standard error, with the task it belongs to."""

import logging
import logging.config
from typing import Any

import structlog
from structlog.types import Processor

from halo_engine.settings import load_settings

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(log_format: str = "console", level: int = logging.INFO) -> None:
    """Send what structlog and the standard library log to standard error, as text or as JSON."""
    renderer: Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer()
        failure: list[Processor] = [structlog.processors.dict_tracebacks]
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
        failure = []
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *failure,
                renderer,
            ],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)


def configure_worker_logging(loglevel: int | str = logging.INFO, **_: object) -> None:
    """Take logging over from Celery (its `setup_logging` signal)."""
    level = loglevel if isinstance(loglevel, int) else logging.getLevelNamesMapping()[loglevel]
    configure_logging(load_settings().log_format, level)


def name_task(task_id: str, task: Any, **_: object) -> None:
    """Put the task's name and id on every line from here on (signal `task_prerun`)."""
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)


def forget_task(**_: object) -> None:
    """Take the task's name and id off again (signal `task_postrun`)."""
    structlog.contextvars.clear_contextvars()
