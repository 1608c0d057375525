"""Statements as people read them: formatted, with the names of their parameters."""

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from types import NoneType
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql import psycopg

import halo_engine
from halo_engine.cli.statements.samples import MOMENT, shown_with
from halo_engine.domain.errors import not_found
from halo_engine.domain.series.definition import Series
from halo_engine.sql.parameters import PARAMETERS
from halo_engine.sql.prepared import Later, Prepared
from halo_engine.sql.statements import DECLARED, Statement, unmarked

_DIALECT: Final = psycopg.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_NUMBERED: Final = re.compile(r"\$(\d+)")
_FIRST_WORD: Final = re.compile(r"\w+")
#: PostgreSQL plans these; the rest are commands without a plan.
_PLANNED: Final = frozenset({"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"})


@dataclass(frozen=True)
class Shown:
    """A statement: its text with ``$1``, ``$2`` …, and what these stand for, in order: the name of
    a parameter, or a constant in SQL.
    """

    name: str
    declared_in: str
    summary: str | None
    text: str
    values: Sequence[str]

    @property
    def verb(self) -> str:
        """Its first word."""
        [verb] = _FIRST_WORD.findall(self.text)[:1]
        return str(verb)

    @property
    def has_plan(self) -> bool:
        """Whether PostgreSQL can explain it."""
        return self.verb in _PLANNED

    @property
    def parameters(self) -> list[str]:
        """The names of its parameters, in the order of their first use."""
        numbers = [int(number) - 1 for number in _NUMBERED.findall(self.text)]
        named = [self.values[number] for number in numbers]
        return [each.removeprefix(":") for each in dict.fromkeys(named) if each.startswith(":")]

    def with_values(self, value: Callable[[str], str]) -> str:
        """Return the text with values in place of the numbers; ``value`` makes one of a
        parameter's name.
        """

        def put(number: re.Match[str]) -> str:
            given = self.values[int(number[1]) - 1]
            return value(given[1:]) if given.startswith(":") else given

        return _NUMBERED.sub(put, self.text)

    def formatted(self) -> str:
        """Return it as a file: comments about it, then the statement with named parameters."""
        # Imported late: only people who read statements need it.
        import sqlparse  # noqa: PLC0415

        about = [self.name, *([self.summary] if self.summary else []), self.declared_in]
        if self.parameters:
            about.append(f"Parameters: {', '.join(map(_with_type, self.parameters))}")
        text = self.with_values(lambda name: f":{name}")
        lines = sqlparse.format(text, reindent=True).splitlines()
        return "\n".join([*(f"-- {line}" for line in about), *map(str.rstrip, lines)]) + ";\n"


def load_statements() -> None:
    """Import every module of the engine, so that all its statements are declared."""
    for module in pkgutil.walk_packages(halo_engine.__path__, f"{halo_engine.__name__}."):
        importlib.import_module(module.name)


def all_shown() -> list[Shown]:
    """Return all statements that are declared, by name."""
    load_statements()
    return [show(name) for name in sorted(DECLARED)]


def show(name: str, series: Series | None = None) -> Shown:
    """Return a statement; ``series`` replaces the sample series.

    Raises 404 for an unknown name.
    """
    load_statements()
    if name not in DECLARED:
        raise not_found("statement", name)
    declared = DECLARED[name]
    compiled = Prepared(_built(declared, series)).compiled(_DIALECT)
    own = {**compiled.own, **{name: Later(value) for name, value in compiled.later.items()}}
    return Shown(
        name,
        _file_of(declared),
        _summary(declared),
        unmarked(compiled.text).strip(),
        [
            f":{parameter}" if parameter not in own else _value(own[parameter], write)
            for parameter, write in compiled.parameters
        ],
    )


def _built(declared: Statement[..., Executable], series: Series | None) -> Executable:
    return declared(**shown_with(declared, series))


def _file_of(declared: Statement[..., Executable]) -> str:
    # The command runs under the name that the package is installed by.
    module = re.sub(r"\Ahalo_workers\b", "workers", declared.module)
    return str(PurePosixPath(*module.split("."))) + ".py"


def _summary(declared: Statement[..., Executable]) -> str | None:
    """Return the first sentence of the builder's docstring, in one line."""
    said = " ".join((declared.build.__doc__ or "").split())
    return said.partition(". ")[0].rstrip(".") or None


def _with_type(name: str) -> str:
    if name not in PARAMETERS:
        return name
    type_ = PARAMETERS[name].type.compile(dialect=_DIALECT)
    return f"{name} {type_.lower()}"


def _value(value: Any, write: Callable[[Any], Any] | None) -> str:
    """Return the name of the parameter that has this value as its sample, else the value in SQL."""
    if type(value) is Later:
        value = value.value(MOMENT)
    for name, each in PARAMETERS.items():
        if type(each.sample) is type(value) and each.sample == value:
            return f":{name}"
    return literal(value if write is None else write(value))


def literal(value: Any) -> str:
    """Return a value in SQL."""
    text = _text(value)
    if value is None or isinstance(value, bool | int | float):
        return text
    return f"INTERVAL {quoted(text)}" if isinstance(value, timedelta) else quoted(text)


def _text(value: Any) -> str:
    for type_, write in _WRITTEN.items():
        if isinstance(value, type_):
            return write(value)
    return str(value)


#: How a value is written as text; the first type that fits counts.
_WRITTEN: Final[Mapping[type, Callable[[Any], str]]] = {
    NoneType: lambda _: "NULL",
    bool: lambda value: str(value).lower(),
    bytes: lambda value: f"\\x{value.hex()}",
    datetime: lambda value: value.isoformat(sep=" "),
    timedelta: lambda value: f"{value.days} days {value.seconds} seconds",
    Jsonb: lambda value: json.dumps(value.obj),
    list: lambda value: "{" + ",".join(_item(_text(each)) for each in value) + "}",
}


def quoted(text: str) -> str:
    """Return a text as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _item(text: str) -> str:
    return text if re.fullmatch(r"[\w.:-]+", text) else json.dumps(text)
