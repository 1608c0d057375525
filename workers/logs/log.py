"""The log of a process on standard error: one line of bounded length for each entry.

Every line passes through ``_Line``. ``redaction`` decides what an entry may show: at no level
anything of a call, a mail or a login. Libraries' entries are written from WARNING on.
"""

import json
import logging
import logging.config
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from types import TracebackType
from typing import Any, Final

import billiard.util
import structlog
from celery.exceptions import Reject
from structlog.typing import EventDict

from halo_engine.domain.errors import printable
from halo_engine.server_urls import passwords
from halo_engine.settings import Settings, load_settings

from ..tracing.causes import logged
from .redaction import raised_at, safe_line, safe_value, safe_words

#: No line is longer, its newline included.
MOST_BYTES: Final = 8 * 1024
#: Values are cut to so many characters, in turn, until the line is short enough.
_CUTS: Final = (1_000, 200, 40)
#: The line that replaces one that is still too long.
_ALWAYS: Final = ("timestamp", "level", "event")

_OURS: Final = ("halo_engine", __name__.partition(".")[0])
#: Loggers that are left out at every level: Python's warnings quote source code.
_UNHEARD: Final = frozenset({"py.warnings"})

#: So many warnings or errors of one kind are written within so many seconds. The next one after
#: that time says how many were left out.
_MOST_ALIKE: Final = 20
_ALIKE_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)

Render = Callable[[EventDict], str]


def configure_logging(
    log_format: str = "console", level: int = logging.INFO, *, secrets: tuple[str, ...] = ()
) -> None:
    """Send what structlog and the standard library log to standard error, as text or as JSON.

    ``secrets`` are replaced by ``***`` if one ever gets into a line.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = _StandardError()
    handler.addFilter(_is_heard)
    handler.addFilter(_RepeatLimit().lets_through)
    handler.setFormatter(_Line(_as_json if log_format == "json" else _as_text(), secrets))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    # Billiard's logger does not propagate, and without a handler it prints whole tracebacks.
    billiard.util.get_logger().propagate = True
    sys.excepthook = _say_end


def configure_worker_logging(loglevel: int | str = logging.INFO, **_: object) -> None:
    """Take logging over from Celery (its `setup_logging` signal)."""
    level = loglevel if isinstance(loglevel, int) else logging.getLevelNamesMapping()[loglevel]
    settings = load_settings()
    configure_logging(settings.log_format, level, secrets=_secrets(settings))


def _secrets(settings: Settings) -> tuple[str, ...]:
    urls = (settings.database_url, settings.broker_url, settings.smtp_url)
    tokens = (settings.metrics_token,) if settings.metrics_token else ()
    return (*tokens, *(each for url in urls if url for each in passwords(url)))


def name_task(task_id: str, task: Any, **_: object) -> None:
    """Add the task's name and id to every line from now on (signal `task_prerun`)."""
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)


def forget_task(**_: object) -> None:
    """Stop adding the task's name and id (signal `task_postrun`)."""
    structlog.contextvars.clear_contextvars()


def _say_end(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Log the error that ended the process; Python would print its whole message."""
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("ended by an error", error=safe_words(error), at=raised_at(traceback))


def _is_heard(record: logging.LogRecord) -> bool:
    if record.name.partition(".")[0] in _OURS:
        return True
    return (
        record.levelno >= logging.WARNING
        and record.name not in _UNHEARD
        # A call that waits for its servers: our own line says so.
        and not (record.exc_info and isinstance(record.exc_info[1], Reject))
    )


@dataclass
class _RepeatLimit:
    """Leaves out warnings and errors of one kind that come too often."""

    clock: Callable[[], float] = monotonic
    _began: float = 0.0
    _written: dict[tuple[str, str], int] = field(default_factory=dict)
    _left_out: dict[tuple[str, str], int] = field(default_factory=dict)

    def lets_through(self, record: logging.LogRecord) -> bool:
        """Whether to write the entry; the first of a kind after some were left out counts them."""
        if record.levelno < logging.WARNING:
            return True
        if self.clock() - self._began >= _ALIKE_SECONDS:
            self._began = self.clock()
            self._written.clear()
        said = record.msg.get("event") if isinstance(record.msg, dict) else record.msg
        kind = (record.name, said if isinstance(said, str) else type(said).__name__)
        written = self._written[kind] = self._written.get(kind, 0) + 1
        if written > _MOST_ALIKE:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        record.left_out = self._left_out.pop(kind, 0)
        return True


class _StandardError(logging.Handler):
    """Writes to the current standard error; an entry that cannot be written is dropped silently."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the entry's line."""
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 -- Python would print the entry with all its arguments
            pass


class _Line(logging.Formatter):
    """Formats an entry of any logger as a line of at most ``MOST_BYTES``."""

    def __init__(self, render: Render, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._render = render
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        entry = self._entry(record)
        for longest in _CUTS:
            line = self._render({name: _cut(value, longest) for name, value in entry.items()})
            if _fits(line):
                return line
        return self._render({name: _cut(entry[name], _CUTS[-1]) for name in _ALWAYS})

    def _entry(self, record: logging.LogRecord) -> dict[str, object]:
        fields = dict(record.msg) if isinstance(record.msg, dict) else {}
        exc_info = fields.pop("exc_info", None) or record.exc_info
        event = fields.pop("event", None) if fields else safe_line(record)
        at = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        entry: dict[str, object] = {
            "timestamp": f"{at.isoformat(timespec='milliseconds')}Z",
            "level": record.levelname.lower(),
            "event": event,
            "logger": record.name,
            **{str(name): value for name, value in fields.items()},
            **logged(),
            **_error_of(exc_info),
        }
        if left_out := getattr(record, "left_out", 0):
            entry["left_out"] = left_out
        return {name: self._hidden(safe_value(value)) for name, value in entry.items()}

    def _hidden(self, value: object) -> object:
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, "***")
        return value


def _error_of(exc_info: Any) -> Mapping[str, object]:
    """Return the fields that describe an entry's exception; empty without one."""
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    elif exc_info is True:
        exc_info = sys.exc_info()
    if not isinstance(exc_info, tuple) or exc_info[1] is None:
        return {}
    _, error, traceback = exc_info
    return {"error": safe_words(error), "at": raised_at(traceback)}


def _cut(value: object, longest: int) -> object:
    return printable(value, longest) if isinstance(value, str) else value


def _fits(line: str) -> bool:
    return len(line.encode()) < MOST_BYTES


def _as_json(entry: EventDict) -> str:
    return json.dumps(entry, separators=(",", ":"))


def _as_text() -> Render:
    renderer = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, pad_level=False)
    return lambda entry: renderer(None, "", entry)
