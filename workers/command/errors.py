"""The messages of the `halo` command about errors that its user can act on."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from redis import RedisError
from sqlalchemy.exc import DBAPIError

from halo_engine import migrate
from halo_engine.cells.asking import NoAnswer
from halo_engine.cells.engine import CellGone
from halo_engine.domain.errors import Refusal
from halo_engine.server_urls import one_line
from halo_engine.settings import ConfigurationError

from ..stack.children import StackError

_DOCTOR: Final = "(`halo doctor` tells more)"


def words(error: Exception) -> str | None:
    """Return the one line to print instead of a traceback; None for any other error."""
    say = next((say for types, say in _SAID.items() if isinstance(error, types)), None)
    return say(error) if say else None


def _without_input(_: RuntimeError) -> str | None:
    return None if sys.stdin is not None else "there is no standard input to read"


def _broker(error: RedisError) -> str:
    return f"broker: {one_line(error, os.environ.get('HALO_BROKER_URL', ''))} {_DOCTOR}"


def _database(error: DBAPIError) -> str:
    if migrate.is_of_another_schema(error):
        return migrate.OF_ANOTHER_SCHEMA
    said = one_line(error.orig or error, os.environ.get("HALO_DATABASE_URL", ""))
    return f"{said} {_DOCTOR}"


def _no_answer(error: NoAnswer) -> str:
    return f"no answer from {error} {_DOCTOR}"


def _gone(error: CellGone) -> str:
    return f"the directory knows no cell {error} {_DOCTOR}"


def _cannot(error: OSError) -> str:
    """Say which file could not be read or written; without a name it is the output."""
    where = "the output" if error.filename is None else str(error.filename)
    return f"{where}: {error.strerror or error}"


_Types = type[Exception] | tuple[type[Exception], ...]

#: The message for each type of error; the first that fits counts.
_SAID: Final[Mapping[_Types, Callable[[Any], str | None]]] = {
    (ConfigurationError, StackError, Refusal): str,
    UnicodeEncodeError: lambda _: "what was typed is no text; allowed is UTF-8",
    RuntimeError: _without_input,
    NoAnswer: _no_answer,
    CellGone: _gone,
    RedisError: _broker,
    # The reader of our output closed it; click ends quietly.
    BrokenPipeError: lambda _: None,
    OSError: _cannot,
    DBAPIError: _database,
}
