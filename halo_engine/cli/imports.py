"""`halo contacts import`: a CSV file of any length, page by page (contract §2, CSV import)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

from halo_engine.cli.desk import Desk, in_organization
from halo_engine.cli.output import plain, progress_bar
from halo_engine.contacts.csv_resume import ImportFileAnswer, import_file
from halo_engine.domain.errors import bad_input, not_found, shown

_MOST_ROWS_PRINTED: Final = 20


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--map",
    "mapping",
    multiple=True,
    required=True,
    metavar="COLUMN=FIELD",
    help="A column and its field: external_id, a trait, or custom:NAME. Once for each column.",
)
@in_organization
def import_command(desk: Desk, file: Path, mapping: Sequence[str]) -> None:
    """Import the CSV FILE: known contacts are changed, new ones made.

    Columns that are not mapped are passed over. An import that was interrupted is gone on with when
    it is given again. Exits 1 when rows were left out.
    """
    fields: dict[str, str] = {}
    for column, target in map(_pair, mapping):
        if column in fields:
            problem = f"{shown(column)} is mapped twice; allowed is one field for a column"
            raise bad_input("map", problem, "bad_mapping")
        fields[column] = target
    try:
        with _bar(file.stat().st_size, hidden=desk.as_json) as show:
            answer = import_file(desk.perform, file, fields, show)
    except FileNotFoundError:
        raise not_found("file", str(file)) from None
    except OSError as error:
        raise bad_input(str(file), f"cannot be read ({error.strerror})") from None
    desk.show(answer, _draw)
    if answer.bad:
        raise SystemExit(1)


@contextmanager
def _bar(size: int, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    """Show on standard error, if that is a terminal, how many bytes of the file are read."""
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with progress_bar(*columns, hidden=hidden) as bar:
        task = bar.add_task("importing", total=size)
        yield lambda position: bar.update(task, completed=position)


def _pair(text: str) -> tuple[str, str]:
    column, found, target = text.rpartition("=")
    if not found or not column or not target:
        raise bad_input("map", f"{shown(text)} is no mapping; allowed is COLUMN=FIELD")
    return column, target


def _draw(answer: ImportFileAnswer) -> None:
    click.echo(f"{answer.created} created, {answer.updated} updated, {answer.bad} left out")
    if answer.done_before:
        click.echo(f"  {answer.done_before} rows were done before it was interrupted")
    for row in answer.errors[:_MOST_ROWS_PRINTED]:
        click.echo(f"  line {row.line}: {plain(row.message)}")
    if answer.bad > _MOST_ROWS_PRINTED:
        click.echo(f"  … and {answer.bad - _MOST_ROWS_PRINTED} more; --json names up to 1,000")
    for warning in answer.warnings:
        click.echo(f"  {click.style('warning', fg='yellow')}: {warning}")
