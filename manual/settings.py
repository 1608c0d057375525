"""Makes the page of settings from the fields of `Settings`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from halo_engine.settings import Settings
from manual.markdown import code, table
from manual.shapes import Shape

_INTRODUCTION = """\
# Settings

Environment variables. Worker, beat, web and commands read them when they start; an empty one
counts as unset. A wrong one ends the process with one line that names it; `halo doctor` names
unknown ones. Percent-encode `@`, `:`, `/` and `#` in the passwords of URLs.
[Running it](../guides/running.md) says which variables you need.
"""


def page() -> str:
    """Return the page: each variable with what it may hold, its default, and what it does."""
    return f"{_INTRODUCTION}\n{table(('variable', 'holds', 'default', ''), _rows())}"


def _rows() -> Iterator[tuple[str, ...]]:
    for key in Shape(Settings.model_json_schema()):
        field = Settings.model_fields[key.path]
        yield f"`HALO_{key.path.upper()}`", _holds(key.holds, field), _default(field), key.meaning


def _holds(words: str, field: Any) -> str:
    return "a path" if _is_path(field) else words.removesuffix(", or null")


def _is_path(field: Any) -> bool:
    return Path in (field.annotation, *getattr(field.annotation, "__args__", ()))


def _default(field: Any) -> str:
    default = field.default
    if default is None:
        return ""
    return code(f"{default:g}" if isinstance(default, float) else default)
