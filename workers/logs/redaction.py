"""Decide what a log may show: numbers, ids and our own words; nothing of a call, mail or login.

This file lists what is safe; everything else is left out. A library's line keeps its template and
the arguments that are known to be harmless. Of an error it shows the type and the code, and the
message only if it is about a server.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from uuid import UUID

import psycopg
import redis
from billiard.exceptions import WorkerLostError
from celery.beat import SchedulingError
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import DBAPIError

from halo_engine.database import problem_of
from halo_engine.domain.errors import Refusal, printable
from halo_engine.mail.transports.transports import Failure
from halo_engine.server_urls import masked
from halo_engine.settings import ConfigurationError

#: The text in place of something that is left out.
WITHHELD: Final = "…"
#: Longer texts are cut.
LONGEST: Final = 1_000

#: Texts among a library's arguments that hold no personal data.
_HARMLESS: Final = re.compile(
    r"(halo|celery)(\.[a-z_]{1,30}){1,3}"  # a task, or one of our queues
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|raised (un)?expected|rejected|INTERNAL ERROR"
    r"|(Fork)?PoolWorker-\d+|signal \d+ \(SIG\w+\)|exitcode \d+"
    r"|Trying again in \d+\.\d+ seconds\.\.\.( \(\d+/\d+\))?"
)
_SERVER: Final = re.compile(r"(rediss?|redis\+socket|postgresql)://\S+")
#: An error of Redis begins with a code in capitals; the rest may repeat a command.
_REDIS_CODE: Final = re.compile(r"\A[A-Z]{2,20}\b")
_SMTP_CODE: Final = re.compile(r"\b[245]\d\d( [245]\.\d{1,3}\.\d{1,3})?\b")
#: Only so many of a traceback's innermost frames are shown.
_MOST_FRAMES: Final = 12
_LIBRARIES: Final = "site-packages/"
_PROJECT: Final = f"{Path(__file__).resolve().parents[2]}/"


_Types = type[BaseException] | tuple[type[BaseException], ...]


def safe_words(error: BaseException) -> str:
    """Return the error's type, and the part of its message that a log may show."""
    say = next((say for types, say in _SAID.items() if isinstance(error, types)), None)
    words = printable(say(error), LONGEST) if say else ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _code(pattern: re.Pattern[str]) -> Callable[[BaseException], str]:
    """Return a function that finds the code in an error's message."""

    def said(error: BaseException) -> str:
        found = pattern.search(str(error))
        return found[0] if found else ""

    return said


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__
    return safe_words(cause) if cause is not None else ""


#: How an error is shown: the first type that fits counts. Of any other error only the type is
#: shown.
_SAID: Final[Mapping[_Types, Callable[[Any], str]]] = {
    Refusal: lambda error: f"{error.status} {error.code}",
    (ConfigurationError, WorkerLostError): _first_line,
    (DBAPIError, psycopg.Error): problem_of,
    Failure: _code(_SMTP_CODE),
    (redis.ConnectionError, redis.TimeoutError): _first_line,
    redis.ResponseError: _code(_REDIS_CODE),
    (BrokerError, SchedulingError): _cause,
    OSError: lambda error: error.strerror or "",
}


def raised_at(traceback: TracebackType | None) -> str:
    """Return where the error was raised, innermost first: files, lines and functions only."""
    frames = list(_frames(traceback))[-_MOST_FRAMES:]
    return " < ".join(reversed(frames))


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        yield f"{_path(code.co_filename)}:{traceback.tb_lineno} {code.co_name}"
        traceback = traceback.tb_next


def _path(name: str) -> str:
    return name.rpartition(_LIBRARIES)[2].removeprefix(_PROJECT)


def safe_value(value: object) -> object:
    """Return how one of our own lines shows a value.

    Our code chooses the texts that it logs, so they stay; of a collection only the type is shown.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else WITHHELD
    if isinstance(value, Enum):
        return safe_value(value.value)
    if isinstance(value, str | UUID | Path):
        return printable(str(value), LONGEST)
    if isinstance(value, BaseException):
        return safe_words(value)
    return f"<{type(value).__name__}>"


def safe_line(record: logging.LogRecord) -> str:
    """Return what a log may show of a library's entry: its template, and the safe arguments."""
    template = record.msg
    if isinstance(template, BaseException):
        return safe_words(template)
    if not isinstance(template, str):
        return WITHHELD
    if not record.args:
        # The template may be filled in already: name the line of code instead.
        return f"{WITHHELD} ({_path(record.pathname)}:{record.lineno})"
    # The lines after the first hold hints, and dumps of messages.
    line = next((each for each in template.splitlines() if each.strip()), "")
    try:
        return printable(line % _safe_arguments(record.args), LONGEST)
    except (TypeError, ValueError, KeyError):
        return _filled(line, record.args)


def _filled(line: str, arguments: tuple[object, ...] | Mapping[str, object]) -> str:
    """Fill a template's first line with as many of the arguments as it takes."""
    if isinstance(arguments, tuple):
        for taken in range(len(arguments) - 1, -1, -1):
            try:
                return printable(line % _safe_arguments(arguments[:taken]), LONGEST)
            except (TypeError, ValueError):
                continue
    return printable(line, LONGEST)


def _safe_arguments(arguments: tuple[object, ...] | Mapping[str, object]) -> Any:
    if isinstance(arguments, Mapping):
        return {name: _safe_argument(value) for name, value in arguments.items()}
    return tuple(map(_safe_argument, arguments))


class _Words(str):
    """A text whose ``repr`` is the text itself: templates ask for ``%s`` or ``%r``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _safe_argument(argument: object) -> object:
    if isinstance(argument, bool | int | float | None):
        return safe_value(argument)
    if isinstance(argument, BaseException):
        return _Words(safe_words(argument))
    text = str(argument) if isinstance(argument, str | UUID) else ""
    if _SERVER.fullmatch(text):
        return _Words(masked(text))
    return _Words(text if _HARMLESS.fullmatch(text) else WITHHELD)
