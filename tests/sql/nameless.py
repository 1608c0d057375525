"""Watches what is executed: where does the product send a statement that has no name?"""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import currentframe
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from halo_engine.sql.statements import DECLARED
from tests.sql.sent import name_in

_ROOT = Path(__file__).parents[2]
_PRODUCT = (f"{_ROOT}/halo_engine/", f"{_ROOT}/workers/")
#: The demo watches an installation from outside, as tests do.
_OUTSIDE = (f"{_ROOT}/workers/demo/", f"{_ROOT}/workers/stack/")
#: These execute what others give them.
_PASSING_ON = (__file__, f"{_ROOT}/halo_engine/sql/prepared.py", f"{_ROOT}/halo_engine/database.py")
#: Statements of SQLAlchemy's own.
_SAVEPOINTS = ("SAVEPOINT", "RELEASE", "ROLLBACK TO")


@contextmanager
def nameless() -> Iterator[list[str]]:
    """Collect meanwhile, on every engine, each statement of the product without a declared name."""
    found: list[str] = []

    def watch(*executed: Any) -> None:
        text, context = executed[2], executed[4]
        name = context and context.execution_options.get("halo_name")
        if (name or name_in(text)) in DECLARED or text.startswith(_SAVEPOINTS):
            return
        place = _place_in_the_product()
        if place is not None:
            found.append(f"{place} sends a statement that has no declared name: {text}")

    event.listen(Engine, "before_cursor_execute", watch)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", watch)


def _place_in_the_product() -> str | None:
    """Return the line that executes a statement; None if it is a test's or a library's."""
    frame = currentframe()
    while frame is not None and _passes_on(frame.f_code.co_filename):
        frame = frame.f_back
    path = frame.f_code.co_filename if frame is not None else ""
    if frame is None or not path.startswith(_PRODUCT) or path.startswith(_OUTSIDE):
        return None
    return f"{path}:{frame.f_lineno}"


def _passes_on(path: str) -> bool:
    return "/sqlalchemy/" in path or path in _PASSING_ON
