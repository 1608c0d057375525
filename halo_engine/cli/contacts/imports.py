"""`halo contacts import`: a CSV file of any length, page by page (contract §2, CSV import)."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final, TypeVar

import click
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

from halo_engine.cli.contacts.effects import draw_effects
from halo_engine.cli.context import CommandContext, in_organization
from halo_engine.cli.output import plain, print_json, progress_bar
from halo_engine.contacts.csv_import.importing import ImportCsvAnswer
from halo_engine.contacts.csv_import.resume import (
    FileOptions,
    ImportFileAnswer,
    ImportInterruptedError,
    import_file,
)
from halo_engine.contacts.csv_import.suggestion import suggest_for_file
from halo_engine.domain.errors import bad_input, not_found, shown, validated
from halo_engine.pipeline.batches.import_csv import DryRunAnswer, try_file
from halo_engine.work import Work

_Result = TypeVar("_Result")

_MOST_ROWS_PRINTED: Final = 20
#: The exit status that shells use for Ctrl-C.
_INTERRUPTED: Final = 130


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="COLUMN=FIELD",
    help="A column and its field, once for each column. Without it a mapping is suggested.",
)
@click.option("--separator", help="What separates cells, if the header does not show it.")
@click.option("--encoding", help="The file's encoding, if it is not UTF-8 or UTF-16.")
@click.option(
    "--date-format",
    "date_formats",
    multiple=True,
    metavar="COLUMN=FORMAT",
    help="How a column writes dates that are not ISO 8601: DD.MM.YYYY, MM/DD/YYYY hh:mm A.",
)
@click.option("--empty", multiple=True, metavar="WORD", help="A word that means an empty cell.")
@click.option("--lenient", is_flag=True, help="Leave out only a bad cell, not its row.")
@click.option("--dry-run", is_flag=True, help="Show what would be done and started; write nothing.")
@click.option("--most", type=click.IntRange(min=1), help="Read so many rows at most.")
@in_organization
def import_command(
    context: CommandContext,
    file: Path,
    mapping: Sequence[str],
    date_formats: Sequence[str],
    empty: Sequence[str],
    dry_run: bool,
    **read: Any,
) -> None:
    """Import the CSV FILE: known contacts are changed, new ones made.

    Fields are external_id, the recognised traits, first_name and last_name, role, plan, avatar,
    custom:NAME (which may end in :text, :number, :boolean or :date), list:KEY and unsubscribed.
    Columns that are not mapped are passed over. After an interruption the same command resumes the
    import. Exits 1 when rows were left out.
    """
    with reading(file):
        if not mapping:
            return _suggest(context, file, read["separator"], read["encoding"])
        options = {
            "mapping": _pairs("map", "FIELD", mapping),
            "date_formats": _pairs("date-format", "FORMAT", date_formats),
            "empty": list(empty),
            **read,
        }
        how = validated(FileOptions, options, "import")
        answer = _try(context, file, how) if dry_run else _import(context, file, how)
    if answer.bad:
        raise SystemExit(1)
    return None


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn a file that cannot be read into a refusal that names it."""
    try:
        yield
    except FileNotFoundError:
        raise not_found("file", str(file)) from None
    except OSError as error:
        raise bad_input(str(file), f"cannot be read ({error.strerror})") from None


def _suggest(
    context: CommandContext, file: Path, separator: str | None, encoding: str | None
) -> None:
    """Print an import command with the mapping that the column names suggest."""
    found = suggest_for_file(file, separator, encoding)
    words = ["halo", "contacts", "import", str(file)]
    given = {"--separator": separator, "--encoding": encoding}
    words += [word for option, value in given.items() if value for word in (option, value)]
    maps = [f"--map {shlex.quote(f'{name}={field}')}" for name, field in found.mapping.items()]
    if context.as_json:
        command = " ".join([shlex.join(words), *maps])
        data = {"mapping": found.mapping, "not_mapped": found.others, "command": command}
        print_json(data)
        return
    click.echo(" \\\n  ".join([shlex.join(words), *maps]))
    if found.others:
        click.echo(f"# not mapped: {plain(', '.join(found.others))}")
        click.echo("# a column becomes a custom field by --map COLUMN=custom:NAME")


def _import(context: CommandContext, file: Path, how: FileOptions) -> ImportFileAnswer:
    try:
        with _bar(file.stat().st_size, hidden=context.as_json) as show:
            # Only the first transaction is noted: an import has one row in the audit log, not one
            # for each page.
            begun = iter([context.transact("contacts.import_csv", how)])

            def transact(action: Callable[[Work], _Result]) -> _Result:
                return next(begun, context.perform)(action)

            answer = import_file(transact, file, how, show)
    except ImportInterruptedError as interrupted:
        click.echo(f"Interrupted: the rows up to line {interrupted.line} are in.", err=True)
        if interrupted.goes_on:
            click.echo("The same command again goes on from there.", err=True)
        raise SystemExit(_INTERRUPTED) from None
    context.show(answer, _draw)
    return answer


def _try(context: CommandContext, file: Path, how: FileOptions) -> DryRunAnswer:
    if not S_ISREG(file.stat().st_mode):
        problem = "cannot be read twice; allowed with --dry-run is a file"
        raise bad_input(str(file), problem)
    answer = try_file(context.ask, file, how)
    context.show(answer, _draw_trial)
    return answer


@contextmanager
def _bar(size: int, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    """Show a progress bar in bytes on standard error, if that is a terminal."""
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with progress_bar(*columns, hidden=hidden) as bar:
        task = bar.add_task("importing", total=size)
        yield lambda position: bar.update(task, completed=position)


def _pairs(option: str, what: str, given: Sequence[str]) -> dict[str, str]:
    """Return an option's ``COLUMN=…`` pairs as a dict."""
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
    _draw_faults(answer)


def _draw_trial(answer: DryRunAnswer) -> None:
    click.echo(
        f"would be: {answer.created} created, {answer.updated} updated, {answer.bad} left out"
    )
    if answer.tried < answer.rows:
        click.echo(
            f"  of {answer.rows} rows the first {answer.tried} were tried; the others were only"
            " read for what is left out"
        )
    draw_effects(answer)
    _draw_faults(answer)


def _draw_faults(answer: ImportCsvAnswer) -> None:
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
