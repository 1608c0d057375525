"""What a log may say: numbers, ids and our own words; nothing of a call, a mail or a login.

This file lists what is safe; everything else is left out. A library's line keeps its template and
the arguments that are known to be harmless. An error keeps its type and its code, and its words
only where they are about a server.
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
from halo_engine.delivery.transports import Failure
from halo_engine.domain.errors import Refusal, printable
from halo_engine.server_urls import masked
from halo_engine.settings import ConfigurationError

#: What stands for something that is not said.
WITHHELD: Final = "…"
#: Longer texts are cut.
LONGEST: Final = 1_000

#: Texts among a library's arguments that hold nobody's data.
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
#: The innermost frames of a traceback tell most.
_MOST_FRAMES: Final = 12
_LIBRARIES: Final = "site-packages/"
_PROJECT: Final = f"{Path(__file__).resolve().parent.parent}/"


_Types = type[BaseException] | tuple[type[BaseException], ...]


def told(error: BaseException) -> str:
    """Return the error's type, and those of its words that a log may hold."""
    say = next((say for types, say in _SAID.items() if isinstance(error, types)), None)
    words = printable(say(error), LONGEST) if say else ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _code(pattern: re.Pattern[str]) -> Callable[[BaseException], str]:
    """Return a function that picks the code out of an error's words."""

    def said(error: BaseException) -> str:
        found = pattern.search(str(error))
        return found[0] if found else ""

    return said


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__
    return told(cause) if cause is not None else ""


#: What is said of an error: the first line that fits decides. Any other shows its type alone.
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
    places = list(_places(traceback))[-_MOST_FRAMES:]
    return " < ".join(reversed(places))


def _places(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        yield f"{_path(code.co_filename)}:{traceback.tb_lineno} {code.co_name}"
        traceback = traceback.tb_next


def _path(name: str) -> str:
    return name.rpartition(_LIBRARIES)[2].removeprefix(_PROJECT)


def value_told(value: object) -> object:
    """Return how one of our own lines shows a value.

    Our code chooses the texts that it logs, so they stay; a collection shows its type alone.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else WITHHELD
    if isinstance(value, Enum):
        return value_told(value.value)
    if isinstance(value, str | UUID | Path):
        return printable(str(value), LONGEST)
    if isinstance(value, BaseException):
        return told(value)
    return f"<{type(value).__name__}>"


def library_told(record: logging.LogRecord) -> str:
    """Return what a library's entry may say: its template, and those arguments that are safe."""
    template = record.msg
    if isinstance(template, BaseException):
        return told(template)
    if not isinstance(template, str):
        return WITHHELD
    if not record.args:
        # The template may be filled in already: name its place in the code instead.
        return f"{WITHHELD} ({_path(record.pathname)}:{record.lineno})"
    # The lines after the first hold hints, and dumps of messages.
    line = next((each for each in template.splitlines() if each.strip()), "")
    try:
        return printable(line % _arguments_told(record.args), LONGEST)
    except (TypeError, ValueError, KeyError):
        return _filled(line, record.args)


def _filled(line: str, arguments: tuple[object, ...] | Mapping[str, object]) -> str:
    """Fill a template's first line with as many of the arguments as it takes."""
    if isinstance(arguments, tuple):
        for taken in range(len(arguments) - 1, -1, -1):
            try:
                return printable(line % _arguments_told(arguments[:taken]), LONGEST)
            except (TypeError, ValueError):
                continue
    return printable(line, LONGEST)


def _arguments_told(arguments: tuple[object, ...] | Mapping[str, object]) -> Any:
    if isinstance(arguments, Mapping):
        return {name: _argument_told(value) for name, value in arguments.items()}
    return tuple(map(_argument_told, arguments))


class _Words(str):
    """A text whose ``repr`` is the text itself: templates ask for ``%s`` or ``%r``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _argument_told(argument: object) -> object:
    if isinstance(argument, bool | int | float | None):
        return value_told(argument)
    if isinstance(argument, BaseException):
        return _Words(told(argument))
    text = str(argument) if isinstance(argument, str | UUID) else ""
    if _SERVER.fullmatch(text):
        return _Words(masked(text))
    return _Words(text if _HARMLESS.fullmatch(text) else WITHHELD)
