"""`halo contacts import`: a CSV file of any length, page by page (contract §2, CSV import)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

from halo_engine.cli.desk import Desk, in_organization
from halo_engine.cli.output import plain, progress_bar
from halo_engine.contacts.csv_resume import FileOptions, ImportFileAnswer, import_file
from halo_engine.domain.errors import bad_input, not_found, shown, validated

_MOST_ROWS_PRINTED: Final = 20


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--map",
    "mapping",
    multiple=True,
    required=True,
    metavar="COLUMN=FIELD",
    help="A column and its field. Once for each column.",
)
@click.option("--separator", help="What separates cells, where the header does not tell.")
@click.option("--encoding", help="What the file is written in, where it is not UTF-8 or UTF-16.")
@click.option(
    "--date-format",
    "date_formats",
    multiple=True,
    metavar="COLUMN=FORMAT",
    help="How a column writes dates that are not ISO 8601: DD.MM.YYYY, MM/DD/YYYY hh:mm A.",
)
@click.option("--empty", multiple=True, metavar="WORD", help="A word that means an empty cell.")
@click.option("--lenient", is_flag=True, help="Leave out a bad cell alone rather than its row.")
@click.option("--most", type=click.IntRange(min=1), help="Read so many rows at most.")
@in_organization
def import_command(
    desk: Desk,
    file: Path,
    mapping: Sequence[str],
    date_formats: Sequence[str],
    empty: Sequence[str],
    **read: Any,
) -> None:
    """Import the CSV FILE: known contacts are changed, new ones made.

    Fields are external_id, the recognised traits, first_name and last_name, role, plan, avatar,
    custom:NAME (which may end in :text, :number, :boolean or :date), list:KEY and unsubscribed.
    Columns that are not mapped are passed over. An import that was interrupted is gone on with when
    it is given again. Exits 1 when rows were left out.
    """
    options = {
        "mapping": _pairs("map", "FIELD", mapping),
        "date_formats": _pairs("date-format", "FORMAT", date_formats),
        "empty": list(empty),
        **read,
    }
    how = validated(FileOptions, options, "import")
    try:
        with _bar(file.stat().st_size, hidden=desk.as_json) as show:
            answer = import_file(desk.perform, file, how, show)
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


def _pairs(option: str, what: str, given: Sequence[str]) -> dict[str, str]:
    """Return what an option says of each column."""
    said: dict[str, str] = {}
    for text in given:
        column, found, word = text.rpartition("=")
        if not found or not column or not word:
            raise bad_input(option, f"{shown(text)} is no mapping; allowed is COLUMN={what}")
        if column in said:
            problem = f"{shown(column)} is mapped twice; allowed is one {what.lower()} for a column"
            raise bad_input(option, problem, "bad_mapping")
        said[column] = word
    return said


def _draw(answer: ImportFileAnswer) -> None:
    click.echo(f"{answer.created} created, {answer.updated} updated, {answer.bad} left out")
    if answer.done_before:
        click.echo(f"  {answer.done_before} rows were done before it was interrupted")
    for row in answer.errors[:_MOST_ROWS_PRINTED]:
        click.echo(f"  line {row.line}: {plain(row.message)}")
    if answer.bad > _MOST_ROWS_PRINTED:
        click.echo(f"  … and {answer.bad - _MOST_ROWS_PRINTED} more; --json names up to 1,000")
    for cell in answer.cell_errors[:_MOST_ROWS_PRINTED]:
        click.echo(f"  line {cell.line}, {plain(cell.column)} left out: {plain(cell.message)}")
    if answer.bad_cells > _MOST_ROWS_PRINTED:
        click.echo(f"  … and {answer.bad_cells - _MOST_ROWS_PRINTED} more cells")
    for warning in answer.warnings:
        click.echo(f"  {click.style('warning', fg='yellow')}: {warning}")
