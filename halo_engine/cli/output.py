"""Printing: tables and sentences for people, JSON for programs, colours on terminals."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.progress import Progress, ProgressColumn
from rich.table import Table
from rich.text import Text

from halo_engine.domain.phrases import on_the_clock

NOTHING: Final = "-"

#: The width without a terminal, so that nothing is wrapped.
_WIDE: Final = 10_000


def print_json(answer: object) -> None:
    """Print an answer, or a structure of answers, as JSON."""
    click.echo(json.dumps(_data(answer), indent=2, ensure_ascii=False))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()
) -> None:
    """Print a table; columns in ``numbers`` are aligned right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*[Text(plain(cell)) for cell in row])
    _print(table)


def print_facts(facts: Mapping[str, object], indent: int = 0) -> None:
    """Print names and values in two columns."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(" " * indent + name, Text(plain(value)))
    _print(table)


def progress_bar(*columns: ProgressColumn, hidden: bool = False) -> Progress:
    """Return a progress bar on standard error; hidden if that is no terminal."""
    hidden = hidden or not sys.stderr.isatty()
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden)


def plain(value: object) -> str:
    """Return a value as text that is safe to print: no control character reaches the terminal."""
    match value:
        case None | "" | () | []:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case dict() | list() | tuple():
            text = json.dumps(_data(value), ensure_ascii=False)
        case _:
            text = str(value)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def first_line(text: str) -> str:
    """Return the first line of an error text."""
    return plain(text.partition("\n")[0])


def shown_at(instant: datetime | None, zone: ZoneInfo) -> str | None:
    """Return an instant in the organisation's time zone."""
    return None if instant is None else on_the_clock(instant, zone)


def _data(answer: object) -> Any:
    match answer:
        case BaseModel():
            return answer.model_dump(mode="json")
        case dict():
            return {key: _data(value) for key, value in answer.items()}
        case list() | tuple():
            return [_data(value) for value in answer]
    return answer


def _print(renderable: RenderableType) -> None:
    console = Console(markup=False, highlight=False, emoji=False)
    if console.is_terminal:
        console.print(renderable)
        return
    console.width = _WIDE
    with console.capture() as capture:
        console.print(renderable)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())


def say_complete_since(what: str, at: datetime | None, zone: ZoneInfo) -> None:
    """Say from when on an answer is complete, if something older is not kept any more."""
    if at is not None:
        click.echo(f"{what} are complete since {shown_at(at, zone)}; older ones are not kept.")
